"""Checks of a release, against what kubectl prints."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.doctor import departments, platforms, release
from airnub_prefect_starter.control.doctor.context import Context
from airnub_prefect_starter.control.doctor.examination import ON_CLUSTER
from airnub_prefect_starter.control.doctor.findings import Check, Finding, examine, ok
from airnub_prefect_starter.control.k8s.release import Release
from airnub_prefect_starter.core.departments import load_catalog
from tests.broken_s3 import BrokenS3
from tests.cluster_kit import CLUSTER
from tests.unit.control.k8s.fake_tools import FakeTools

STORES = replace(next(each for each in ON_CLUSTER if each.name == "stores"), needs=())

Thing = dict[str, Any]

ROOT = Path(__file__).parents[4]

IMAGE = "localhost:5001/airnub-flows:abc@sha256:0123"
UPGRADE = (
    "helm upgrade airnub helm/airnub-prefect --kube-context kind-airnub --namespace airnub "
    "--reset-then-reuse-values --timeout 10m"
)
CLIENT = """\
api_url: http://airnub-server.airnub.svc.cluster.local:4200/api
ui_url: http://localhost:4200
auth_secret: airnub-api-auth
store_url: s3://airnub/store
addresses: {SOURCES_URL: "http://airnub-sources.airnub.svc.cluster.local:8080"}
"""
WORKLOAD = {
    "kind": "Deployment",
    "metadata": {"name": "airnub-worker-airnub"},
    "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": "platform"}]}}},
    "status": {"readyReplicas": 1},
}
DATABASE = {
    "kind": "StatefulSet",
    "metadata": {"name": "airnub-postgresql"},
    "spec": {
        "template": {
            "spec": {
                "containers": [
                    {
                        "volumeMounts": [
                            {"name": "tmp", "mountPath": "/scratch"},
                            {"name": "data", "mountPath": "/var/lib/postgresql/data"},
                        ]
                    }
                ]
            }
        }
    },
}
NODE = {
    "metadata": {"name": "one"},
    "status": {
        "nodeInfo": {"kubeletVersion": "v1.34.4"},
        "conditions": [{"type": "Ready", "status": "True"}],
        "images": [
            {"names": ["registry.k8s.io/pause:3.10"]},
            {
                "names": [
                    "localhost:5001/airnub-flows@sha256:0123",
                    "localhost:5001/airnub-flows:abc",
                ]
            },
        ],
    },
}
QUOTA = {
    "status": {
        "hard": {"requests.cpu": "4", "requests.memory": "8Gi", "pods": "20"},
        "used": {"requests.cpu": "500m", "requests.memory": "1Gi", "pods": "2"},
    }
}


@pytest.fixture
def context(settings: Settings, tools: FakeTools) -> Iterator[Context]:
    """A healthy release with one department, ``sample``, whose token is SAMPLE_TOKEN."""
    cluster = {
        **CLUSTER,
        "flows_image": IMAGE,
        "departments": {
            "sample": {
                "displayName": "Sample",
                "namespace": "airnub-dept-sample",
                "serviceAccount": "flow-run",
                "workPool": "airnub",
                "quota": {"cpu": "4", "memory": "8Gi", "pods": 20},
            }
        },
    }
    files = {"client.yaml": CLIENT, "cluster.yaml": json.dumps(cluster)}
    tools.gives("kubectl", "metadata.name=airnub-cluster", {"data": files})
    tools.says("kubectl", "get --raw /version", '{\n  "gitVersion": "v1.34.4",\n}')
    tools.says("kubectl", "config view", "https://127.0.0.1:6443")
    tools.says("kubectl", "owner=helm,name=airnub", "2 superseded\n10 deployed\n")
    tools.gives("kubectl", "get jobs")
    tools.gives("kubectl", "get deployments", WORKLOAD)
    tools.gives("kubectl", "get nodes", NODE)
    tools.gives("kubectl", "get pods")
    tools.gives("kubectl", "get statefulsets", DATABASE)
    tools.gives("kubectl", "get resourcequotas", QUOTA)
    tools.says("kubectl", "create --filename -", "true\n" * 18)
    tools.says("kubectl", "exec", df(used=20, free=80))
    have(tools, "airnub", {"airnub-api-auth": ["auth-string"]})
    have(tools, "airnub-dept-sample", SECRETS)
    with ExitStack() as ports:
        platform = platforms.on_cluster(Release(), ports)
        yield Context(settings, load_catalog(settings), platform)


SECRETS = {
    "airnub-api-auth": ["auth-string"],
    "airnub-s3": ["access-key-id", "secret-access-key"],
    "airnub-secrets": ["SAMPLE_TOKEN"],
}


def have(tools: FakeTools, namespace: str, secrets: dict[str, list[str]]) -> None:
    """Let a namespace have Secrets: what the template of the check makes of them."""
    lines = "".join(f"{name} {' '.join(keys)}\n" for name, keys in secrets.items())
    tools.says("kubectl", f"get secrets --namespace {namespace} --output go-template", lines)


def df(used: int, free: int) -> str:
    heading = "Filesystem     1024-blocks  Used Available Capacity Mounted on\n"
    return f"{heading}/dev/sda1 {used + free} {used} {free} {used}% /data\n"


def asked(context: Context, look: str) -> Finding:
    module = departments if hasattr(departments, look) and look != "namespaces" else release
    return examine([Check("it", getattr(module, look))], context).findings["it"]


@pytest.mark.parametrize(
    ("look", "what"),
    [
        ("cluster", "kind-airnub, https://127.0.0.1:6443, Kubernetes v1.34.4"),
        ("helm_release", "airnub, revision 10, deployed"),
        ("bootstrap_job", "the last one succeeded"),
        ("pods", "1 workloads ready"),
        ("flows_image", f"{IMAGE} on 1 of 1 nodes"),
        ("worker_rights", "18 in 2 namespaces"),
        ("quota", "sample: 500m of 4 requests.cpu"),
        ("secrets", "those of 1 departments, with their keys"),
        ("volumes", "airnub-postgresql 20% used, 81.9 kB free"),
    ],
)
def test_a_healthy_release(context: Context, look: str, what: str) -> None:
    assert asked(context, look) == ok(what)


def test_a_cluster_that_does_not_answer(context: Context, tools: FakeTools) -> None:
    tools.fails("kubectl", "get --raw", "The connection to the server 127.0.0.1:6443 was refused")

    found = asked(context, "cluster")

    assert found.state == "fail"
    assert "was refused" in found.what
    assert found.fixes == ("kubectl config get-contexts   # name one: --context",)


def test_a_release_that_is_not_there(context: Context, tools: FakeTools) -> None:
    tools.gives("kubectl", "metadata.name=airnub-cluster")

    found = asked(context, "helm_release")

    assert found.what == "There is no release airnub in airnub of kind-airnub"
    assert "airnub k8s up" in found.fixes[0]


@pytest.mark.parametrize("status", ["failed", "pending-upgrade"])
def test_a_release_that_helm_did_not_finish(
    context: Context, tools: FakeTools, status: str
) -> None:
    tools.says("kubectl", "owner=helm,name=airnub", f"9 superseded\n10 {status}\n")

    found = asked(context, "helm_release")

    assert (found.state, found.what) == ("fail", f"revision 10 of airnub is {status}")
    where = "--kube-context kind-airnub --namespace airnub --timeout 10m"
    assert found.fixes == (f"helm rollback airnub {where}", UPGRADE)


def test_a_release_that_was_not_installed_by_helm(context: Context, tools: FakeTools) -> None:
    tools.says("kubectl", "owner=helm,name=airnub", "")

    assert asked(context, "helm_release") == ok("airnub, not installed by Helm")


def test_a_bootstrap_that_failed(context: Context, tools: FakeTools) -> None:
    conditions = [{"type": "FailureTarget"}, {"type": "Failed", "status": "True"}]
    job = {"metadata": {"name": "airnub-bootstrap"}, "status": {"conditions": conditions}}
    tools.gives("kubectl", "get jobs", job)

    found = asked(context, "bootstrap_job")

    assert (found.state, found.what) == ("fail", "airnub-bootstrap has failed")
    logs = "kubectl --context kind-airnub logs --namespace airnub job/airnub-bootstrap"
    assert found.fixes == (logs, UPGRADE)


def test_a_bootstrap_that_still_runs(context: Context, tools: FakeTools) -> None:
    job = {"metadata": {"name": "airnub-bootstrap"}, "status": {"active": 1}}
    tools.gives("kubectl", "get jobs", job)

    assert asked(context, "bootstrap_job").state == "warn"


def test_a_workload_that_was_scaled_to_0(context: Context, tools: FakeTools) -> None:
    asleep = {**WORKLOAD, "spec": {**WORKLOAD["spec"], "replicas": 0}, "status": {}}  # type: ignore[dict-item]
    tools.gives("kubectl", "get deployments", asleep)

    found = asked(context, "pods")

    assert (found.state, found.what) == ("fail", "airnub-worker-airnub is scaled to 0")
    scale = "kubectl --context kind-airnub scale --namespace airnub --replicas=1"
    assert found.fixes == (f"{scale} deployment/airnub-worker-airnub",)


def test_pods_and_nodes_that_are_not_ready(context: Context, tools: FakeTools) -> None:
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": "no Secret x"}}
    pod = {
        "kind": "Pod",
        "metadata": {"name": "airnub-worker-airnub-0"},
        "status": {
            "phase": "Pending",
            "containerStatuses": [{"restartCount": 0, "state": waiting}],
        },
    }
    node = {**NODE, "status": {**NODE["status"], "conditions": []}}  # type: ignore[dict-item]
    tools.gives("kubectl", "get deployments", {**WORKLOAD, "status": {}}, pod)
    tools.gives("kubectl", "get nodes", node)

    found = asked(context, "pods")

    assert found.what == (
        "airnub-worker-airnub: 0 of 1 ready; node one is not ready; "
        "airnub-worker-airnub-0: CreateContainerConfigError: no Secret x"
    )
    assert found.fixes == ("kubectl --context kind-airnub describe pods --namespace airnub",)


@pytest.mark.parametrize(
    ("image", "fix"),
    [
        (IMAGE, "airnub k8s up   # builds it and pushes it to the local registry"),
        (
            "own.example/sample:2",
            "docker push own.example/sample:2   "
            "# or correct the department's image and imagePullSecrets",
        ),
    ],
    ids=["the release's", "a department's"],
)
def test_an_image_that_cannot_be_pulled(
    context: Context, tools: FakeTools, image: str, fix: str
) -> None:
    waiting = {"waiting": {"reason": "ImagePullBackOff"}}
    pod = {
        "metadata": {"name": "grey-owl-x", "namespace": "airnub-dept-sample"},
        "status": {"containerStatuses": [{"image": image, "state": waiting}]},
    }
    tools.gives("kubectl", "get pods", pod)

    found = asked(context, "flows_image")

    assert (found.state, found.what) == ("fail", "airnub-dept-sample/grey-owl-x: ImagePullBackOff")
    assert found.fixes == (fix, UPGRADE)


def test_a_department_s_own_image_that_no_node_has(context: Context, tools: FakeTools) -> None:
    image = "own.example/sample:2"
    cluster = {
        **CLUSTER,
        "flows_image": IMAGE,
        "departments": {"sample": {"namespace": "airnub-dept-sample", "image": image}},
    }
    files = {"client.yaml": CLIENT, "cluster.yaml": json.dumps(cluster)}
    tools.gives("kubectl", "metadata.name=airnub-cluster", {"data": files})

    found = asked(context, "flows_image")

    assert found.what == f"{image} is on no node: the next run must pull it"
    assert found.fixes[0].startswith(f"docker push {image}")


@pytest.mark.parametrize(
    ("names", "state"),
    [
        (["localhost:5001/airnub-flows@sha256:0123"], "ok"),
        (["localhost:5001/airnub-flows@sha256:4567", "localhost:5001/airnub-flows:abc"], "warn"),
        ([], "warn"),
    ],
    ids=["by digest", "of another digest", "none"],
)
def test_where_the_image_is(
    context: Context, tools: FakeTools, names: list[str], state: str
) -> None:
    node = {**NODE, "status": {**NODE["status"], "images": [{"names": names}]}}  # type: ignore[dict-item]
    tools.gives("kubectl", "get nodes", node)

    assert asked(context, "flows_image").state == state


@pytest.mark.parametrize(
    ("image", "name", "there"),
    [
        ("airnub-flows:1", "docker.io/library/airnub-flows:1", True),
        ("airnub-flows:1", "docker.io/library/airnub-flows:11", False),
        ("r:5000/a/flows@sha256:1", "r:5000/a/flows@sha256:1", True),
        ("r:5000/flows:2@sha256:1", "r:5000/flows@sha256:1", True),
    ],
)
def test_names_of_images(image: str, name: str, there: bool) -> None:
    node = {"status": {"images": [{"names": [name]}]}}

    assert release.has_image(node, image) is there


def test_who_may_not_list_nodes(context: Context, tools: FakeTools) -> None:
    tools.fails("kubectl", "get nodes", "Error from server (Forbidden): nodes is forbidden")

    assert asked(context, "flows_image").state == "ok"


def test_a_right_that_the_worker_lacks(context: Context, tools: FakeTools) -> None:
    tools.says("kubectl", "create --filename -", "true\nfalse\n" + "true\n" * 15 + "false\n")

    found = asked(context, "worker_rights")

    assert found.state == "fail"
    assert found.what == (
        "airnub-worker-airnub may not delete jobs in airnub-dept-sample; "
        "airnub-worker-airnub may not get pods/log in airnub"
    )
    assert found.fixes == (UPGRADE,)


def test_a_question_about_rights_that_is_not_answered(context: Context, tools: FakeTools) -> None:
    tools.says("kubectl", "create --filename -", "true\n")

    assert asked(context, "worker_rights").what == "1 answers came to 18 questions"


def test_what_is_asked_is_what_the_chart_gives() -> None:
    text = (ROOT / "helm/airnub-prefect/templates/workers/rbac.yaml").read_text()
    rules = [
        yaml.safe_load(line) for line in re.findall(r"^- (\{apiGroups.*\})$", text, re.MULTILINE)
    ]

    assert (
        tuple((rule["apiGroups"][0], rule["resources"][0], tuple(rule["verbs"])) for rule in rules)
        == departments.RIGHTS
    )


def test_a_quota_that_is_used_up(context: Context, tools: FakeTools) -> None:
    used = {"status": {**QUOTA["status"], "used": {"pods": "19"}}}
    tools.gives("kubectl", "get resourcequotas", used)

    found = asked(context, "quota")

    assert (found.state, found.what) == ("warn", "sample: 19 of 20 pods")
    assert "configs/departments/sample.yaml" in found.fixes[0]


def test_a_namespace_without_a_quota(context: Context, tools: FakeTools) -> None:
    tools.gives("kubectl", "get resourcequotas")

    found = asked(context, "quota")

    assert found == Finding("fail", "airnub-dept-sample has no quota", (UPGRADE,))


def test_keys_of_secrets_that_are_missing(context: Context, tools: FakeTools) -> None:
    there = {"airnub-api-auth": ["auth-string"], "airnub-s3": ["access-key-id"]}
    have(tools, "airnub-dept-sample", there)

    found = asked(context, "secrets")

    assert found.state == "fail"
    assert found.what == (
        "airnub-dept-sample: Secret airnub-s3 has no key secret-access-key; "
        "airnub-dept-sample: Secret airnub-secrets has no key SAMPLE_TOKEN"
    )
    kubectl = "kubectl --context kind-airnub --namespace airnub-dept-sample"
    patch = '{"stringData": {"secret-access-key": "…"}}'
    assert found.fixes == (
        f"{kubectl} patch secret airnub-s3 --patch '{patch}'",
        f"{kubectl} create secret generic airnub-secrets --from-literal=SAMPLE_TOKEN=…",
    )


@pytest.mark.parametrize(("used", "state"), [(89, "ok"), (92, "warn"), (98, "fail")])
def test_volumes(context: Context, tools: FakeTools, used: int, state: str) -> None:
    tools.says("kubectl", "exec", df(used, 100 - used))

    found = asked(context, "volumes")

    assert found.state == state
    assert "df -P -k /var/lib/postgresql/data" in tools.asked("kubectl")[-1]
    assert state == "ok" or "enlarge the claim data-airnub-postgresql-0" in found.fixes[0]


def test_a_volume_that_cannot_be_asked(context: Context, tools: FakeTools) -> None:
    tools.says("kubectl", "exec", "no such thing")

    found = asked(context, "volumes")

    assert (found.state, found.what) == (
        "warn",
        "df in airnub-postgresql printed 'no such thing'",
    )
    assert found.fixes == ("kubectl --context kind-airnub get pvc --namespace airnub",)


def test_a_release_without_volumes(context: Context, tools: FakeTools) -> None:
    tools.gives("kubectl", "get statefulsets")

    assert asked(context, "volumes") == ok("the release has none of its own")


def key(**values: str) -> Thing:
    """Give a Secret as kubectl does."""
    names = {name.replace("_", "-"): value.encode() for name, value in values.items()}
    return {"data": {name: base64.b64encode(value).decode() for name, value in names.items()}}


def test_a_store_is_tried_with_the_department_s_key(context: Context, tools: FakeTools) -> None:
    with BrokenS3() as broken:
        s3 = {**CLUSTER["s3"], "endpoint_url": broken.endpoint}
        files = {
            "client.yaml": CLIENT.replace("airnub/store", "bucket/store"),
            "cluster.yaml": json.dumps({"s3": s3}),
        }
        tools.gives("kubectl", "metadata.name=airnub-cluster", {"data": files})
        words = "airnub-dept-sample --field-selector metadata.name=airnub-s3"
        environ = broken.environment
        right = key(
            access_key_id=environ["AWS_ACCESS_KEY_ID"],
            secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        )
        tools.gives("kubectl", words, right)
        found = examine([STORES], context).findings["stores"]

    assert found == ok("1 written, read and verified")


def test_a_department_whose_key_is_incomplete(context: Context, tools: FakeTools) -> None:
    words = "airnub-dept-sample --field-selector metadata.name=airnub-s3"
    tools.gives("kubectl", words, key(access_key_id="id"))

    found = examine([STORES], context).findings["stores"]

    assert (found.state, found.fixes) == ("fail", ("See `airnub doctor --k8s`",))
    assert found.what == (
        "sample: The Secret airnub-s3 in airnub-dept-sample has no key secret-access-key"
    )


def test_the_settings_that_hold_there(context: Context, tools: FakeTools) -> None:
    auth = base64.b64encode(b"user:word").decode()
    tools.gives("kubectl", "metadata.name=airnub-api-auth", {"data": {"auth-string": auth}})
    listening = "echo 'Forwarding from 127.0.0.1:4242 -> x'; exec /bin/sleep 60"
    tools.does("kubectl", "service/airnub-server :4200", listening)

    with context.platform.ports:
        found = context.server
        desired = context.desired

    assert found.environment == {
        "PREFECT_API_URL": "http://127.0.0.1:4242/api",
        "PREFECT_API_AUTH_STRING": "user:word",
        "PREFECT_UI_URL": "http://localhost:4200",
    }
    assert found.settings.store_url == "s3://airnub/store"
    assert {each.type for each in desired.pools} == {"kubernetes"}
    assert desired.object_store is None
    (value,) = [each.value for each in desired.variables if "ingestion" in each.name]
    assert "airnub-sources.airnub.svc" in json.dumps(value)
    assert not [call for call in tools.calls if "word" in call]


def test_only_a_release_has_one(settings: Settings) -> None:
    context = Context(settings, load_catalog(settings), platforms.embedded())

    with pytest.raises(LookupError):
        _ = context.release
