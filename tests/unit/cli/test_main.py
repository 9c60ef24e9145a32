from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.main import get_command

from airnub_prefect_starter import cli
from airnub_prefect_starter.cli import app
from airnub_prefect_starter.common.errors import EXIT_BUG, ConfigError, NoSpaceError, StarterError
from tests.fault_server import FaultServer, raw
from tests.unit.cli.kit import Project


def _commands() -> Iterator[tuple[str, ...]]:
    for name, command in getattr(get_command(app), "commands", {}).items():
        inner = getattr(command, "commands", None)
        yield from ((name, each) for each in inner) if inner else [(name,)]


VERBS = sorted(_commands())


def test_no_arguments_show_the_help(project: Project) -> None:
    done = project.run()

    assert done.code == 2
    assert "Usage: airnub" in done.text + done.stderr


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_has_an_example_and_json(project: Project, verb: tuple[str, ...]) -> None:
    done = project.run(*verb, "--help")

    assert done.code == 0
    assert f"Example: airnub {' '.join(verb)}" in " ".join(done.text.split())
    assert "--json" in done.text


@pytest.mark.parametrize(
    "arguments",
    [("nope",), ("store", "put"), ("store", "ls", "nonsense"), ("render", "--chek"), ("store",)],
    ids=" ".join,
)
def test_usage_errors_are_their_own_code(project: Project, arguments: tuple[str, ...]) -> None:
    done = project.run(*arguments)

    assert done.code == 2
    assert "Usage: airnub" in done.text + done.stderr
    assert "Traceback" not in done.stderr


BUG = "bug"


def _failing(error: Exception) -> typer.Typer:
    failing = typer.Typer()

    @failing.command()
    def fail(as_json: bool = typer.Option(False, "--json")) -> None:
        raise error

    return failing


@pytest.mark.parametrize(
    ("error", "code", "lines", "traceback"),
    [
        (ConfigError("a is wrong", "Correct it"), 3, ["error: a is wrong. Correct it"], False),
        (
            ConfigError("a:1:1: x\na:2:1: y", "Correct it"),
            3,
            ["error: a:1:1: x", "error: a:2:1: y. Correct it"],
            False,
        ),
        (
            ExceptionGroup("two", [ConfigError("a", "b"), ConfigError("c", "d")]),
            3,
            ["error: a. b", "error: c. d"],
            False,
        ),
        (
            ExceptionGroup("mixed", [ConfigError("a", "b"), NoSpaceError("c", "d")]),
            1,
            ["error: a. b", "error: c. d"],
            False,
        ),
        (KeyError("oops"), EXIT_BUG, None, True),
        (OSError(28, "No space left on device"), EXIT_BUG, None, True),
        (
            ExceptionGroup("mixed", [ConfigError("a", "b"), ExceptionGroup("", [KeyError("x")])]),
            EXIT_BUG,
            None,
            True,
        ),
        (StarterError("base"), EXIT_BUG, ["error: base"], False),
    ],
    ids=[
        "ours",
        "several-lines",
        "group",
        "group-of-kinds",
        "bug",
        "system",
        "bug-in-a-group",
        "bare",
    ],
)
def test_errors_become_lines_and_bugs_tracebacks(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: int,
    lines: list[str] | None,
    traceback: bool,
) -> None:
    monkeypatch.setattr(cli, "app", _failing(error))

    done = project.run()

    assert done.code == code
    assert ("Traceback" in done.stderr) == traceback
    if lines is None:
        assert done.errors == ["error: This is a bug in airnub. Report it with the lines above"]
    else:
        assert done.stderr.splitlines() == lines


def test_interrupted_as_a_shell_tells_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted = typer.Typer()

    @interrupted.command()
    def wait() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)

    assert project.run().code == 130


SETTINGS = {
    "unknown": (
        {"AIRNUB_STOR_URL": "file:///s"},
        "AIRNUB_STOR_URL is not a setting. Did you mean AIRNUB_STORE_URL?",
    ),
    "bad value": ({"AIRNUB_DURABILITY": "often"}, "AIRNUB_DURABILITY='often'"),
    "bad store": ({"AIRNUB_STORE_URL": "s4://bucket/a"}, "is not the address of a store"),
    "no such root": ({"AIRNUB_PROJECT_ROOT": "/nowhere"}, "configs/department_mapping.yaml"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_wrong_settings_are_told(project: Project, case: str) -> None:
    environ, message = SETTINGS[case]
    project.environ(**environ)

    done = project.run("store", "ls")

    assert done.code == 3
    assert len(done.errors) == 1
    assert message in done.errors[0]


def test_a_folder_outside_any_project_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRNUB_PROJECT_ROOT")
    monkeypatch.chdir(project.root.parent)

    done = project.run("render", "--check")

    assert done.code == 3
    assert "Change into the project's folder or set AIRNUB_PROJECT_ROOT" in done.errors[0]


def test_what_libraries_log_is_no_traceback(project: Project, faults: FaultServer) -> None:
    url = faults.on("/a", raw(b"HTTP/1.1 200 OK\r\nContent-"))
    program = [sys.executable, "-m", "airnub_prefect_starter"]
    options = ["--id", "a", "--allow-network", "127.0.0.0/8"]

    done = subprocess.run(
        [*program, "store", "put", url, *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=project.root,
    )

    assert done.returncode == 17
    assert len(done.stderr.splitlines()) == 1, done.stderr


SERVERLESS = """
import sys
from airnub_prefect_starter.cli import run_command

HEAVY = {"prefect", "pandas", "pyarrow", "matplotlib"}
for line in sys.stdin.read().splitlines():
    print(line, run_command(line.split()))
    assert HEAVY.isdisjoint(sys.modules), line
"""


def test_verbs_that_need_no_server_load_neither_prefect_nor_pandas(project: Project) -> None:
    project.fetched("airlines", b"AA\n")
    project.environ(SOURCES_URL="http://sources.example")
    verbs = {
        "--help": 0,
        "render": 0,
        "render --check": 0,
        "config check": 0,
        "config show sample.ingestion": 6,
        "run sampel": 5,
        "status": 6,
        "down": 0,
        "store ls": 0,
        "store verify --level deep": 0,
        "trace ingestion.files/airlines": 0,
    }

    done = subprocess.run(
        [sys.executable, "-c", SERVERLESS],
        input="\n".join(verbs),
        capture_output=True,
        text=True,
        check=False,
        cwd=project.root,
    )

    assert done.returncode == 0, done.stderr
    ended = [f"{verb} {code}" for verb, code in verbs.items()]
    assert [line for line in done.stdout.splitlines() if line in ended] == ended
