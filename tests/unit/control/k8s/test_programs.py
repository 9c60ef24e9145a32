from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from airnub_prefect_starter.common.errors import PlatformError, exit_code_of
from airnub_prefect_starter.control.k8s.programs import (
    follow,
    hand_over,
    require_tools,
    run,
    terminable,
)
from airnub_prefect_starter.control.process_table import start_token
from tests.unit.control.k8s.fake_tools import FakeTools

SLEEP = "import time; print('started', flush=True); time.sleep(60)"


def test_each_missing_tool_is_named_with_where_to_get_it(
    tools: FakeTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("kind", "skaffold"):
        (tools.folder / name).unlink()

    with pytest.raises(ExceptionGroup) as caught:
        require_tools(["docker", "kind", "kubectl", "helm", "skaffold"])

    messages = [str(each) for each in caught.value.exceptions]
    assert [each.partition(" is not")[0] for each in messages] == ["kind", "skaffold"]
    assert all("Install it: https://" in each for each in messages)
    assert exit_code_of(caught.value) == 6


def test_output_is_returned_and_input_given() -> None:
    code = "import sys; print(sys.stdin.read().upper(), end='')"

    assert run([sys.executable, "-c", code], stdin="a\nb\n") == "A\nB\n"


def test_a_failure_has_the_last_words_and_the_remedy(tools: FakeTools) -> None:
    tools.fails("kind", "create", "no space left")

    with pytest.raises(
        PlatformError, match=r"`kind create cluster --name x` failed: no space left\. Clean"
    ):
        run(["kind", "create", "cluster", "--name", "x"], remedy="Clean up")


def test_what_is_not_there_is_told() -> None:
    with pytest.raises(PlatformError, match="no-such-program cannot be started"):
        run(["no-such-program"])
    with pytest.raises(PlatformError, match="no-such-program cannot be started"):
        follow(["no-such-program"], print, timeout_s=1)


def test_lines_are_passed_on_as_they_come() -> None:
    lines: list[tuple[float, str]] = []
    code = "import time; print('a', flush=True); time.sleep(0.3); print(); print('b')"

    follow(
        [sys.executable, "-c", code],
        lambda line: lines.append((time.monotonic(), line)),
        timeout_s=30,
    )

    assert [line for _, line in lines] == ["a", "b"]
    assert lines[1][0] - lines[0][0] > 0.2


def test_errors_of_a_followed_program_end_it_with_its_last_words(tools: FakeTools) -> None:
    tools.does("skaffold", "run", "echo building; echo 'no such file' >&2; exit 3")
    lines: list[str] = []

    with pytest.raises(PlatformError, match=r"`skaffold run` failed: building \| no such file"):
        follow(["skaffold", "run"], lines.append, timeout_s=30)

    assert lines == ["building", "no such file"]


@pytest.mark.parametrize("start", [run, partial(follow, on_progress=print)], ids=["run", "follow"])
def test_what_takes_too_long_is_ended(start: Callable[..., object]) -> None:
    command = [sys.executable, "-c", SLEEP]
    begun = time.monotonic()

    with pytest.raises(PlatformError, match=r"took over \d s\. Look there"):
        start(command, timeout_s=0.5, remedy="Look there")

    assert time.monotonic() - begun < 10


def test_an_interruption_ends_the_program_and_what_it_has_started(tools: FakeTools) -> None:
    # As skaffold starts Helm.
    tools.does("skaffold", "run", "/bin/sleep 60 & echo $!; wait")
    children: list[int] = []

    def interrupt(line: str) -> None:
        children.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(["skaffold", "run"], interrupt, timeout_s=30)

    assert [start_token(pid) for pid in children] == [None]


def test_what_a_late_program_has_started_ends_too(tools: FakeTools) -> None:
    tools.does("skaffold", "run", "/bin/sleep 60 & echo $!; wait")
    lines: list[str] = []

    with pytest.raises(PlatformError, match="took over"):
        follow(["skaffold", "run"], lines.append, timeout_s=0.5)

    assert start_token(int(lines[0])) is None


def test_sigterm_ends_a_program_that_has_the_terminal() -> None:
    before = signal.getsignal(signal.SIGTERM)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM))
    begun = time.monotonic()

    @terminable()
    def work() -> None:
        timer.start()
        hand_over(["/bin/sleep", "60"], {})

    with pytest.raises(SystemExit) as caught:
        work()

    assert caught.value.code == 128 + signal.SIGTERM
    assert time.monotonic() - begun < 10
    assert signal.getsignal(signal.SIGTERM) is before
