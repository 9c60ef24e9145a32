from __future__ import annotations

from pathlib import Path

import pytest

from airnub_prefect_starter.common.addresses import TELCO_PIN
from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.settings import (
    ROOT_MARKER,
    Settings,
    find_project_root,
    load_settings,
)

VALUE = "not for logs"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    marker = tmp_path / ROOT_MARKER
    marker.parent.mkdir()
    marker.write_text("project_alpha: Project Alpha\n")
    return tmp_path


def _load(root: Path, **environ: str) -> Settings:
    return load_settings({"AIRNUB_PROJECT_ROOT": str(root), **environ})


def test_defaults_are_below_the_project_root(root: Path) -> None:
    settings = _load(root)

    assert settings.project_root == root
    assert settings.home == root / ".airnub"
    assert settings.store_url == (root / "data" / "store").as_uri()
    assert settings.durability == "full"
    assert settings.cluster_file is None


def test_a_relative_home_stays_where_it_was(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)

    assert _load(root, AIRNUB_HOME="state").home == root / "state"


def test_a_file_of_the_cluster_can_be_named(root: Path) -> None:
    assert _load(root, AIRNUB_CLUSTER_FILE="/etc/a.yaml").cluster_file == Path("/etc/a.yaml")


def test_reads_dotenv(root: Path) -> None:
    (root / ".env").write_text("AIRNUB_DURABILITY=batch\nSOURCES_URL=http://127.0.0.1:1\n")

    settings = _load(root)

    assert settings.durability == "batch"
    assert settings.resolve("${SOURCES_URL}/a") == "http://127.0.0.1:1/a"


def test_environment_wins_over_dotenv(root: Path) -> None:
    (root / ".env").write_text("AIRNUB_DURABILITY=batch\n")

    assert _load(root, AIRNUB_DURABILITY="none").durability == "none"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {},
            {"AWS_ACCESS_KEY_ID": "of .env", "AWS_ENDPOINT_URL": "http://a:1", "AWS_PROFILE": "p"},
        ),
        (
            {"AWS_REGION": "r"},
            {
                "AWS_ACCESS_KEY_ID": "of .env",
                "AWS_ENDPOINT_URL": "http://a:1",
                "AWS_PROFILE": "p",
                "AWS_REGION": "r",
            },
        ),
        ({"AWS_ACCESS_KEY_ID": "own"}, {"AWS_ACCESS_KEY_ID": "own"}),
    ],
    ids=["dotenv alone", "a region", "a key"],
)
def test_a_key_never_goes_to_another_server(
    root: Path, environ: dict[str, str], expected: dict[str, str]
) -> None:
    dotenv = ["AWS_ACCESS_KEY_ID='of .env'", "AWS_ENDPOINT_URL=http://a:1", "AWS_PROFILE=p"]
    (root / ".env").write_text("\n".join([*dotenv, "SOURCES_URL=http://127.0.0.1:1"]))

    found = _load(root, **environ).environment

    assert {name: each for name, each in found.items() if name.startswith("AWS_")} == expected
    assert found["SOURCES_URL"] == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"AIRNUB_DURABILTY": "full"}, "Did you mean AIRNUB_DURABILITY?"),
        ({"AIRNUB_DURABILITY": "often"}, "AIRNUB_DURABILITY='often'"),
        ({"AIRNUB_START_TIMEOUT_S": "0"}, "AIRNUB_START_TIMEOUT_S='0'"),
    ],
    ids=["misspelt", "not-allowed", "out-of-range"],
)
def test_wrong_settings_are_named(root: Path, environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(root, **environ)

    assert message in str(caught.value)


def test_service_links_of_kubernetes_are_left_alone(root: Path) -> None:
    assert _load(root, AIRNUB_SERVER_SERVICE_HOST="10.0.0.1").durability == "full"


def test_resolves_addresses_at_any_depth(root: Path) -> None:
    settings = _load(root, HOST="h", PORT="1")

    found = settings.resolve({"a": ["${HOST}:${PORT}", 3], "b": {"c": ("$HOST", None)}})

    assert found == {"a": ["h:1", 3], "b": {"c": ["$HOST", None]}}


def test_an_address_that_is_not_set_is_named(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"\$\{SOURCES_URL\} is not set"):
        _load(root).resolve(["${SOURCES_URL}"])


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"SOURCES_URL": "http://s"}, "http://s/files/telco_customer_churn.csv"),
        (
            {"SOURCES_URL": "http://s", "AIRNUB_TELCO_CSV": "/data/a b.csv"},
            f"file:///data/a%20b.csv{TELCO_PIN}",
        ),
        (
            {"AIRNUB_TELCO_CSV": "/data/a.csv", "TELCO_SOURCE": "https://h/t.csv#sha256=0"},
            "https://h/t.csv#sha256=0",
        ),
        ({"TELCO_SOURCE": "/data/b.csv"}, "file:///data/b.csv"),
        (
            {"SOURCES_URL": "http://s", "TELCO_SOURCE": "", "AIRNUB_TELCO_CSV": ""},
            "http://s/files/telco_customer_churn.csv",
        ),
    ],
    ids=["sample", "published", "address", "path", "empty"],
)
def test_the_churn_table_is_where_a_setting_says(
    root: Path, environ: dict[str, str], expected: str
) -> None:
    settings = _load(root, **environ)

    assert settings.resolve("${TELCO_SOURCE}") == settings.telco_source == expected


def test_without_any_churn_table_the_sample_sources_are_missed(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"\$\{SOURCES_URL\} is not set"):
        _load(root).resolve("${TELCO_SOURCE}")


def test_secrets_stay_hidden(root: Path) -> None:
    settings = _load(root, TOKEN=VALUE, EMPTY="")

    secret = settings.secret("TOKEN")
    assert secret is not None
    assert secret.get_secret_value() == VALUE
    assert settings.secret("EMPTY") is None
    assert settings.secret("MISSING") is None
    assert VALUE not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_finds_the_root_from_a_folder_below(root: Path) -> None:
    below = root / "flows" / "dept_x"
    below.mkdir(parents=True)

    assert find_project_root(below) == root.resolve()


def test_says_what_to_do_without_a_root(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="AIRNUB_PROJECT_ROOT"):
        find_project_root(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "AIRNUB_STORE_PORT",
        "AIRNUB_STORE_PORT_9000_TCP_ADDR",
        "AIRNUB_HOME_SERVICE_HOST",
        "AIRNUB_TEST_S3_URL",
    ],
)
def test_other_names_that_look_like_settings_are_left_alone(root: Path, name: str) -> None:
    assert load_settings({"AIRNUB_PROJECT_ROOT": str(root), name: "tcp://10.0.0.1:1"}).environment


def test_an_address_cannot_name_what_is_hidden(root: Path) -> None:
    settings = load_settings({"AIRNUB_PROJECT_ROOT": str(root), "TOKEN": "hush", "HOST": "h"})

    hidden = settings.hiding({"TOKEN"})

    assert hidden.resolve("http://${HOST}/") == "http://h/"
    with pytest.raises(ConfigError, match="is a secret"):
        hidden.resolve("http://h/?k=${TOKEN}")
