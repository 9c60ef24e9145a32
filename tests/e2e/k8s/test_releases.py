"""The life of a release: tests, upgrade, rollback, mistakes, and a second one beside it."""

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.k8s.kit import CONTEXT, ROOT, Api, Release, eventually, get, helm, kubectl, run

CHART = str(ROOT / "helm" / "airnub-prefect")
BETA = "project_beta.ingestion"
STAGE = Release("stage", "stage", credentials="api-auth")
DEPARTMENTS = ("project_alpha", "project_beta")


def upgrade(release: Release, *changes: str, check: bool = True, timeout: str = "5m") -> str:
    return helm(
        "upgrade", release.name, CHART, "-n", release.namespace, "--reuse-values",
        "--timeout", timeout, *changes, check=check,
    )  # fmt: skip


def revision(release: Release) -> int:
    found = json.loads(helm("history", release.name, "-n", release.namespace, "-o", "json"))
    return int(found[-1]["revision"])


def image(release: Release, component: str) -> str:
    found = get(
        "pods", "-n", release.namespace, "-l",
        f"app.kubernetes.io/instance={release.name},app.kubernetes.io/component={component}",
    )  # fmt: skip
    return str(found["items"][0]["spec"]["containers"][0]["image"])


def completes(release: Release) -> None:
    with release.api() as api:
        api.wait(api.start(BETA), "COMPLETED")


def test_helm_test_passes_and_bootstrap_has_nothing_to_do(release: Release) -> None:
    output = helm("test", release.name, "-n", release.namespace, "--logs", "--timeout", "5m")

    assert re.search(r"Phase:\s+Succeeded", output)
    assert not re.search(r"Phase:\s+Failed", output)
    assert "nothing to do" in output


def test_an_upgrade_and_a_rollback_keep_runs_working(release: Release) -> None:
    before = revision(release)

    upgrade(release, "--set", "job.ttlSecondsAfterFinished=1800")

    assert ttl(release) == 1800
    completes(release)

    helm("rollback", release.name, str(before), "-n", release.namespace, "--timeout", "5m")

    assert ttl(release) == 3600
    completes(release)


def ttl(release: Release) -> int:
    with release.api() as api:
        pool = api.get("/work_pools/airnub")
    properties = pool["base_job_template"]["variables"]["properties"]
    return int(properties["finished_job_ttl"]["default"])


def test_a_typo_in_the_values_is_refused(release: Release) -> None:
    before = revision(release)

    refused = upgrade(release, "--set", "workers.replicaz=2", check=False)

    assert "replicaz" in refused
    assert "not allowed" in refused
    assert revision(release) == before


def test_a_broken_flow_file_fails_its_own_registration_alone(
    release: Release, tmp_path: Path
) -> None:
    before = revision(release)
    broken = broken_image(flows_image(release), tmp_path)

    output = upgrade(release, "--set", f"images.flows.ref={broken}", check=False)

    assert "flows/dept_project_beta/ingestion_flow_dept_project_beta.py" in output
    assert "no_such_module_anywhere" in output
    with release.api() as api:
        others = api.deployment("project_alpha.ingestion")
        assert others["job_variables"]["image"] == broken
        assert api.deployment(BETA)["job_variables"]["image"] != broken
    helm("rollback", release.name, str(before), "-n", release.namespace, "--timeout", "5m")
    completes(release)


def flows_image(release: Release) -> str:
    with release.api() as api:
        found: str = api.deployment(BETA)["job_variables"]["image"]
    return found


def broken_image(base: str, folder: Path) -> str:
    """Build and push an image in which one flow's file cannot be imported."""
    flow = "flows/dept_project_beta/ingestion_flow_dept_project_beta.py"
    (folder / "Dockerfile").write_text(
        f"FROM {base}\nUSER root\nRUN echo 'import no_such_module_anywhere' >> /app/{flow}\n"
        "USER 10001\n"
    )
    name = "localhost:5001/airnub-flows:broken"
    run("docker", "build", "--quiet", "--tag", name, folder, timeout=300)
    run("docker", "push", "--quiet", name, timeout=300)
    return name


def test_staging_refuses_to_render_without_its_secrets() -> None:
    refused = helm(
        "template", "stage", CHART, "-f", f"{CHART}/values-staging.yaml",
        "--set", "auth.existingSecret=", check=False,
    )  # fmt: skip

    assert "auth.existingSecret is empty" in refused
    assert "kubectl create secret generic" in refused


@pytest.fixture(scope="module")
def fixtures(release: Release) -> Iterator[None]:
    """A database, an object store and sources outside all releases."""
    text = (ROOT / "tests/e2e/k8s/fixtures.yaml").read_text()
    for place, component in (
        ("{postgresql}", "postgresql"),
        ("{objectStore}", "object-store"),
        ("{sources}", "sources"),
    ):
        text = text.replace(place, image(release, component))
    kubectl("apply", "-f", "-", stdin=text)
    for name in ("postgres", "s3", "sources"):
        kubectl(
            "rollout", "status", f"deployment/{name}", "-n", "fixtures", "--timeout=120s",
            timeout=130,
        )  # fmt: skip
    yield
    kubectl("delete", "namespace", "fixtures", "--wait=false")


