from __future__ import annotations

from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.k8s import cluster
from tests.project_kit import make_project, project_settings
from tests.unit.control.k8s.fake_tools import FakeTools

NODE = "airnub-control-plane"
# What makes, starts or sends something; anything else may happen again and again.
CHANGES = (
    "docker run",
    "docker start",
    "docker push",
    "docker pull",
    "docker network",
    "kind create",
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return project_settings(make_project(tmp_path / "project"), KIND_NODE_IMAGE="kindest/node:v1")


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the registry does at each question: the last for ever."""
    given = [True]
    monkeypatch.setattr(cluster, "answers", lambda *_: given.pop(0) if given[1:] else given[0])
    return given


@pytest.fixture
def nothing(tools: FakeTools) -> FakeTools:
    """A machine with Docker and without clusters."""
    tools.says("docker", "inspect --format", '{"bridge": {}}')
    tools.says("kind", "get nodes", NODE)
    tools.says("docker", "image ls", "sha256:1")
    tools.says("docker", "image ls --quiet localhost:5001", "")
    return tools


@pytest.fixture
def all_there(tools: FakeTools) -> FakeTools:
    """A machine on which everything runs."""
    tools.says("docker", "ps", "c0ffee")
    tools.says("docker", "inspect --format", '{"bridge": {}, "kind": {}}')
    tools.says("docker", "image ls", "sha256:1")
    tools.says("kind", "get clusters", "other\nairnub\n")
    tools.says("kind", "get nodes", NODE)
    return tools


def create(settings: Settings, *images: str) -> list[str]:
    said: list[str] = []
    cluster.create(settings, images, said.append)
    return said


def test_nothing_is_pushed_before_the_registry_answers(
    nothing: FakeTools, settings: Settings, registry: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry[:] = [False, False, True]
    create(settings, "postgres:17")
    assert registry == [True]
    assert nothing.asked("docker push")

    registry[:] = [False]
    monkeypatch.setattr(cluster, "_REGISTRY_S", 0)
    with pytest.raises(PlatformError, match=r"kind-registry does not answer.*docker logs"):
        create(settings, "postgres:17")


def test_from_nothing(nothing: FakeTools, settings: Settings) -> None:
    said = create(settings, "postgres:17")

    config = settings.project_root / "k8s" / "kind" / "cluster.yaml"
    assert nothing.asked("kind create") == [
        f"kind create cluster --config {config} --name airnub --image kindest/node:v1"
    ]
    (registry,) = nothing.asked("docker run")
    assert "--publish 127.0.0.1:5001:5000" in registry
    assert registry.endswith("--name kind-registry registry:3")
    assert nothing.asked("docker network") == ["docker network connect kind kind-registry"]
    assert nothing.asked("docker tag", "docker push") == [
        "docker tag postgres:17 localhost:5001/library/postgres:17",
        "docker push localhost:5001/library/postgres:17",
    ]
    (applied,) = nothing.asked("kubectl --context kind-airnub apply")
    assert applied.endswith("k8s/kind/local-registry.yaml")
    assert "Creating the cluster airnub" in said


def test_the_node_looks_into_the_registry_first(nothing: FakeTools, settings: Settings) -> None:
    create(settings)

    written = nothing.asked(f"docker exec -i {NODE}")
    assert [each.rpartition(" > ")[2] for each in written] == [
        f"/etc/containerd/certs.d/{host}/hosts.toml"
        for host in ("localhost:5001", "docker.io", "quay.io")
    ]
    assert nothing.stdin.count('[host."http://kind-registry:5000"]') == 3


def test_a_second_time_changes_nothing(all_there: FakeTools, settings: Settings) -> None:
    assert create(settings, "postgres:17") == []
    assert all_there.asked(*CHANGES) == []


def test_what_was_stopped_is_started(all_there: FakeTools, settings: Settings) -> None:
    all_there.says("docker", "status=running", "")

    create(settings)

    assert all_there.asked(*CHANGES) == ["docker start kind-registry", f"docker start {NODE}"]


@pytest.mark.parametrize("there", [False, True], ids=["created", "there"])
@pytest.mark.parametrize(
    ("current", "restored"),
    [
        ("work", ["kubectl config use-context work"]),
        ("kind-airnub", []),
        ("", ["kubectl config unset current-context"]),
    ],
    ids=["another", "ours", "none"],
)
def test_the_persons_context_stays(
    nothing: FakeTools, settings: Settings, current: str, restored: list[str], there: bool
) -> None:
    nothing.says("kubectl", "config view", current)
    if there:
        nothing.says("kind", "get clusters", "airnub")

    create(settings)

    changed = nothing.asked("kubectl config use-context", "kubectl config unset")
    assert changed == restored
    rest = [each for each in nothing.asked("kubectl") if " config " not in each]
    assert all(each.startswith("kubectl --context kind-airnub ") for each in rest)


def test_a_creation_that_was_cut_off_is_begun_anew(nothing: FakeTools, settings: Settings) -> None:
    # As after a kill: nodes are there, but nobody waited for them.
    nothing.fails("kind", "create cluster", "killed")
    with pytest.raises(PlatformError, match="killed"):
        create(settings)
    nothing.says("kind", "get clusters", "airnub")
    nothing.fails("kind", "export", "no such file: /etc/kubernetes/admin.conf")
    nothing.says("kind", "create cluster", "")
    nothing.forget()

    create(settings)

    calls = ("kind delete", "kind create")
    assert [each[: len(calls[0])] for each in nothing.asked(*calls)] == list(calls)

    nothing.says("kind", "export", "")
    nothing.forget()
    create(settings)
    assert nothing.asked(*calls) == []


@pytest.mark.parametrize(
    "image", ["postgres@sha256:1", "quay.io/minio/minio:1@sha256:1", "mirror.example/postgres:17"]
)
def test_what_nodes_would_not_find_in_the_registry_is_not_put_there(
    nothing: FakeTools, settings: Settings, image: str
) -> None:
    create(settings, image)

    assert nothing.asked("docker tag", "docker push") == []


def test_only_what_docker_does_not_have_is_pulled(nothing: FakeTools, settings: Settings) -> None:
    nothing.says("docker", "image ls --quiet quay.io/minio/minio:1", "")

    create(settings, "postgres:17", "quay.io/minio/minio:1")

    assert nothing.asked("docker pull") == ["docker pull quay.io/minio/minio:1"]
    assert "docker push localhost:5001/minio/minio:1" in nothing.calls


def test_an_image_that_the_registry_lost_is_pushed_again(
    all_there: FakeTools, settings: Settings
) -> None:
    all_there.fails("docker", "manifest inspect", "no such manifest")

    create(settings, "postgres:17")

    assert all_there.asked(*CHANGES) == ["docker push localhost:5001/library/postgres:17"]


@pytest.mark.parametrize(
    ("tool", "words", "remedy"),
    [
        ("docker", "info", "Start Docker"),
        ("docker", "run --detach", "docker rm kind-registry"),
        ("kind", "create", "known-issues"),
        ("docker", "push", ""),
        ("kind", "export", "airnub k8s down"),
        ("kubectl", "wait", "describe nodes"),
    ],
)
def test_failures_are_told_with_a_remedy(
    nothing: FakeTools, settings: Settings, tool: str, words: str, remedy: str
) -> None:
    nothing.fails(tool, words, "broken on purpose")
    if words == "export":
        nothing.says("kind", "get clusters", "airnub")

    with pytest.raises(PlatformError, match="broken on purpose") as caught:
        create(settings, "postgres:17")

    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("image", "copy"),
    [
        ("postgres:17", "library/postgres:17"),
        ("docker.io/postgres:17", "library/postgres:17"),
        ("someone/thing:1", "someone/thing:1"),
        ("docker.io/someone/thing:1", "someone/thing:1"),
        ("quay.io/minio/minio:1", "minio/minio:1"),
        ("localhost:5000/thing:1", "thing:1"),
    ],
)
def test_names_in_the_registry(image: str, copy: str) -> None:
    assert cluster.mirrored(image) == f"localhost:5001/{copy}"


@pytest.mark.parametrize(
    ("clusters", "registry", "keep", "removed"),
    [
        ("airnub", "c0ffee", False, cluster.Removed(cluster=True, registry=True)),
        ("airnub", "c0ffee", True, cluster.Removed(cluster=True, registry=False)),
        ("other", "", False, cluster.Removed(cluster=False, registry=False)),
    ],
    ids=["all", "registry kept", "nothing of ours"],
)
def test_deletion(
    tools: FakeTools, clusters: str, registry: str, keep: bool, removed: cluster.Removed
) -> None:
    tools.says("kind", "get clusters", clusters)
    # A registry that others made does not carry our label.
    tools.says("docker", "label=airnub.io/created-by=airnub", registry)

    assert cluster.delete(lambda _: None, keep_registry=keep) == removed

    assert bool(tools.asked("kind delete cluster --name airnub")) is removed.cluster
    assert bool(tools.asked("docker rm")) is removed.registry
