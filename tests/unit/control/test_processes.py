import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.environment import Layout
from airnub_prefect_starter.control.process_table import (
    descendants,
    parents_of_ps,
    start_token,
    start_token_of_ps,
)
from airnub_prefect_starter.control.processes import ManagedProcess

SLEEP = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"]
# Ignores SIGTERM and has a child, said when it may be signalled, that would outlive it.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sleep = [sys.executable, '-c', 'import time; time.sleep(60)']
print(subprocess.Popen(sleep, start_new_session={session}).pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ManagedProcess]:
    managed = ManagedProcess("thing", Layout(tmp_path))
    yield managed
    managed.stop(grace_s=0.1)


def start(process: ManagedProcess, command: list[str], folder: Path) -> int:
    process.start(command, os.environ, folder)
    pid = process.pid
    assert pid is not None
    return pid


def said(process: ManagedProcess) -> str:
    while not (words := process.tail()):
        assert process.pid is not None
    return words[-1]


def test_it_outlives_its_handle_and_is_found_again(process: ManagedProcess, tmp_path: Path) -> None:
    pid = start(process, SLEEP, tmp_path)

    again = ManagedProcess("thing", Layout(tmp_path))

    assert again.pid == pid
    assert os.getsid(pid) == pid
    assert again.stop()
    assert start_token(pid) is None
    assert process.pid is None


def test_stopping_what_does_not_run_is_no_failure(process: ManagedProcess) -> None:
    assert not process.stop()


@pytest.mark.parametrize("session", [False, True], ids=["its session", "one of its own"])
def test_a_stubborn_one_is_killed_with_what_it_started(
    process: ManagedProcess, tmp_path: Path, session: bool
) -> None:
    pid = start(process, [sys.executable, "-c", STUBBORN.format(session=session)], tmp_path)
    child = int(said(process))
    assert descendants(pid) == {child: start_token(child)}

    assert process.stop(grace_s=0.2)

    assert start_token(pid) is None
    while start_token(child) is not None:  # ends with its group, collected by init
        pass


def test_a_recycled_id_is_neither_found_nor_killed(process: ManagedProcess, tmp_path: Path) -> None:
    with subprocess.Popen(SLEEP, stdout=subprocess.DEVNULL) as stranger:
        record = tmp_path / "run" / "thing.json"
        record.parent.mkdir()
        record.write_text(json.dumps({"pid": stranger.pid, "started": "at another time"}))

        assert not process.stop()
        assert stranger.poll() is None
        assert not record.exists()
        stranger.kill()


@pytest.mark.skipif(shutil.which("ps") is None, reason="there is no ps")
def test_where_there_is_no_proc_ps_is_asked_the_same_everywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = start_token_of_ps(os.getpid())
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    assert first is not None
    assert start_token_of_ps(os.getpid()) == first
    assert parents_of_ps()[os.getpid()] == os.getppid()


def test_one_that_ended_is_not_running_and_leaves_its_words(
    process: ManagedProcess, tmp_path: Path
) -> None:
    process.start([sys.executable, "-c", "raise SystemExit('out of luck')"], os.environ, tmp_path)
    while process.pid is not None:
        pass

    assert process.tail() == ["out of luck"]


def test_output_is_appended_to_the_log_which_is_cut_when_long(
    process: ManagedProcess, tmp_path: Path
) -> None:
    process.log.parent.mkdir()
    process.log.write_bytes(b"x" * (6 << 20))

    start(process, SLEEP, tmp_path)

    assert said(process) == "ready"
    assert process.log.stat().st_size < 100
    assert process.log.with_suffix(".log.1").stat().st_size == 6 << 20


def test_a_program_that_is_not_there_is_reported(process: ManagedProcess, tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="cannot be started"):
        process.start([str(tmp_path / "missing")], os.environ, tmp_path)


def test_the_fingerprint_of_its_environment_is_remembered(
    process: ManagedProcess, tmp_path: Path
) -> None:
    assert process.environment == ""

    process.start(SLEEP, os.environ, tmp_path, environment="abc")

    assert ManagedProcess("thing", Layout(tmp_path)).environment == "abc"


def test_a_record_without_a_fingerprint_is_of_an_unknown_environment(tmp_path: Path) -> None:
    record = tmp_path / "run" / "other.json"
    record.parent.mkdir()
    record.write_text('{"pid": 1, "started": "then"}')

    assert ManagedProcess("other", Layout(tmp_path)).environment == ""


@pytest.mark.parametrize("text", ["", "[]", '{"pid": 1}'])
def test_a_record_of_another_making_is_refused(tmp_path: Path, text: str) -> None:
    record = tmp_path / "run" / "other.json"
    record.parent.mkdir()
    record.write_text(text)

    with pytest.raises(PlatformError, match="Remove the file"):
        _ = ManagedProcess("other", Layout(tmp_path)).pid
