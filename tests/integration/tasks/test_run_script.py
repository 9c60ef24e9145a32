"""Scripts as tasks: logged, tried twice, and the end of what depends on them."""

import logging
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL

from airnub_prefect_starter.common.errors import ScriptFailedError
from airnub_prefect_starter.control.process_table import start_token
from airnub_prefect_starter.tasks import run_script as module
from airnub_prefect_starter.tasks.run_script import run_script

Write = Callable[[str], Path]
at_once = run_script.with_options(retry_delay_seconds=0)
# A script that says in a file that it was there.
COUNTING = """
    import pathlib, sys
    with pathlib.Path(sys.argv[1]).open("a") as file:
        file.write("x")
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def script(text: str) -> Path:
        file = tmp_path / f"script_{abs(hash(text))}.py"
        file.write_text(textwrap.dedent(text))
        return file

    return script


def test_a_failing_step_is_tried_twice_and_ends_the_flow(write: Write, tmp_path: Path) -> None:
    script = write(COUNTING + "    print('error: no rows'); sys.exit(17)")
    first, second = tmp_path / "first", tmp_path / "second"

    @flow
    def two_steps() -> None:
        at_once(script, "First", [str(first)])
        at_once(write(COUNTING), "Second", [str(second)])

    state: State[None] = two_steps(return_state=True)

    assert state.is_failed()
    assert "First ended with exit code 17: no rows" in (state.message or "")
    with pytest.raises(ScriptFailedError):
        state.result()
    assert first.read_text() == "xx"
    assert not second.exists()


def test_one_that_recovers_completes(write: Write, tmp_path: Path) -> None:
    text = COUNTING + "    print('done'); sys.exit(pathlib.Path(sys.argv[1]).read_text() != 'xx')"

    @flow
    def one_step() -> str:
        return at_once(write(text), "Step", [str(tmp_path / "count")])

    assert one_step() == "done"


def test_the_same_script_is_run_as_often_as_it_is_called(write: Write, tmp_path: Path) -> None:
    script, count = write(COUNTING), tmp_path / "count"

    @flow(persist_result=True)
    def two_steps() -> None:
        for _ in range(2):
            at_once(script, "Step", [str(count)])

    two_steps()

    assert count.read_text() == "xx"


def test_its_lines_are_logged_until_there_are_too_many(
    write: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MAX_LOGGED_LINES", 2)

    @flow
    def one_step() -> str:
        return run_script(write("for n in range(5): print('line', n)"), "Step")

    with caplog.at_level(logging.INFO, "prefect.task_runs"):
        assert one_step() == "line 4"

    told = [record.getMessage() for record in caplog.records if "|" in record.getMessage()]
    assert told == ["Step | line 0", "Step | line 1", "Step | Only 2 lines are logged"]


# A flow in a program of its own, whose script starts a process and waits for it.
PROGRAM = """
    import sys
    from pathlib import Path
    from prefect import flow
    from airnub_prefect_starter.tasks.run_script import run_script

    @flow
    def one_step():
        run_script(Path(sys.argv[1]), "Step", [sys.argv[2]])

    one_step()
"""
WAITING = """
    import os, pathlib, subprocess, sys
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {child.pid} ")
    child.wait()
"""


def test_a_run_that_is_ended_ends_its_script(write: Write, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    environment = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    command = [sys.executable, str(write(PROGRAM)), str(write(WAITING)), str(pids)]
    program = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    while not (pids.exists() and pids.read_text().endswith(" ")):
        assert program.poll() is None, program.communicate()[1]
        time.sleep(0.1)

    program.terminate()
    _, told = program.communicate(timeout=60)

    assert b"Crashed" in told
    assert [pid for pid in pids.read_text().split() if start_token(int(pid))] == []


def test_the_policy_is_one_retry_after_five_seconds() -> None:
    assert [run_script.retries, run_script.retry_delay_seconds] == [1, 5]
