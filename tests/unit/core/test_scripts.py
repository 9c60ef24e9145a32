"""Scripts as child processes: real ones, well and badly behaved."""

import pickle
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ConfigError, ScriptFailedError
from airnub_prefect_starter.core.scripts import MAX_LINE_BYTES, Script, run_process

Write = Callable[[str], Path]
# Starts a grandchild that ignores SIGTERM, and waits for it.
STUBBORN = """
    import pathlib, subprocess, sys
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", code])
    pathlib.Path(sys.argv[1]).write_text(str(child.pid))
    {then}
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def script(text: str) -> Path:
        file = tmp_path / "script.py"
        file.write_text(textwrap.dedent(text))
        return file

    return script


def run(script: Path, *arguments: str, timeout_s: float = 60) -> tuple[list[str], tuple[str, ...]]:
    lines: list[str] = []
    tail = run_process(Script(script, arguments), lines.append, timeout_s=timeout_s, grace_s=0.5)
    return lines, tail


def test_output_and_errors_come_line_by_line_in_their_order(write: Write) -> None:
    script = write("import sys; print('one'); print('two', file=sys.stderr); print(sys.argv[1])")

    assert run(script, "three")[0] == ["one", "two", "three"]


def test_a_script_sees_its_own_variables_beside_ours(write: Write) -> None:
    script = write("import os; print(os.environ['GREETING'], 'PATH' in os.environ)")
    lines: list[str] = []

    run_process(Script(script, environment={"GREETING": "good day"}), lines.append, timeout_s=60)

    assert lines == ["good day True"]


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        ("raise SystemExit(15)", 15, "ended with exit code 15"),
        ("print('no rows'); raise SystemExit(3)", 3, "ended with exit code 3: no rows"),
        (
            "print('error: first'); print('error: second'); print('bye'); raise SystemExit(3)",
            3,
            "exit code 3: first; second",
        ),
        ("raise ValueError('bad')", 1, "ended with exit code 1: ValueError: bad"),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL, "ended by SIGKILL"),
    ],
)
def test_a_failure_names_the_exit_code_and_the_reason(
    write: Write, text: str, status: int, told: str
) -> None:
    with pytest.raises(ScriptFailedError, match=told) as caught:
        run(write(text))

    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert (again.exit_status, str(again)) == (status, str(caught.value))


def test_a_missing_script_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no script .*gone\.py"):
        run(tmp_path / "gone.py")


def test_bytes_that_are_no_text_are_replaced(write: Write) -> None:
    script = write("import sys; sys.stdout.buffer.write(b'caf\\xe9\\n\\xff\\n')")

    assert run(script)[0] == ["caf\ufffd", "\ufffd"]


def test_a_million_lines_pass(write: Write) -> None:
    lines, tail = run(write("print('\\n'.join(map(str, range(1_000_000))))"))

    assert (len(lines), tail[-1], len(tail)) == (1_000_000, "999999", 20)


def test_a_line_without_end_comes_in_parts(write: Write) -> None:
    lines, _ = run(write(f"print('x' * {3 * MAX_LINE_BYTES})"))

    assert [len(line) for line in lines if line] == [MAX_LINE_BYTES] * 3


@pytest.mark.parametrize("then", ["child.wait()", "raise SystemExit(0)"], ids=["late", "left"])
def test_nothing_that_it_started_is_left(write: Write, tmp_path: Path, then: str) -> None:
    script, file = write(STUBBORN.format(then=then)), tmp_path / "pid"

    if then == "child.wait()":
        with pytest.raises(ScriptFailedError, match=r"did not end within 2 s"):
            run(script, str(file), timeout_s=2)
    else:
        run(script, str(file))

    assert _ended(int(file.read_text()))


# A program whose script waits for a grandchild, and that ends as soon as that is there.
INTERRUPTED = """
    import os, pathlib, signal, sys, threading, time
    from airnub_prefect_starter.core.scripts import Script, run_process

    script, file = map(pathlib.Path, sys.argv[1:])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it

    def interrupt():
        while not (file.exists() and file.read_text()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    run_process(Script(script, [str(file)]), print, timeout_s=60, grace_s=0.5)
"""


def test_an_interruption_ends_it_too(write: Write, tmp_path: Path) -> None:
    script, file = write(STUBBORN.format(then="child.wait()")), tmp_path / "pid"
    program = [sys.executable, "-c", textwrap.dedent(INTERRUPTED), str(script), str(file)]

    done = subprocess.run(program, capture_output=True, timeout=120, check=False)

    assert b"KeyboardInterrupt" in done.stderr
    assert _ended(int(file.read_text()))


def test_what_leaves_the_group_is_not_heard_after_the_end(write: Write, tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    child.write_text(
        "import os, pathlib, sys, time; print('early', flush=True)\n"
        "pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))\n"
        "time.sleep(3); print('late', flush=True)\n"
    )
    detached = """
        import pathlib, subprocess, sys, time
        subprocess.Popen([sys.executable, *sys.argv[2:0:-1]], start_new_session=True)
        while not pathlib.Path(sys.argv[1]).exists():
            time.sleep(0.05)
    """
    file = tmp_path / "pid"

    lines, _ = run(write(detached), str(file), str(child))

    assert lines == ["early", "What came 0.5 s after the end or later was not read"]
    while not _ended(int(file.read_text())):
        time.sleep(0.1)
    assert len(lines) == 2


def test_it_runs_with_this_interpreter(write: Write) -> None:
    assert run(write("import sys; print(sys.executable)"))[0] == [sys.executable]


def _ended(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody waited for yet counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
