"""Writes a plan whole or not at all.

What stands on disk is remembered in a journal before the first file is touched. An error or a
signal undoes the plan at once; after SIGKILL or a power cut the next command finds the journal and
undoes it first.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import FrameType

from airnub_prefect_starter.common.errors import ScaffoldError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.scaffold.plan import Change


class Writer:
    """Writes plans below a project's root; `taking_turns` makes one.

    Args:
        settings: Where the project is, and the folder that holds the journal.
    """

    def __init__(self, settings: Settings) -> None:
        self._root = settings.project_root
        self._journal = settings.home / "add.json"

    @property
    def interrupted(self) -> bool:
        """Tell whether an earlier command was ended before it could write or undo its plan."""
        return self._journal.exists()

    def undo(self) -> tuple[PurePosixPath, ...]:
        """Bring back what stood there before an interrupted plan; return the files restored.

        Raises:
            ScaffoldError: A file was changed since, or cannot be written. No retry.
        """
        changes = _parse(self._journal.read_bytes())
        touched = [change for change in changes if self._is_written(change)]
        self._restore(changes)
        self._journal.unlink()
        return tuple(change.path for change in touched)

    def write(self, changes: Sequence[Change]) -> None:
        """Write every file that changes.

        Raises:
            ScaffoldError: A file cannot be written, or was changed after planning; none has
                changed by this then. No retry.
        """
        wanted = [change for change in changes if change.kind != "unchanged"]
        if not wanted:
            return
        started: list[Change] = []
        with _ending_by_exception():
            try:
                self._require_as_planned(changes)
                _publish(self._journal, _format(wanted))
                for change in wanted:
                    started.append(change)
                    _publish(self._root / change.path, change.after.encode())
            except BaseException as error:
                # An interrupt too: whatever ended the writing, nothing half-written stays.
                self._restore(started)
                self._journal.unlink(missing_ok=True)
                if isinstance(error, OSError):
                    raise _not_written(error) from error
                raise
        self._journal.unlink()

    def _require_as_planned(self, changes: Iterable[Change]) -> None:
        changed = [str(each.path) for each in changes if self._found(each) != _before(each)]
        if changed:
            raise ScaffoldError(
                f"Nothing was written: {', '.join(changed)} changed after planning",
                "Run the command again",
            )

    def _is_written(self, change: Change) -> bool:
        """Tell whether a file holds its new text.

        Raises:
            ScaffoldError: It holds neither the old nor the new one. No retry.
        """
        found = self._found(change)
        if found == change.after.encode():
            return True
        if found != _before(change):
            raise ScaffoldError(
                f"{change.path} was changed after an interrupted `airnub add`",
                f"Undo that command yourself with Git, then remove {self._journal}",
            )
        return False

    def _found(self, change: Change) -> bytes | None:
        file = self._root / change.path
        return file.read_bytes() if file.is_file() else None

    def _restore(self, changes: Iterable[Change]) -> None:
        """Bring back what stood there, except where somebody else has written since."""
        try:
            for change in changes:
                file, before = self._root / change.path, _before(change)
                _remove(_temporary(file))
                written = self._found(change) == change.after.encode()
                if written and before is not None:
                    _publish(file, before)
                elif written:
                    _remove(file)
                if before is None:
                    self._remove_empty(file.parent)
        except OSError as error:
            raise _not_written(error) from error

    def _remove_empty(self, folder: Path) -> None:
        while folder != self._root and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


@contextmanager
def taking_turns(settings: Settings) -> Iterator[Writer]:
    """Give the only writer of a project.

    Raises:
        ScaffoldError: Another command has it, and may be asking a person. A retry may help.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "add.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ScaffoldError(
                "Another `airnub add` is at work in this project", "Finish or end it first"
            ) from None
        yield Writer(settings)


def _before(change: Change) -> bytes | None:
    return None if change.before is None else change.before.encode()


def _publish(file: Path, data: bytes) -> None:
    """Replace a file whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(file)
    with temporary.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    if file.exists():
        shutil.copymode(file, temporary)
    temporary.replace(file)


def _remove(file: Path) -> None:
    if file.is_file():
        file.unlink()


def _temporary(file: Path) -> Path:
    return file.with_name(f".{file.name}.add")


def _format(changes: Iterable[Change]) -> bytes:
    entries = [
        {"path": str(change.path), "before": change.before, "after": change.after}
        for change in changes
    ]
    return json.dumps(entries).encode()


def _parse(journal: bytes) -> list[Change]:
    return [
        Change(PurePosixPath(each["path"]), each["before"], each["after"])
        for each in json.loads(journal)
    ]


def _not_written(error: OSError) -> ScaffoldError:
    return ScaffoldError(
        f"{error.filename} cannot be written: {error.strerror}", "Check its folder and permissions"
    )


@contextmanager
def _ending_by_exception() -> Iterator[None]:
    """Turn SIGTERM into an exception, as SIGINT is one, so that the plan is undone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    earlier = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
