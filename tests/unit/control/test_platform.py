import errno
import fcntl
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from airnub_prefect_starter.common.errors import PlatformError, PortInUseError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control import platform
from airnub_prefect_starter.control.environment import Layout, PlatformState, write_state
from airnub_prefect_starter.control.probes import answers, free_port, is_free


def settings(
    root: Path, environment: Mapping[str, str] = MappingProxyType({}), start_timeout_s: int = 5
) -> Settings:
    return Settings(
        project_root=root,
        home=root / ".airnub",
        store_url=(root / "store").as_uri(),
        start_timeout_s=start_timeout_s,
        environment={"PATH": os.environ["PATH"], "SOURCES_URL": "http://s.example", **environment},
    )


def fake_prefect(root: Path, program: str) -> dict[str, str]:
    """Make ``python -m prefect`` run a program of the test's own."""
    package = root / "fake" / "prefect"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(program)
    return {"PYTHONPATH": str(package.parent)}


def test_nothing_runs_before_the_first_start(tmp_path: Path) -> None:
    found = platform.status(settings(tmp_path))

    assert found.state is None
    assert not found.running
    assert [each.pid for each in found.processes] == [None, None]
    assert platform.down(settings(tmp_path)) == ()
    assert not (tmp_path / ".airnub").exists()


def test_an_occupied_port_is_refused_with_a_remedy_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"port {port}\. Leave the port out"):
            platform.up(settings(tmp_path), port=port)

    assert not (tmp_path / ".airnub" / "run").exists()


def test_a_server_that_dies_while_starting_is_reported_with_its_last_words(tmp_path: Path) -> None:
    fake = fake_prefect(tmp_path, "raise SystemExit('the database is a potato')")

    with pytest.raises(PlatformError, match=r"server ended while starting.*potato.*Read .*log"):
        platform.up(settings(tmp_path, fake))


def test_a_server_that_does_not_answer_in_time_is_ended(tmp_path: Path) -> None:
    fake = fake_prefect(tmp_path, "import time; time.sleep(60)")
    chosen = settings(tmp_path, fake, start_timeout_s=1)

    with pytest.raises(PlatformError, match="did not answer in 1 s"):
        platform.up(chosen)

    assert all(each.pid is None for each in platform.status(chosen).processes)


@pytest.mark.parametrize("home", ["/dev/null/x", "/dev/null"], ids=["below a file", "a file"])
@pytest.mark.parametrize("act", [platform.up, platform.status], ids=["up", "status"])
def test_a_home_that_cannot_be_is_reported_with_a_remedy(
    tmp_path: Path, home: str, act: Callable[[Settings], object]
) -> None:
    chosen = settings(tmp_path).model_copy(update={"home": Path(home)})

    with pytest.raises(PlatformError, match=rf"{home}.*: .*AIRNUB_HOME"):
        act(chosen)


def test_a_full_disk_is_reported_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)

    with pytest.raises(PlatformError, match=r"\.airnub: No space left on device"):
        platform.up(settings(tmp_path))


def test_two_take_turns(tmp_path: Path) -> None:
    chosen = settings(tmp_path, start_timeout_s=1)
    lock = Layout(chosen.home).lock
    lock.parent.mkdir()
    told: list[str] = []

    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(PlatformError, match="Another process holds"):
            platform.up(chosen, on_progress=told.append)

    assert told == ["Waiting for another `airnub up` or `airnub down`"]


def test_a_remembered_port_that_is_taken_meanwhile_is_not_used(tmp_path: Path) -> None:
    fake = fake_prefect(tmp_path, "raise SystemExit('enough')")
    chosen = settings(tmp_path, fake)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        write_state(Layout(chosen.home), PlatformState(port))
        with pytest.raises(PlatformError, match="enough"):
            platform.up(chosen)

    state = platform.status(chosen).state
    assert state is not None
    assert state.port != port


def test_probes_tell_free_from_taken_and_silent_from_answering() -> None:
    port = free_port()
    assert is_free(port)
    assert not answers(port, "/")

    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
