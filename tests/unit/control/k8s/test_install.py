from __future__ import annotations

from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ConfigError, PlatformError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.k8s import install as module
from airnub_prefect_starter.control.k8s.install import images_of_others, install
from airnub_prefect_starter.control.k8s.release import Release
from tests.project_kit import make_project, project_settings
from tests.unit.control.k8s.fake_tools import FakeTools

VALUES = """\
images:
  flows: {repository: airnub-flows, tag: ""}
  postgresql: {registry: "", repository: postgres, tag: "17"}
  objectStore: {registry: quay.io, repository: minio/minio, tag: R1}
"""


WAITING = {
    "kind": "Pod",
    "metadata": {"name": "airnub-server-0"},
    "status": {
        "phase": "Pending",
        "containerStatuses": [
            {"restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff"}}}
        ],
    },
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    root = make_project(tmp_path / "project")
    chart = root / "helm" / "airnub-prefect"
    chart.mkdir(parents=True)
    (chart / "values.yaml").write_text(VALUES)
    (chart / "values-local.yaml").write_text("images: {flows: {tag: dev}}\n")
    return project_settings(root)


def test_only_this_cluster_is_deployed_to(tools: FakeTools, settings: Settings) -> None:
    tools.does("skaffold", "run", "echo 'd1eed7eeb201: Layer already exists'; echo Deployed")
    said: list[str] = []

    install(settings, Release(), said.append)

    (call,) = tools.asked("skaffold")
    assert call.startswith(f"skaffold run --filename {settings.project_root}/skaffold.yaml")
    assert "--kube-context=kind-airnub" in call.split()
    # Without it, all pods would restart each time.
    assert "--label=skaffold.dev/run-id=airnub" in call.split()
    assert said == ["Deployed"]


@pytest.mark.parametrize("deleted", ["", "secret/sh.helm.release.v1.airnub.v3\n"])
def test_helm_goes_on_after_an_interruption(
    tools: FakeTools, settings: Settings, deleted: str
) -> None:
    tools.says("kubectl", "delete secrets", deleted)
    said: list[str] = []

    install(settings, Release(), said.append)

    assert [call.split()[0] for call in tools.calls] == ["kubectl", "skaffold"]
    assert "status in (pending-install,pending-upgrade,pending-rollback)" in tools.calls[0]
    assert bool(said) is bool(deleted)


def test_what_is_not_ready_is_told_while_helm_waits(
    tools: FakeTools, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SILENCE_S", 0.2)
    tools.does("skaffold", "run", "/bin/sleep 1; echo Deployed")
    tools.gives("kubectl", "get deployments", WAITING)
    tools.gives("kubectl", "get nodes")
    said: list[str] = []

    install(settings, Release(), said.append)

    assert said[0] == "Still at it: airnub-server-0: ImagePullBackOff"
    assert said[-1] == "Deployed"


def test_a_failure_names_what_is_not_ready(tools: FakeTools, settings: Settings) -> None:
    tools.fails("skaffold", "run", "1/5 deployment(s) failed")
    tools.gives("kubectl", "get deployments", WAITING)
    tools.gives("kubectl", "get nodes")

    with pytest.raises(PlatformError, match=r"1/5 deployment.*airnub-server-0: Image") as caught:
        install(settings, Release(), lambda _: None)

    look = "kubectl --context kind-airnub describe pods --namespace airnub"
    assert caught.value.remedy == f"See `{look}`"


def test_a_failure_is_told_even_if_the_cluster_cannot_be_read(
    tools: FakeTools, settings: Settings
) -> None:
    tools.fails("skaffold", "run", "build failed")
    tools.fails("kubectl", "get", "connection refused")

    with pytest.raises(PlatformError, match=r"build failed.*connection refused"):
        install(settings, Release(), lambda _: None)


def test_images_that_are_not_built_here(settings: Settings) -> None:
    assert images_of_others(settings) == ["postgres:17", "quay.io/minio/minio:R1"]


def test_local_values_win(settings: Settings) -> None:
    local = settings.project_root / "helm" / "airnub-prefect" / "values-local.yaml"
    local.write_text('images: {postgresql: {tag: "18"}, objectStore: {ref: "a/b:c"}}\n')

    assert images_of_others(settings) == ["postgres:18", "a/b:c"]


@pytest.mark.parametrize("text", [None, "images: ["], ids=["missing", "no YAML"])
def test_values_that_cannot_be_read(settings: Settings, text: str | None) -> None:
    file = settings.project_root / "helm" / "airnub-prefect" / "values.yaml"
    file.unlink() if text is None else file.write_text(text)

    with pytest.raises(ConfigError, match=r"values\.yaml cannot be read"):
        images_of_others(settings)
