from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.k8s import install as module
from airnub_prefect_starter.control.k8s.install import images_of_others, install
from airnub_prefect_starter.control.k8s.release import Release
from tests.project_kit import make_project, project_settings
from tests.unit.control.k8s.fake_tools import FakeTools

# The project's own chart, which Helm must render.
CHART = Path(__file__).parents[4] / "helm" / "airnub-prefect"
HELM = shutil.which("helm")
DIGEST = f"sha256:{'a' * 64}"

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
    return project_settings(make_project(tmp_path / "project"))


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


@pytest.mark.parametrize("pending", ["", "secret/sh.helm.release.v1.airnub.v3\n"])
def test_helm_goes_on_after_an_interruption(
    tools: FakeTools, settings: Settings, pending: str
) -> None:
    tools.says("kubectl", "get secrets", pending)
    tools.says("ps", "", "init\nhelmsman\n")
    said: list[str] = []

    install(settings, Release(), said.append)

    deletions = tools.asked("kubectl --context kind-airnub delete secrets")
    assert len(deletions) == bool(pending)
    assert all(
        "status in (pending-install,pending-upgrade,pending-rollback)" in each for each in deletions
    )
    assert bool(said) is bool(pending)
    assert tools.asked("skaffold run")


@pytest.mark.parametrize("helm", ["helm", "/usr/local/bin/helm"])
def test_the_record_of_a_helm_at_work_is_left_alone(
    tools: FakeTools, settings: Settings, helm: str
) -> None:
    tools.says("kubectl", "get secrets", "secret/sh.helm.release.v1.airnub.v3\n")
    tools.says("ps", "-A -o comm=", f"init\n{helm}\nps\n")

    with pytest.raises(PlatformError, match=r"Helm is at work on the release airnub\. Wait"):
        install(settings, Release(), lambda _: None)

    assert not [call for call in tools.calls if "delete" in call or "skaffold" in call]


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
    tools.fails("kubectl", "get deployments", "connection refused")

    with pytest.raises(PlatformError, match=r"build failed.*connection refused"):
        install(settings, Release(), lambda _: None)


@pytest.mark.skipif(HELM is None, reason="helm is not on the PATH")
@pytest.mark.parametrize(
    ("values", "images"),
    [
        ("{}", {"postgres:17", "quay.io/minio/minio:"}),
        (
            "{global: {imageRegistry: mirror.test}, "
            f"images: {{postgresql: {{digest: '{DIGEST}'}}}}}}",
            {f"mirror.test/postgres@{DIGEST}", "mirror.test/minio/minio:"},
        ),
        ("{images: {postgresql: {ref: 'a/b:c'}}}", {"a/b:c", "quay.io/minio/minio:"}),
    ],
    ids=["as delivered", "registry and digest", "reference"],
)
def test_images_that_are_not_built_here(settings: Settings, values: str, images: set[str]) -> None:
    chart = settings.project_root / "helm" / "airnub-prefect"
    shutil.copytree(CHART, chart)
    local = chart / "values-local.yaml"
    local.write_text(
        yaml.safe_dump(_over(yaml.safe_load(local.read_text()), yaml.safe_load(values)))
    )

    found = images_of_others(settings)

    assert {re.sub("RELEASE.*", "", each) for each in found} == images


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = {**below, **above}
    for name in below.keys() & above.keys():
        merged[name] = _over(below[name], above[name])
    return merged


def test_a_chart_that_cannot_be_rendered(tools: FakeTools, settings: Settings) -> None:
    tools.fails("helm", "template", "parse error at values.yaml:3")

    with pytest.raises(PlatformError, match=r"parse error at .*helm lint"):
        images_of_others(settings)
