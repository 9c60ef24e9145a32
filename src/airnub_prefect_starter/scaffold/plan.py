"""What a generator would write: a change per file, computed before anything is touched."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Literal

from airnub_prefect_starter.common.errors import ConfigError, ScaffoldError
from airnub_prefect_starter.common.settings import ROOT_MARKER, Settings
from airnub_prefect_starter.core.departments import DEPARTMENTS, Catalog, load_catalog
from airnub_prefect_starter.scaffold.rendering import settle


@dataclass(frozen=True)
class Change:
    """One file: its text now, None if there is no such file, and as it should be."""

    path: PurePosixPath
    before: str | None
    after: str

    @property
    def kind(self) -> Literal["create", "edit", "unchanged"]:
        """Tell what would happen to the file."""
        if self.before is None:
            return "create"
        return "unchanged" if self.before == self.after else "edit"

    def diff(self) -> str:
        """Give the change as a unified diff, which ``git apply`` takes."""
        old = f"a/{self.path}" if self.before is not None else "/dev/null"
        lines = difflib.unified_diff(
            (self.before or "").splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            old,
            f"b/{self.path}",
        )
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in lines
        )


class Draft:
    """Collects the changes of one plan.

    Args:
        root: Folder of the project.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._changes: dict[PurePosixPath, Change] = {}
        self._conflicts: list[str] = []

    def create(self, path: PurePosixPath, text: str) -> None:
        """Plan a new file; one that exists must be the same."""
        before, after = self._read(path), settle(path, text, self._root)
        if before is not None and before != after:
            self._conflicts.append(f"{path} exists with other content")
        self._changes[path] = Change(path, before, after)

    def edit(self, path: PurePosixPath, change: Callable[[str], str]) -> None:
        """Plan another text for a file that exists.

        Raises:
            ScaffoldError: There is no such file, or it is not text. No retry.
        """
        before = self._read(path)
        if before is None:
            raise ScaffoldError(f"{path} is missing or not UTF-8", "Restore it from Git")
        after = change(before)
        if after != before:
            after = settle(path, after, self._root)
        self._changes[path] = Change(path, before, after)

    def render(self, texts: Mapping[PurePosixPath, str]) -> None:
        """Plan generated files, which are never edited by hand."""
        for path, text in texts.items():
            self._changes[path] = Change(path, self._read(path), text)

    def text(self, path: PurePosixPath) -> str:
        """Give the text that a planned file will have."""
        return self._changes[path].after

    def exists(self, path: PurePosixPath) -> bool:
        """Tell whether there is such a file now."""
        return (self._root / path).is_file()

    def changes(self) -> tuple[Change, ...]:
        """Return every change, in the order of planning.

        Raises:
            ScaffoldError: Files are in the way; the message names all of them. No retry.
        """
        if self._conflicts:
            raise ScaffoldError(
                f"Nothing was written: {'; '.join(self._conflicts)}",
                "Choose another name, or move them away",
            )
        return tuple(self._changes.values())

    def _read(self, path: PurePosixPath) -> str | None:
        for parent in reversed(path.parents):
            folder = self._root / parent
            if folder.exists() and not folder.is_dir():
                self._conflicts.append(f"{parent} is not a folder")
                return None
        file = self._root / path
        if file.is_dir():
            self._conflicts.append(f"{path} is a folder")
            return None
        try:
            return file.read_bytes().decode()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            self._conflicts.append(f"{path} is not UTF-8")
            return None
        except OSError as error:
            raise ScaffoldError(
                f"{path} cannot be read: {error.strerror}", "Check its permissions"
            ) from error


def catalog_after(settings: Settings, changes: Iterable[Change]) -> Catalog:
    """Load the departments as they would be after the changes.

    Raises:
        ScaffoldError: A file would not be valid, or names of two departments or flows would
            meet. No retry.
    """
    with TemporaryDirectory() as folder:
        root = Path(folder)
        (root / DEPARTMENTS).mkdir(parents=True)
        for file in (settings.project_root / DEPARTMENTS).glob("*.yaml"):
            shutil.copy(file, root / DEPARTMENTS)
        shutil.copy(settings.project_root / ROOT_MARKER, root / ROOT_MARKER)
        for change in changes:
            if change.path.is_relative_to(PurePosixPath(DEPARTMENTS.parent)):
                file = root / change.path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(change.after.encode())
        try:
            catalog = load_catalog(settings.model_copy(update={"project_root": root}))
        except ConfigError as error:
            raise ScaffoldError(error.message, f"Choose another name. {error.remedy}") from error
    return replace(catalog, root=settings.project_root)