@pytest.fixture(scope="module")
def stage(release: Release, fixtures: None) -> Iterator[Release]:
    """A second release with the values of staging, and Secrets made by hand."""
    namespace = (ROOT / "k8s/namespaces/airnub.yaml").read_text().replace("airnub", STAGE.name)
    kubectl("apply", "-f", "-", stdin=namespace)
    auth = {"auth-string": "stage:by-hand-only"}
    make_secret(STAGE.namespace, "api-auth", auth)
    key = base64.urlsafe_b64encode(os.urandom(32)).decode()
    make_secret(STAGE.namespace, "encryption", {"encryption-key": key})
    database = {"username": "prefect", "password": "fixture-database"}
    make_secret(STAGE.namespace, "database", database)
    install = install_stage(release)
    for department in DEPARTMENTS:
        # Helm makes the namespaces; their Secrets are for the runs, which come later.
        make_secret(STAGE.department(department), "api-auth", auth)
        keys = {"access-key-id": "fixture-root", "secret-access-key": "fixture-object-store"}
        make_secret(STAGE.department(department), "s3", keys)
    output, _ = install.communicate(timeout=600)
    assert install.returncode == 0, output
    yield STAGE
    helm("uninstall", STAGE.name, "-n", STAGE.namespace, "--wait", check=False)
    kubectl("delete", "namespace", STAGE.namespace, "--wait=false")


def install_stage(release: Release) -> "subprocess.Popen[str]":
    changes = {
        "auth.existingSecret": "api-auth",
        "server.encryptionKey.existingSecret": "encryption",
        "postgresql.enabled": "false",
        "postgresql.auth.existingSecret": "",
        "externalDatabase.host": "postgres.fixtures.svc.cluster.local",
        "externalDatabase.existingSecret": "database",
        "objectStore.enabled": "false",
        "objectStore.auth.existingSecret": "",
        "objectStore.users.existingSecret": "",
        "s3.endpointUrl": "http://s3.fixtures.svc.cluster.local:9000",
        "s3.bucket": "company",
        "s3.existingSecret": "s3",
        "networkPolicy.external.ports": "{9000}",
        "networkPolicy.departments.internetPorts": "{8080}",
        "networkPolicy.internetExcept": "{169.254.0.0/16}",
        "addresses.SOURCES_URL": "http://sources.fixtures.svc.cluster.local:8080",
        "images.platform.ref": image(release, "server"),
        "images.flows.ref": flows_image(release),
        "server.resources.requests.cpu": "100m",
        "job.cpuRequest": "100m",
    }
    sets = [part for name, value in changes.items() for part in ("--set", f"{name}={value}")]
    return subprocess.Popen(
        [
            *("helm", "--kube-context", CONTEXT, "install", STAGE.name, CHART, "--timeout", "8m"),
            *("-n", STAGE.namespace, "-f", f"{CHART}/values-staging.yaml", *sets),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def make_secret(namespace: str, name: str, values: dict[str, str]) -> None:
    eventually(
        f"namespace {namespace}",
        lambda: kubectl("get", "namespace", namespace, "--ignore-not-found"),
        timeout=120,
    )
    kubectl(
        "create", "secret", "generic", name, "-n", namespace,
        *(f"--from-literal={key}={value}" for key, value in values.items()),
    )  # fmt: skip


def test_a_second_release_with_the_values_of_staging_runs_beside_the_first(
    release: Release, stage: Release
) -> None:
    completes(stage)
    completes(release)
    assert not get("statefulsets", "-n", stage.namespace)["items"]


def test_the_releases_do_not_share_an_api(stage: Release, api: Api) -> None:
    answer = api.client.get("/work_pools/airnub", auth=stage.auth)

    assert answer.status_code == 401


def test_a_database_that_cannot_be_reached_is_named(release: Release, stage: Release) -> None:
    deployment = f"deployment/{stage.name}-server"
    kubectl("scale", "deployment/postgres", "-n", "fixtures", "--replicas=0")
    kubectl("rollout", "restart", deployment, "-n", stage.namespace)
    try:
        eventually("the server says so", lambda: waits(stage), timeout=120)
    finally:
        kubectl("scale", "deployment/postgres", "-n", "fixtures", "--replicas=1")
        kubectl(
            "rollout", "status", deployment, "-n", stage.namespace, "--timeout=240s", timeout=250
        )


def waits(stage: Release) -> bool:
    output = kubectl(
        "logs", "-n", stage.namespace, "-l", "app.kubernetes.io/component=server",
        "--all-containers", "--tail=50", check=False,
    )  # fmt: skip
    return "postgres.fixtures.svc.cluster.local:5432" in output
