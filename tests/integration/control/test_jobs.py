"""The Kubernetes Jobs that the worker makes of what bootstrap has registered."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from kubernetes_asyncio.client import ApiClient, Configuration
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_HOME, temporary_settings
from prefect_kubernetes.worker import (  # type: ignore[import-untyped]
    KubernetesWorker,
    KubernetesWorkerJobConfiguration,
)

from airnub_prefect_starter.control.desired import DesiredState
from tests.cluster_kit import CLUSTER
from tests.pod_security import violations

POOL = "cluster"
INGESTION = "Ingestion Flow (Project Beta)/project_beta.ingestion"
CATEGORY = "Download Reference Files Flow (Project Beta)/project_beta.ingestion.reference_files"
REPORT_DRIFT = "Report Drift Flow/generic.report_drift"
PASSWORD = "the-api's-password"  # noqa: S105


class FakeKubernetes(BaseHTTPRequestHandler):
    """Takes Jobs as the API server does, and keeps them."""

    received: list[tuple[str, dict[str, Any]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.received.append((self.path, body))
        answer = json.dumps({**body, "metadata": {**body["metadata"], "name": "made"}}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@pytest.fixture
def kubernetes() -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """Listen where the worker sends its Jobs."""
    received: list[tuple[str, dict[str, Any]]] = []
    handler = type("Handler", (FakeKubernetes,), {"received": received})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()


async def submit(deployment: str, address: str, **job_variables: Any) -> None:
    """Make the Job of a new run of a deployment by the worker's own code."""
    async with get_client() as client:
        found = await client.read_deployment_by_name(deployment)
        run = await client.create_flow_run_from_deployment(found.id, job_variables=job_variables)
        configuration = await KubernetesWorkerJobConfiguration.resolve_for_flow_run(
            run,
            client=client,
            work_pool=await client.read_work_pool(POOL),
            worker_name="a-worker",
            deployment=found,
        )
    worker = KubernetesWorker(work_pool_name=POOL)
    async with ApiClient(Configuration(host=address)) as api:
        await worker._create_job(configuration, api)


