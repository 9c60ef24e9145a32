"""A plan is written whole or not at all, however its writer ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from airnub_prefect_starter.common.errors import ScaffoldError
from airnub_prefect_starter.scaffold.plan import Change
from airnub_prefect_starter.scaffold.write import Writer, taking_turns
from tests.project_kit import make_project, project_settings

CHANGES = (
    Change(PurePosixPath("new/deep/a.txt"), None, "a\n"),
    Change(PurePosixPath("edited.txt"), "before é\n", "after\n"),
    Change(PurePosixPath("same.txt"), "same\n", "same\n"),
    Change(PurePosixPath("new/b.txt"), None, "b\n"),
)
WRITES = 4  # the journal, and three files

# For each line it runs the writer in a fork, which ends itself in the middle of the n-th write: the
# temporary file is there, its target is not. (A process of its own: pytest may have threads.)
CHILD = """
import os, signal, sys
from pathlib import Path
from tests.project_kit import project_settings
from tests.unit.scaffold.test_write import CHANGES
from airnub_prefect_starter.scaffold.write import taking_turns

def write(root, number, at):
    replace, calls = Path.replace, []
    def ending(self, target):
        calls.append(target)
        if len(calls) == at:
            os.kill(os.getpid(), number)
        return replace(self, target)
    Path.replace = ending
    with taking_turns(project_settings(Path(root))) as writer:
        writer.write(CHANGES)

# A shell ignores it for what it starts in the background, and so do all that come of it.
signal.signal(signal.SIGINT, signal.default_int_handler)
for line in sys.stdin:
    root, number, at = line.split()
    child = os.fork()
    if not child:
        write(root, int(number), int(at))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def child() -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", CHILD],
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def ended(child: subprocess.Popen[str], root: Path) -> Callable[[int, int], int]:
    """Run the writer and end it by a signal in its n-th write; give the exit code."""

    def run(number: int, at: int) -> int:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(f"{root} {int(number)} {at}\n")
        child.stdin.flush()
        return int(child.stdout.readline())

    return run


Ended = Callable[[int, int], int]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_project(tmp_path)
    (tmp_path / "edited.txt").write_text("before é\n")
    (tmp_path / "edited.txt").chmod(0o755)
    (tmp_path / "same.txt").write_text("same\n")
    return tmp_path


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".airnub" not in path.parts
    }


def folders(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_dir() and path.name != ".airnub"}


def test_every_file_is_written_and_nothing_is_left_behind(root: Path) -> None:
    with taking_turns(project_settings(root)) as writer:
        writer.write(CHANGES)

        assert not writer.interrupted
    assert {name: (root / name).read_text() for name in map(str, (c.path for c in CHANGES))} == {
        str(change.path): change.after for change in CHANGES
    }
    assert not list(root.rglob("*.add"))
    assert (root / "edited.txt").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("at", range(1, WRITES + 1))
def test_what_sigkill_leaves_is_undone_by_the_next_command(
    root: Path, ended: Ended, at: int
) -> None:
    before, places = files(root), folders(root)
    assert ended(signal.SIGKILL, at) == -signal.SIGKILL

    with taking_turns(project_settings(root)) as writer:
        assert writer.interrupted == (at > 1)  # the journal comes first
        if writer.interrupted:
            assert len(writer.undo()) == at - 2
        assert not writer.interrupted

    assert files(root) == before
    assert folders(root) == places


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", range(1, WRITES + 1))
def test_a_signal_undoes_at_once(root: Path, ended: Ended, number: int, at: int) -> None:
    before, places = files(root), folders(root)

    code = ended(number, at)

    assert code in {128 + number, -number}
    assert files(root) == before
    assert folders(root) == places
    assert not Writer(project_settings(root)).interrupted


def test_a_file_that_cannot_be_written_undoes_the_others(root: Path) -> None:
    (root / "new").write_text("in the way")
    before = files(root)

    with (
        taking_turns(project_settings(root)) as writer,
        pytest.raises(ScaffoldError, match="cannot be written"),
    ):
        writer.write([CHANGES[1], CHANGES[0]])

    assert files(root) == before
    assert not writer.interrupted


@pytest.mark.parametrize(
    "texts",
    [
        {"edited.txt": "a person's\n"},
        {"new/b.txt": "a person's\n"},
        {"same.txt": "a person's\n"},
        {"edited.txt": "", "new/deep/a.txt": "a\n"},
    ],
    ids=", ".join,
)
def test_files_that_changed_after_planning_are_named_and_kept(
    root: Path, texts: dict[str, str]
) -> None:
    (root / "new" / "deep").mkdir(parents=True)
    for name, text in texts.items():
        (root / name).write_text(text)
    before = files(root)

    with (
        taking_turns(project_settings(root)) as writer,
        pytest.raises(ScaffoldError, match="changed after planning") as caught,
    ):
        writer.write(CHANGES)

    assert {str(each.path) for each in CHANGES if str(each.path) in caught.value.message} == {
        *texts
    }
    assert files(root) == before
    assert not writer.interrupted


def test_a_failure_undoes_what_was_written_and_nothing_else(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(root)
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if target == root / "edited.txt":  # the second of three
            target.write_text("a person's\n")
            (root / "new" / "b.txt").write_text("a person's\n")
            raise OSError(28, "No space left on device", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with (
        taking_turns(project_settings(root)) as writer,
        pytest.raises(ScaffoldError, match="No space left on device"),
    ):
        writer.write(CHANGES)

    theirs = dict.fromkeys(["edited.txt", "new/b.txt"], b"a person's\n")
    assert files(root) == before | theirs
    assert not writer.interrupted


def test_a_file_changed_since_an_interrupted_plan_is_left_alone(root: Path, ended: Ended) -> None:
    ended(signal.SIGKILL, WRITES)
    (root / "edited.txt").write_text("a person's\n")
    before = files(root)

    with taking_turns(project_settings(root)) as writer:
        with pytest.raises(ScaffoldError, match=r"edited.txt was changed after an interrupted"):
            writer.undo()
        assert writer.interrupted

    assert files(root) == before


def test_an_undo_that_was_interrupted_goes_on(root: Path, ended: Ended) -> None:
    before = files(root)
    ended(signal.SIGKILL, WRITES)
    (root / "edited.txt").write_text("before é\n")  # what it would have restored first

    with taking_turns(project_settings(root)) as writer:
        assert writer.undo() == (PurePosixPath("new/deep/a.txt"),)

    assert files(root) == before


def test_nothing_to_write_leaves_no_journal(root: Path) -> None:
    with taking_turns(project_settings(root)) as writer:
        writer.write([CHANGES[2]])

    assert not writer.interrupted


def test_the_journal_holds_what_was_there(root: Path, ended: Ended) -> None:
    ended(signal.SIGKILL, 2)

    (entry,) = (
        each
        for each in json.loads((root / ".airnub" / "add.json").read_bytes())
        if each["path"] == "edited.txt"
    )
    assert entry == {"path": "edited.txt", "before": "before é\n", "after": "after\n"}


def test_two_commands_do_not_write_at_once(root: Path) -> None:
    settings = project_settings(root)
    with (
        taking_turns(settings),
        pytest.raises(ScaffoldError, match="Another `airnub add` is at work"),
        taking_turns(settings),
    ):
        pytest.fail("both have a turn")

    with taking_turns(settings) as writer:
        writer.write(CHANGES)
