"""A department reaches what it needs, and nothing of another department or of the platform."""

import json
from typing import Any

import pytest

from tests.e2e.k8s.kit import ROOT, Release, eventually, get, kubectl

ALPHA, BETA = "project_alpha", "project_beta"
POD = "probe"


@pytest.fixture(scope="module")
def found(release: Release) -> Any:
    """Ask from a pod of project_alpha, with what its runs have."""
    server = f"{release.name}-server.{release.namespace}.svc.cluster.local:4200"
    store = f"{release.name}-object-store.{release.namespace}.svc.cluster.local:9000"
    database = f"{release.name}-postgresql.{release.namespace}.svc.cluster.local:5432"
    asked = {
        "addresses": [server, store, database],
        "bucket": "airnub",
        "prefixes": [f"store/{ALPHA}/", f"store/{BETA}/"],
    }
    namespace = release.department(ALPHA)
    manifest = pod(release, namespace, json.dumps(asked))
    kubectl("delete", "pod", POD, "-n", namespace, "--ignore-not-found")
    kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    try:
        eventually("the probe ends", lambda: ended(namespace), timeout=120)
        text = kubectl("logs", POD, "-n", namespace)
    finally:
        kubectl("delete", "pod", POD, "-n", namespace, "--wait=false")
    answers = json.loads(text)
    return {
        "server": answers["reaches"][server],
        "object store": answers["reaches"][store],
        "database": answers["reaches"][database],
        "own": answers["touches"][f"store/{ALPHA}/"],
        "other": answers["touches"][f"store/{BETA}/"],
    }


def ended(namespace: str) -> bool:
    return get("pod", POD, "-n", namespace)["status"]["phase"] in {"Succeeded", "Failed"}


def pod(release: Release, namespace: str, asked: str) -> dict[str, Any]:
    """Describe a pod with the image, account and keys of the department's runs."""
    config = get("configmap", f"{release.name}-cluster", "-n", release.namespace)
    cluster = config["data"]["cluster.yaml"]
    image = next(
        line.split(": ", 1)[1].strip('"')
        for line in cluster.splitlines()
        if line.startswith("flows_image:")
    )
    keys = {"AWS_ACCESS_KEY_ID": "access-key-id", "AWS_SECRET_ACCESS_KEY": "secret-access-key"}
    endpoint = f"http://{release.name}-object-store.{release.namespace}.svc.cluster.local:9000"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD, "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": "flow-run",
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "probe",
                    "image": image,
                    "command": ["python", "-c", (ROOT / "tests/e2e/k8s/probe.py").read_text()],
                    "args": [asked],
                    "env": [
                        {"name": "AWS_ENDPOINT_URL", "value": endpoint},
                        {"name": "AWS_REGION", "value": "us-east-1"},
                        *(
                            {
                                "name": name,
                                "valueFrom": {
                                    "secretKeyRef": {"name": f"{release.name}-s3", "key": key}
                                },
                            }
                            for name, key in keys.items()
                        ),
                    ],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True,
                    },
                    "resources": {
                        "requests": {"cpu": "100m", "memory": "128Mi"},
                        "limits": {"memory": "256Mi"},
                    },
                }
            ],
        },
    }


def test_runs_reach_server_and_object_store_but_not_the_database(found: Any) -> None:
    assert found["server"]
    assert found["object store"]
    assert not found["database"]


def test_runs_read_and_write_their_own_store_alone(found: Any) -> None:
    assert set(found["own"].values()) == {"ok"}
    assert set(found["other"].values()) == {"AccessDenied"}


@pytest.mark.parametrize(
    ("verb", "resource"),
    [("get", "secrets"), ("list", "pods"), ("create", "jobs.batch"), ("get", "configmaps")],
)
@pytest.mark.parametrize("where", [ALPHA, BETA])
def test_a_run_s_account_may_do_nothing_in_kubernetes(
    release: Release, verb: str, resource: str, where: str
) -> None:
    account = f"system:serviceaccount:{release.department(ALPHA)}:flow-run"

    answer = kubectl(
        "auth", "can-i", verb, resource, "-n", release.department(where), "--as", account,
        check=False,
    )  # fmt: skip

    assert answer.startswith("no")


def test_the_worker_may_only_what_it_needs(release: Release) -> None:
    account = f"system:serviceaccount:{release.namespace}:{release.name}-worker-airnub"
    allowed = {
        ("create", "jobs.batch"): True,
        ("delete", "jobs.batch"): True,
        ("get", "pods"): True,
        ("create", "pods"): False,
        ("get", "secrets"): False,
        ("create", "rolebindings.rbac.authorization.k8s.io"): False,
    }
    for (verb, resource), yes in allowed.items():
        # In the release's own namespace are the Jobs of the flow that compares with Git.
        for namespace, expected in (
            (release.department(ALPHA), yes),
            (release.namespace, yes),
            ("default", False),
        ):
            answer = kubectl(
                "auth", "can-i", verb, resource, "-n", namespace, "--as", account, check=False
            )
            assert answer.startswith("yes" if expected else "no"), (verb, resource, namespace)


def test_a_department_cannot_exceed_its_quota(release: Release) -> None:
    namespace = release.department(BETA)
    manifest = pod(release, namespace, "{}")
    manifest["spec"]["containers"][0]["resources"] = {
        "requests": {"cpu": "2", "memory": "128Mi"},
        "limits": {"memory": "256Mi"},
    }

    refused = kubectl("apply", "-f", "-", stdin=json.dumps(manifest), check=False)

    assert "exceeded quota" in refused
    assert "requests.cpu" in refused


def test_a_pod_that_is_not_restricted_is_refused(release: Release) -> None:
    manifest = pod(release, release.department(BETA), "{}")
    manifest["spec"]["containers"][0]["securityContext"] = {"privileged": True}

    refused = kubectl("apply", "-f", "-", stdin=json.dumps(manifest), check=False)

    assert 'violates PodSecurity "restricted' in refused
