from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.k8s.access import (
    api_environment,
    cluster_environment,
    use_cluster,
)
from airnub_prefect_starter.control.k8s.release import Release
from airnub_prefect_starter.core.departments import load_catalog
from tests.project_kit import make_project, project_settings
from tests.unit.control.k8s.fake_tools import FakeTools

CLIENT = """\
api_url: http://airnub-server.airnub.svc.cluster.local:4200/api
ui_url: http://localhost:4200
auth_secret: airnub-api-auth
store_url: s3://airnub/store
addresses: {SOURCES_URL: "http://airnub-sources.airnub.svc.cluster.local:8080"}
of_a_later_version: true
"""
CLUSTER = """\
release: airnub
s3:
  endpoint_url: http://airnub-object-store.airnub.svc.cluster.local:9000
  region: us-east-1
  secret_name: airnub-s3
"""


def secret(**values: str) -> dict[str, dict[str, str]]:
    names = {name.replace("_", "-"): value for name, value in values.items()}
    return {
        "data": {name: base64.b64encode(text.encode()).decode() for name, text in names.items()}
    }


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return project_settings(make_project(tmp_path / "project"), NO_PROXY="example.com")


@pytest.fixture
def release(tools: FakeTools) -> FakeTools:
    """A cluster with a release whose server and store are inside."""
    configured(tools, CLIENT, CLUSTER)
    tools.gives("kubectl", "metadata.name=airnub-api-auth", secret(auth_string="user:word"))
    tools.gives(
        "kubectl",
        "airnub-dept-sample --field-selector metadata.name=airnub-s3",
        secret(access_key_id="id", secret_access_key="word"),  # noqa: S106
    )
    listening = "echo 'Forwarding from 127.0.0.1:{} -> x'; exec /bin/sleep 60"
    tools.does("kubectl", "service/airnub-server :4200", listening.format(4242))
    tools.does("kubectl", "service/airnub-object-store :9000", listening.format(9999))
    return tools


def configured(tools: FakeTools, client: str, cluster: str) -> None:
    files = {"client.yaml": client, "cluster.yaml": cluster}
    tools.gives("kubectl", "metadata.name=airnub-cluster", {"data": files})


def environment(settings: Settings) -> Mapping[str, str]:
    department = load_catalog(settings).department("sample")
    with cluster_environment(settings, Release(), department, lambda _: None) as found:
        return found


def test_what_is_in_the_cluster_is_reached_through_ports(
    release: FakeTools, settings: Settings
) -> None:
    found = environment(settings)

    assert found == {
        "PREFECT_API_URL": "http://127.0.0.1:4242/api",
        "PREFECT_API_AUTH_STRING": "user:word",
        "PREFECT_UI_URL": "http://localhost:4200",
        "PREFECT_HOME": str(settings.home / "prefect"),
        "AIRNUB_PROJECT_ROOT": str(settings.project_root),
        "AIRNUB_HOME": str(settings.home),
        "AIRNUB_STORE_URL": "s3://airnub/store",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9999",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "word",
        "SOURCES_URL": "http://airnub-sources.airnub.svc.cluster.local:8080",
        "NO_PROXY": "example.com,127.0.0.1,localhost",
        "no_proxy": "example.com,127.0.0.1,localhost",
    }


def test_what_is_outside_is_reached_as_it_is(release: FakeTools, settings: Settings) -> None:
    api = "https://api.example.com/api/accounts/1/workspaces/2"
    configured(
        release,
        f"api_url: {api}\napi_key_secret: cloud\nstore_url: s3://lake/team\n",
        "s3: {endpoint_url: null, region: eu-west-1, secret_name: airnub-s3}\n",
    )
    release.gives("kubectl", "metadata.name=cloud", secret(api_key="key"))

    found = environment(settings)

    assert found["PREFECT_API_URL"] == api
    assert found["PREFECT_API_KEY"] == "key"
    assert found["AWS_REGION"] == "eu-west-1"
    assert not {"PREFECT_API_AUTH_STRING", "PREFECT_UI_URL", "AWS_ENDPOINT_URL"} & set(found)
    assert not [call for call in release.calls if "port-forward" in call]


def test_only_the_api(release: FakeTools) -> None:
    with api_environment(Release()) as found:
        assert set(found) == {"PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_UI_URL"}


def test_no_secret_is_an_argument_of_a_program(release: FakeTools, settings: Settings) -> None:
    environment(settings)

    assert not [call for call in release.calls if "word" in call]


def test_another_cluster_is_no_release(tools: FakeTools, settings: Settings) -> None:
    tools.gives("kubectl", "get configmaps")

    with pytest.raises(PlatformError, match="no release airnub in airnub of kind-airnub") as caught:
        environment(settings)

    assert "--context" in caught.value.remedy


def test_a_key_that_is_missing(release: FakeTools, settings: Settings) -> None:
    release.gives("kubectl", "metadata.name=airnub-s3")

    with pytest.raises(PlatformError, match="no Secret airnub-s3 in airnub-dept-sample"):
        environment(settings)


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("airnub-api-auth", "airnub-api-auth in airnub has no key auth-string"),
        ("airnub-s3", "airnub-s3 in airnub-dept-sample has no key secret-access-key"),
    ],
)
def test_a_secret_without_a_key(
    release: FakeTools, settings: Settings, name: str, missing: str
) -> None:
    release.gives("kubectl", f"metadata.name={name}", secret(access_key_id="id"))

    with pytest.raises(PlatformError, match=missing):
        environment(settings)


def test_the_release_says_where_a_department_is(release: FakeTools, settings: Settings) -> None:
    placed = "departments: {sample: {namespace: airnub-elsewhere, workPool: airnub}}\n"
    configured(release, CLIENT, CLUSTER + placed)
    key = secret(access_key_id="moved", secret_access_key="word")  # noqa: S106
    words = "airnub-elsewhere --field-selector metadata.name=airnub-s3"
    release.gives("kubectl", words, key)

    assert environment(settings)["AWS_ACCESS_KEY_ID"] == "moved"


def test_a_department_that_the_release_does_not_have(
    release: FakeTools, settings: Settings
) -> None:
    configured(release, CLIENT, CLUSTER + "departments: {other: {namespace: airnub-other}}\n")

    with pytest.raises(PlatformError, match="release airnub has no department sample"):
        environment(settings)


def test_nothing_of_another_server_is_left() -> None:
    environ = {
        "PREFECT_API_KEY": "of another",
        "PREFECT_LOGGING_LEVEL": "DEBUG",
        "AWS_PROFILE": "work",
        "AWS_SESSION_TOKEN": "old",
        "AIRNUB_TELCO_CSV": "/data/telco.csv",
        "TELCO_SOURCE": "/data/other.csv",
        "PATH": "/bin",
    }

    use_cluster({"PREFECT_API_URL": "http://127.0.0.1:4242/api"}, environ)

    assert environ == {
        "PREFECT_API_URL": "http://127.0.0.1:4242/api",
        "PREFECT_LOGGING_LEVEL": "DEBUG",
        "AIRNUB_TELCO_CSV": "",
        "TELCO_SOURCE": "",
        "PATH": "/bin",
    }
