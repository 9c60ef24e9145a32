"""Scripts as tasks: logged, tried twice, and the end of what depends on them."""

import logging
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.schemas.objects import State

from airnub_prefect_starter.common.errors import ScriptFailedError
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


def test_the_policy_is_one_retry_after_five_seconds() -> None:
    assert [run_script.retries, run_script.retry_delay_seconds] == [1, 5]