@pytest.fixture
def job_of(
    kubernetes: tuple[str, list[tuple[str, dict[str, Any]]]],
    registered_jobs: DesiredState,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Callable[..., tuple[str, dict[str, Any]]]:
    """Make a run's Job with a worker that is configured as the chart configures it."""
    address, received = kubernetes
    prefix = "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_AUTH_STRING_SECRET"
    monkeypatch.setenv(f"{prefix}_NAME", "airnub-api-auth")
    monkeypatch.setenv(f"{prefix}_KEY", "auth-string")

    def make(deployment: str, **job_variables: Any) -> tuple[str, dict[str, Any]]:
        own = {PREFECT_API_AUTH_STRING: PASSWORD, PREFECT_HOME: tmp_path / "worker"}
        with temporary_settings(own):
            asyncio.run(submit(deployment, address, **job_variables))
        return received[-1]

    return make


def environment(job: Mapping[str, Any]) -> dict[str, Any]:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


def test_the_job_is_one_that_a_cluster_takes(
    job_of: Callable[..., tuple[str, dict[str, Any]]],
) -> None:
    path, job = job_of(CATEGORY)

    assert path == "/apis/batch/v1/namespaces/airnub-dept-project-beta/jobs"
    assert job["metadata"]["namespace"] == "airnub-dept-project-beta"
    pod = job["spec"]["template"]["spec"]
    # Prefect insists on these two, which Kubernetes drops: they belong to the Job.
    assert (pod.pop("parallelism"), pod.pop("completions")) == (1, 1)
    kubernetes_validate.validate(job, "1.34", strict=True)
    assert violations(pod) == []
    assert pod["serviceAccountName"] == "flow-run"
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["priorityClassName"] == "airnub-flows-default"
    assert pod["terminationGracePeriodSeconds"] == 90
    assert pod["securityContext"]["runAsUser"] == 10001
    assert {key: job["spec"][key] for key in ("backoffLimit", "activeDeadlineSeconds")} == {
        "backoffLimit": 0,
        "activeDeadlineSeconds": 14400,
    }
    assert job["spec"]["ttlSecondsAfterFinished"] == 3600
    (container,) = pod["containers"]
    assert container["image"] == CLUSTER["flows_image"]
    assert container["args"] == ["prefect", "flow-run", "execute"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"] == {
        "requests": {"cpu": "250m", "memory": "512Mi"},
        "limits": {"memory": "1Gi"},
    }
    assert pod["volumes"] == [{"name": "scratch", "emptyDir": {"sizeLimit": "2Gi"}}]


def test_a_run_of_no_department_is_a_job_of_the_release_without_a_key(
    job_of: Callable[..., tuple[str, dict[str, Any]]],
) -> None:
    path, job = job_of(REPORT_DRIFT)

    assert path == "/apis/batch/v1/namespaces/airnub/jobs"
    pod = job["spec"]["template"]["spec"]
    assert (pod.pop("parallelism"), pod.pop("completions")) == (1, 1)
    kubernetes_validate.validate(job, "1.34", strict=True)
    assert violations(pod) == []
    assert pod["serviceAccountName"] == "airnub-generic"
    assert pod["automountServiceAccountToken"] is False
    assert {"name": "cluster", "configMap": {"name": "airnub-cluster"}} in pod["volumes"]
    (container,) = pod["containers"]
    mount = {"name": "cluster", "mountPath": "/etc/airnub", "readOnly": True}
    assert mount in container["volumeMounts"]
    found = environment(job)
    assert found["AIRNUB_CLUSTER_FILE"] == "/etc/airnub/cluster.yaml"
    assert found["AIRNUB_STORE_URL"] == "s3://airnub/store"
    # The Secret is not in that namespace: with a reference that must hold, no pod would start.
    assert found["AWS_ACCESS_KEY_ID"]["secretKeyRef"]["optional"] is True
    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/component"] == "generic"
    assert labels["airnub.io/generic"] == "report_drift"


def test_job_and_pod_say_whose_they_are(
    job_of: Callable[..., tuple[str, dict[str, Any]]],
) -> None:
    ours = {
        "airnub.io/department": "project_beta",
        "airnub.io/stage": "ingestion",
        "airnub.io/category": "reference_files",
    }

    _, category = job_of(CATEGORY)
    _, stage = job_of(INGESTION)

    for labelled in (category, category["spec"]["template"]):
        labels = labelled["metadata"]["labels"]
        assert ours.items() <= labels.items()
        assert "prefect.io/flow-run-id" in labels
    assert "airnub.io/category" not in stage["metadata"]["labels"]


def test_the_run_gets_the_deployment_s_environment_and_references_to_secrets(
    job_of: Callable[..., tuple[str, dict[str, Any]]],
) -> None:
    _, job = job_of(CATEGORY, env={"DO_NOT_TRACK": "0", "OF_THE_RUN": "yes"})

    found = environment(job)
    of_secret = {
        name: value["secretKeyRef"] for name, value in found.items() if isinstance(value, dict)
    }
    assert of_secret == {
        "AWS_ACCESS_KEY_ID": {"name": "airnub-s3", "key": "access-key-id", "optional": False},
        "AWS_SECRET_ACCESS_KEY": {
            "name": "airnub-s3",
            "key": "secret-access-key",
            "optional": False,
        },
        "PREFECT_API_AUTH_STRING": {"name": "airnub-api-auth", "key": "auth-string"},
    }
    # The deployment's, the pool's, the run's, and the pool's against the worker's own.
    assert found["PREFECT_DEFAULT_RESULT_STORAGE_BLOCK"] == "content-store/project-beta"
    assert found["AWS_ENDPOINT_URL"] == CLUSTER["s3"]["endpoint_url"]
    assert found["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "60"
    assert found["PREFECT_RESULTS_PERSIST_BY_DEFAULT"] == "true"
    assert found["PREFECT_CLIENT_MAX_RETRIES"] == "8"
    assert found["PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"] == "reschedule"
    assert (found["DO_NOT_TRACK"], found["OF_THE_RUN"]) == ("0", "yes")
    assert found["PREFECT_HOME"] == "/tmp/prefect"  # noqa: S108 - in the pod
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "airnub-secrets", "optional": True}}]
    assert PASSWORD not in json.dumps(job)


def test_a_run_may_ask_for_more_and_for_kubernetes_own_retries(
    job_of: Callable[..., tuple[str, dict[str, Any]]],
) -> None:
    _, job = job_of(
        CATEGORY, memory_limit="4Gi", image="own:1", active_deadline_seconds=60, backoff_limit=2
    )

    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"memory": "4Gi"}
    assert container["image"] == "own:1"
    assert (job["spec"]["activeDeadlineSeconds"], job["spec"]["backoffLimit"]) == (60, 2)
    assert environment(job)["PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"] == "relinquish"


def test_a_job_variable_that_is_none_is_refused(
    job_of: Callable[..., tuple[str, dict[str, Any]]],
) -> None:
    with pytest.raises(PrefectHTTPStatusError, match="active_deadline_seconds"):
        job_of(CATEGORY, active_deadline_seconds="soon")
