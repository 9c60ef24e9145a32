"""Every way of installing renders, is valid for Kubernetes, and renders alike the second time."""

import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from tests.helm.kit import (
    CHART,
    PROFILES,
    ROOT,
    find,
    key_of,
    kind,
    lint,
    profile,
    render,
    template,
)

LABELS = {
    "app.kubernetes.io/name": "airnub-prefect",
    "app.kubernetes.io/instance": "airnub",
    "app.kubernetes.io/part-of": "airnub-prefect",
    "app.kubernetes.io/managed-by": "Helm",
}
CLUSTER_SCOPED = {"Namespace", "PriorityClass", "ClusterRole", "ClusterRoleBinding"}


@pytest.mark.parametrize("name", PROFILES)
def test_it_renders_alike_twice(name: str) -> None:
    first = template(*PROFILES[name])

    assert template.__wrapped__(*PROFILES[name]) == first


@pytest.mark.parametrize("name", PROFILES)
def test_helm_lint_finds_nothing(name: str) -> None:
    assert lint(*PROFILES[name]) == ""


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("version", ["1.29", "1.34"])
def test_every_object_is_valid_for_kubernetes(name: str, version: str) -> None:
    for manifest in profile(name):
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("name", PROFILES)
def test_no_object_is_there_twice(name: str) -> None:
    keys = [key_of(each) for each in profile(name)]

    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", PROFILES)
def test_every_object_has_the_standard_labels_and_a_namespace(name: str) -> None:
    for manifest in profile(name):
        labels = manifest["metadata"]["labels"]
        assert labels.items() >= LABELS.items(), key_of(manifest)
        assert "app.kubernetes.io/component" in labels
        scoped = "namespace" not in manifest["metadata"]
        assert scoped == (manifest["kind"] in CLUSTER_SCOPED), key_of(manifest)


@pytest.mark.parametrize("name", PROFILES)
def test_nothing_comes_from_where_images_are_frozen_or_move(name: str) -> None:
    text = template(*PROFILES[name])

    assert "bitnami" not in text
    assert ":latest" not in text
    assert not re.search(r"image: (docker\.io/)?minio/minio", text)


def test_two_releases_share_a_cluster() -> None:
    one = render(*PROFILES["everything"])
    two = render(*PROFILES["everything"], name="second", namespace="second")

    assert not {key_of(each) for each in one} & {key_of(each) for each in two}


def test_no_object_is_cluster_scoped_but_namespaces_and_priorities() -> None:
    kinds = {
        manifest["kind"]
        for name in PROFILES
        for manifest in profile(name)
        if "namespace" not in manifest["metadata"]
    }

    assert kinds == {"Namespace", "PriorityClass"}


def test_an_image_is_named_by_ref_or_digest_or_tag_in_that_order() -> None:
    digest = f"sha256:{'0' * 64}"
    tag = ("--set", "images.flows.tag=v2")
    by_digest = (*tag, "--set", f"images.flows.digest={digest}")
    by_ref = (*by_digest, "--set", "images.flows.ref=registry.example.com/flows:v3")
    mirror = ("--set", "global.imageRegistry=mirror.example.com")

    assert _flows_image() == "airnub-flows:0.1.0"
    assert _flows_image(*tag) == "airnub-flows:v2"
    assert _flows_image(*by_digest) == f"airnub-flows@{digest}"
    assert _flows_image(*by_ref) == "registry.example.com/flows:v3"
    assert _flows_image(*tag, *mirror) == "mirror.example.com/airnub-flows:v2"


def test_labels_of_one_s_own_are_on_everything_that_has_the_chart_s() -> None:
    wanted = ("--set", "commonLabels.team=data")
    marked = [each for each in render(*PROFILES["local"], *wanted) if _labels(each)]

    assert all(_labels(each)["team"] == "data" for each in marked)
    [database] = [
        each
        for each in marked
        if each["metadata"]["name"] == "airnub-postgresql" and each["kind"] == "StatefulSet"
    ]
    assert database["spec"]["template"]["metadata"]["labels"]["team"] == "data"
    # A selector can never change.
    assert "team" not in database["spec"]["selector"]["matchLabels"]


def _labels(manifest: Mapping[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = manifest["metadata"].get("labels", {})
    return labels if "helm.sh/chart" in labels else {}


def test_one_registry_can_replace_all_others() -> None:
    manifests = render(*PROFILES["local"], "--set", "global.imageRegistry=mirror.example.com")
    images = re.findall(r"'image': '([^']+)'", str(manifests))

    assert len(images) > 5
    assert all(each.startswith("mirror.example.com/") for each in images)


def test_the_descriptions_are_those_of_the_values_file() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "chart_readme.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_the_namespace_of_the_release_has_the_security_of_the_departments() -> None:
    text = (ROOT / "k8s" / "namespaces" / "airnub.yaml").read_text()
    department = find(profile("local"), "Namespace", "airnub-dept-project-alpha", "")
    security = {
        f"    {name}: {value}"
        for name, value in department["metadata"]["labels"].items()
        if name.startswith("pod-security.kubernetes.io/")
    }

    assert len(security) == 6
    assert security <= set(text.splitlines())


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("local", "everybody knows them"),
        ("local", "port-forward service/airnub-server 4200:4200"),
        ("default", "airnub-postgresql: username, password"),
        ("staging", "has no backup"),
        ("prod", "create secret generic airnub-s3"),
        ("cloud", "prefect-cloud"),
        ("everything", "https://prefect.example.com"),
    ],
)
def test_the_notes_say_what_to_do_and_what_is_insecure(name: str, says: str) -> None:
    assert says in _notes(name)


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        ("local", "objectStore.enabled=false", "create secret generic airnub-s3"),
        ("prod", "s3.endpointUrl=https://s3.example.com", "set networkPolicy.external.cidrs"),
        ("cloud", "", "public addresses alone: https://api.prefect.cloud"),
    ],
)
def test_the_notes_say_what_services_outside_need(name: str, changes: str, says: str) -> None:
    cidrs = ("--set", "networkPolicy.external.cidrs={10.1.2.0/24}")

    assert says in _notes(name, "--set", changes)
    assert ("networkPolicy" not in says) or says not in _notes(name, "--set", changes, *cidrs)


def test_the_notes_of_prod_warn_of_nothing() -> None:
    assert "insecure" not in _notes("prod")


def _notes(name: str, *arguments: str) -> str:
    command = ("helm", "install", "airnub", CHART, "-n", "airnub", "--dry-run=client")
    done = subprocess.run(
        [*command, *PROFILES[name], *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split("\nNOTES:\n")[1]


def _flows_image(*arguments: str) -> str:
    job = kind(render(*arguments, "-s", "templates/bootstrap/job.yaml"), "Job")[0]
    image: str = job["spec"]["template"]["spec"]["containers"][0]["image"]
    return image
