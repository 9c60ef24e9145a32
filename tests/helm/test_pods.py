"""What holds for every pod of the release, those of hooks and tests included."""

import re
from typing import Any

import pytest

from tests.helm.kit import HELM, PROFILES, Manifest, Pod, kind, pods, profile, render, sets
from tests.pod_security import violations

ALL = {f"{name}: {pod.owner}": pod for name in PROFILES if HELM for pod in pods(profile(name))}
every_pod = pytest.mark.parametrize("pod", ALL.values(), ids=ALL)

# What nobody else may hold: the token of a service account.
WORKER = "worker"
SECRET_NAME = re.compile(r"(PASSWORD|SECRET|TOKEN|_KEY|KEY_ID|AUTH_STRING)$")
# They name a Secret and its key.
REFERENCE = re.compile(r"^PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_(KEY|AUTH_STRING)_SECRET_")
MARKS = {
    "developmentSecrets.authString": "mark:api",
    "developmentSecrets.postgresql.username": "mark-user",
    "developmentSecrets.postgresql.password": "mark-database",
    "developmentSecrets.objectStore.rootUser": "mark-root",
    "developmentSecrets.objectStore.rootPassword": "mark-object-store",
    "developmentSecrets.s3Seed": "mark-seed",
    "developmentSecrets.sourcesToken": "mark-sources",
    "developmentSecrets.departments.project_alpha.SOURCES_TOKEN": "mark-token",
}


@every_pod
def test_it_passes_pod_security_restricted(pod: Pod) -> None:
    assert violations(pod.spec) == []


@every_pod
def test_its_root_file_system_is_read_only(pod: Pod) -> None:
    assert all(each["securityContext"]["readOnlyRootFilesystem"] for each in pod.containers)


@every_pod
def test_it_asks_for_cpu_and_memory_and_limits_its_memory(pod: Pod) -> None:
    for container in pod.containers:
        resources = container["resources"]
        assert {"cpu", "memory"} <= set(resources["requests"])
        assert "memory" in resources["limits"]
        assert "cpu" not in resources["limits"], "Python starts slowly enough"


@every_pod
def test_only_a_worker_has_a_token(pod: Pod) -> None:
    assert pod.spec["automountServiceAccountToken"] is (pod.component == WORKER)


@every_pod
def test_it_gets_no_service_links(pod: Pod) -> None:
    assert pod.spec["enableServiceLinks"] is False


@every_pod
def test_its_temporary_files_have_a_limit(pod: Pod) -> None:
    volumes = pod.spec["volumes"]

    assert all("sizeLimit" in each["emptyDir"] for each in volumes if "emptyDir" in each)


@every_pod
def test_no_environment_variable_is_there_twice(pod: Pod) -> None:
    for container in pod.containers:
        names = [each["name"] for each in container.get("env", ())]
        assert len(set(names)) == len(names)


@every_pod
def test_secrets_come_by_reference(pod: Pod) -> None:
    for container in pod.containers:
        for each in container.get("env", ()):
            if SECRET_NAME.search(each["name"]) and not REFERENCE.match(each["name"]):
                assert "secretKeyRef" in each["valueFrom"], each["name"]


@every_pod
def test_what_runs_for_long_has_probes_and_a_priority(pod: Pod) -> None:
    if not pod.owner.startswith(("Deployment", "StatefulSet")):
        return
    container = pod.spec["containers"][0]

    assert {"livenessProbe", "readinessProbe"} <= set(container)
    # The sample sources are no platform.
    assert ("priorityClassName" in pod.spec) == (pod.component != "sources")


def test_pods_can_be_sent_to_nodes_of_their_own() -> None:
    for pod in pods(profile("everything")):
        assert pod.spec["nodeSelector"] == {"pool": "data"}
        assert pod.spec["tolerations"] == [{"key": "data"}]


def test_development_credentials_are_in_secrets_alone() -> None:
    manifests = render(*PROFILES["local"], *sets(MARKS))
    inside, outside = [str(each) for each in kind(manifests, "Secret")], without_secrets(manifests)

    assert "mark" not in outside
    # The seed is not a secret of its own: keys are made from it.
    for value in set(MARKS.values()) - {"mark-seed"}:
        assert any(value in each for each in inside), value


@pytest.mark.parametrize(
    ("value", "readers"),
    [
        ("authString=other:one", {"airnub-server", "airnub-worker-airnub"}),
        (f"encryptionKey={'k' * 43}=", {"airnub-server"}),
        ("postgresql.password=other", {"airnub-server", "airnub-postgresql"}),
        ("objectStore.rootPassword=another-one", {"airnub-object-store"}),
        ("sourcesToken=other", {"airnub-sources"}),
        # Read by each run, and by bootstrap.
        ("s3Seed=other", set()),
        ("departments.project_alpha.SOURCES_TOKEN=other", set()),
    ],
)
def test_a_changed_development_secret_restarts_who_reads_it_and_nobody_else(
    value: str, readers: set[str]
) -> None:
    before = profile("local")
    after = render(*PROFILES["local"], "--set", f"developmentSecrets.{value}")

    assert checksums(before).keys() == {
        "airnub-server", "airnub-worker-airnub", "airnub-postgresql", "airnub-object-store",
        "airnub-sources",
    }  # fmt: skip
    changed = checksums(before).items() - checksums(after).items()
    assert {name for name, _ in changed} == readers


@pytest.mark.parametrize("name", PROFILES)
def test_every_secret_is_made_by_the_chart_or_documented_for_the_person(name: str) -> None:
    manifests = profile(name)
    made = {
        (each["metadata"]["namespace"], each["metadata"]["name"])
        for each in kind(manifests, "Secret")
    }
    wanted = {(pod.namespace, secret) for pod in pods(manifests) for secret in secrets_of(pod)}

    if name in {"local", "everything"}:
        assert wanted <= made
    else:
        assert not made


def secrets_of(pod: Pod) -> set[str]:
    found = {
        each["valueFrom"]["secretKeyRef"]["name"]
        for container in pod.containers
        for each in container.get("env", ())
        if "secretKeyRef" in each.get("valueFrom", ())
    }
    return found | {
        each["secret"]["secretName"] for each in pod.spec["volumes"] if "secret" in each
    }


def checksums(manifests: tuple[Manifest, ...]) -> dict[str, Any]:
    return {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["annotations"][
            "checksum/development-secrets"
        ]
        for each in manifests
        if each["kind"] in {"Deployment", "StatefulSet"}
    }


def without_secrets(manifests: tuple[Manifest, ...]) -> str:
    return str([each for each in manifests if each["kind"] != "Secret"])
