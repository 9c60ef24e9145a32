import errno
import stat
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.environment import (
    SERVER_COST_SETTINGS,
    Layout,
    PlatformState,
    child_environment,
    fingerprint,
    platform_environment,
    read_state,
    sources_token,
    use_platform,
    write_state,
)
from airnub_prefect_starter.core.database.url import check_database_url

STATE = PlatformState(port=4321, sources_port=4322)


def settings(root: Path, **environment: str) -> Settings:
    return Settings(
        project_root=root,
        home=root / ".airnub",
        store_url=(root / "store").as_uri(),
        environment=environment,
    )


def test_children_are_pointed_at_the_embedded_server_and_its_home(tmp_path: Path) -> None:
    environ = child_environment(settings(tmp_path, PATH="/bin"), STATE)

    assert environ["PREFECT_API_URL"] == "http://127.0.0.1:4321/api"
    assert environ["PREFECT_SERVER_UI_API_URL"] == "http://127.0.0.1:4321/api"
    assert environ["PREFECT_HOME"] == str(tmp_path / ".airnub" / "prefect")
    assert environ["AIRNUB_PROJECT_ROOT"] == str(tmp_path)
    assert environ["PATH"] == "/bin"
    assert environ.items() >= SERVER_COST_SETTINGS.items()


@pytest.mark.parametrize(
    "name",
    [
        "PREFECT_API_KEY",
        "PREFECT_PROFILE",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL",
        "PREFECT_CLOUD_API_URL",
    ],
)
def test_no_other_server_or_database_leaks_in_from_the_person(tmp_path: Path, name: str) -> None:
    environ = {name: "elsewhere", "PREFECT_API_URL": "http://elsewhere/api"}

    use_platform(settings(tmp_path), STATE, environ)

    assert name not in environ
    assert "elsewhere" not in "".join(environ.values())


def test_a_log_level_is_passed_on(tmp_path: Path) -> None:
    environ = child_environment(settings(tmp_path, PREFECT_LOGGING_LEVEL="DEBUG"), STATE)

    assert environ["PREFECT_LOGGING_LEVEL"] == "DEBUG"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"no_proxy": "a.example,localhost"}, "a.example,localhost,127.0.0.1"),
    ],
    ids=["none", "kept"],
)
def test_the_loopback_is_reached_without_a_proxy(
    tmp_path: Path, given: dict[str, str], expected: str
) -> None:
    environ = platform_environment(settings(tmp_path, **given), STATE)

    assert environ["NO_PROXY"] == environ["no_proxy"] == expected


def test_sources_are_the_platforms_own_unless_an_address_is_given(tmp_path: Path) -> None:
    own = platform_environment(settings(tmp_path), STATE)
    given = platform_environment(settings(tmp_path, SOURCES_URL="http://s.example"), STATE)

    assert own["SOURCES_URL"] == "http://127.0.0.1:4322"
    assert given["SOURCES_URL"] == "http://s.example"


def test_the_sample_database_is_the_platforms_own_unless_another_is_named(tmp_path: Path) -> None:
    own = platform_environment(settings(tmp_path), STATE)
    url = "postgresql://reader@db.example/flights"
    given = platform_environment(settings(tmp_path, SOURCES_DATABASE_URL=url), STATE)

    assert own["SOURCES_DATABASE_URL"].startswith("sqlite:////")
    assert check_database_url(own["SOURCES_DATABASE_URL"]).endswith("/sources.db")
    assert given["SOURCES_DATABASE_URL"] == url


def test_there_is_no_warehouse_unless_one_is_named(tmp_path: Path) -> None:
    url = "postgresql://warehouse@db.example/lake"

    assert platform_environment(settings(tmp_path), STATE)["WAREHOUSE_URL"] == "none"
    given = platform_environment(settings(tmp_path, WAREHOUSE_URL=url), STATE)
    assert given["WAREHOUSE_URL"] == url


def test_the_token_is_made_once_readable_by_its_owner_alone(tmp_path: Path) -> None:
    first = sources_token(settings(tmp_path))
    file = Layout(tmp_path / ".airnub").token

    assert sources_token(settings(tmp_path)) == first
    assert len(first) > 20
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_given_token_is_used_and_none_is_written(tmp_path: Path) -> None:
    chosen = settings(tmp_path, SOURCES_TOKEN="given")  # noqa: S106 - a test's

    assert sources_token(chosen) == "given"
    assert not Layout(tmp_path / ".airnub").token.exists()


@pytest.mark.parametrize(
    ("variable", "differs"),
    [("SOURCES_TOKEN", True), ("AIRNUB_START_TIMEOUT_S", False), ("TERM", False)],
)
def test_the_fingerprint_tells_what_processes_would_miss(
    tmp_path: Path, variable: str, differs: bool
) -> None:
    first = fingerprint(settings(tmp_path), STATE)

    assert fingerprint(settings(tmp_path), STATE) == first
    assert (fingerprint(settings(tmp_path, **{variable: "other"}), STATE) != first) == differs
    assert fingerprint(settings(tmp_path), PlatformState(port=1, sources_port=4322)) != first


def test_a_token_that_cannot_be_kept_is_reported_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)

    with pytest.raises(PlatformError, match=r"No space left on device\. .*AIRNUB_HOME"):
        sources_token(settings(tmp_path))

    assert list((tmp_path / ".airnub").iterdir()) == []


def test_ports_are_remembered(tmp_path: Path) -> None:
    layout = Layout(tmp_path / ".airnub")
    assert read_state(layout) is None

    write_state(layout, STATE)

    assert read_state(layout) == STATE
    assert [path.name for path in layout.home.iterdir()] == ["platform.json"]


@pytest.mark.parametrize("text", ["", "{", '{"port": 1, "other": 2}', "[1]"])
def test_a_state_file_of_another_making_is_refused(tmp_path: Path, text: str) -> None:
    layout = Layout(tmp_path)
    layout.state.write_text(text)

    with pytest.raises(PlatformError, match="Remove the file"):
        read_state(layout)
