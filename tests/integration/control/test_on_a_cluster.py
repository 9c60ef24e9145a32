"""What bootstrap registers for a cluster, on a real server; registering needs no cluster."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from kubernetes_asyncio.client import ApiClient, Configuration
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_HOME, temporary_settings
from prefect_kubernetes.worker import (  # type: ignore[import-untyped]
    KubernetesWorker,
    KubernetesWorkerJobConfiguration,
)

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings, load_settings
from airnub_prefect_starter.control.bootstrap import bootstrap, plan_bootstrap
from airnub_prefect_starter.control.deployments import read_deployments
from airnub_prefect_starter.control.desired import DesiredState
from airnub_prefect_starter.control.from_departments import desired_state
from airnub_prefect_starter.control.platform import quiet
from airnub_prefect_starter.control.pools import WorkPools
from airnub_prefect_starter.control.reconcile import Plan, Summary
from airnub_prefect_starter.control.render import KUBERNETES, render_files
from airnub_prefect_starter.core.cluster import load_cluster
from airnub_prefect_starter.core.departments import Catalog, load_catalog
from airnub_prefect_starter.core.placement import placed
from tests.cluster_kit import CLUSTER, write_cluster
from tests.pod_security import violations

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).with_name("base_job_template.json")
# The server's pool `airnub` runs processes.
POOL = "cluster"
INGESTION = "Ingestion Flow (Project Beta)/project_beta.ingestion"
CATEGORY = "Download Reference Files Flow (Project Beta)/project_beta.ingestion.reference_files"
PASSWORD = "the-api's-password"  # noqa: S105


@pytest.fixture(scope="module")
def on_cluster(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Give the settings of the bootstrap pod for this project."""
    folder = tmp_path_factory.mktemp("cluster")
    departments = yaml.safe_load(
        (ROOT / "helm" / "airnub-prefect" / "files" / "departments.yaml").read_text()
    )
    for each in departments.values():
        each.update(workPool=POOL, namespace=f"airnub-{each['namespace']}")
    file = write_cluster(folder, departments=departments, pools={POOL: {"concurrency_limit": 7}})
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRNUB_", "PREFECT_", "SOURCES_"))
    }
    return load_settings(
        {
            **kept,
            "AIRNUB_PROJECT_ROOT": str(ROOT),
            "AIRNUB_CLUSTER_FILE": str(file),
            "AIRNUB_STORE_URL": "s3://airnub/store",
            "SOURCES_URL": "http://airnub-sources:8080",
        }
    )


@pytest.fixture(scope="module")
def catalog(on_cluster: Settings) -> Catalog:
    """Take the small department alone: loading the flows of all takes seconds, each time."""
    everything = load_catalog(on_cluster)
    return replace(everything, entries={"project_beta": everything.department("project_beta")})


@pytest.fixture(scope="module")
def wanted(catalog: Catalog, on_cluster: Settings) -> DesiredState:
    return desired_state(catalog, on_cluster)


@pytest.fixture
def register(on_cluster: Settings) -> Callable[[DesiredState], Summary]:
    return lambda state: bootstrap(state, settings=on_cluster, on_progress=quiet)


@pytest.fixture
def planned(on_cluster: Settings) -> Callable[[DesiredState], Plan]:
    return lambda state: plan_bootstrap(state, settings=on_cluster, on_progress=quiet)


@pytest.fixture
def registered(
    client: SyncPrefectClient,
    wanted: DesiredState,
    register: Callable[[DesiredState], Summary],
) -> Iterator[DesiredState]:
    """Begin with everything as it should be, and leave no rule to the other tests' runs."""
    register(wanted)
    yield wanted
    names = {each.name for each in wanted.automations}
    for automation in client.read_automations():
        if automation.name in names:
            client.delete_automation(automation.id)


def changes(plan: Plan | Summary) -> list[str]:
    return [str(change) for change in plan.changes]


def test_the_template_is_the_one_that_was_reviewed(
    client: SyncPrefectClient, registered: DesiredState
) -> None:
    """Write it again with `UPDATE_GOLDEN=1 pytest` on this file, and review the difference."""
    template = client.read_work_pool(POOL).base_job_template
    text = json.dumps(template, indent=2, sort_keys=True) + "\n"

    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_the_template_has_no_field_that_nothing_reads_and_no_command(
    client: SyncPrefectClient, registered: DesiredState
) -> None:
    text = json.dumps(client.read_work_pool(POOL).base_job_template)

    for dead in ("job_watch_timeout_seconds", "pod_watch_timeout_seconds", "stream_output"):
        assert dead not in text
    container = client.read_work_pool(POOL).base_job_template["job_configuration"]["job_manifest"][
        "spec"
    ]["template"]["spec"]["containers"][0]
    assert "command" not in container
    assert "cpu" not in container["resources"]["limits"]


def test_a_second_run_changes_nothing(
    registered: DesiredState,
    register: Callable[[DesiredState], Summary],
    planned: Callable[[DesiredState], Plan],
) -> None:
    assert register(registered).changes == ()
    planned(registered).require_none()


def test_a_pool_that_a_worker_made_first_gets_our_template(
    client: SyncPrefectClient,
    registered: DesiredState,
    register: Callable[[DesiredState], Summary],
) -> None:
    name = "made-by-a-worker"
    client.create_work_pool(
        WorkPoolCreate(
            name=name,
            type="kubernetes",
            base_job_template=KubernetesWorker.get_default_base_job_template(),
        )
    )
    pool = replace(registered.pools[0], name=name)

    summary = register(replace(registered, pools=(*registered.pools, pool)))

    assert changes(summary) == [
        f"update work pool {name} (description, concurrency_limit, base_job_template)"
    ]
    assert (
        client.read_work_pool(name).base_job_template
        == client.read_work_pool(POOL).base_job_template
    )


def test_a_pool_that_a_worker_makes_between_reading_and_writing_gets_our_template(
    client: SyncPrefectClient, registered: DesiredState
) -> None:
    pool = replace(registered.pools[0], name="made-meanwhile")
    client.create_work_pool(WorkPoolCreate(name=pool.name, type="kubernetes"))

    WorkPools({pool.name: pool}).write(client, pool, None)

    assert (
        client.read_work_pool(pool.name).base_job_template
        == client.read_work_pool(POOL).base_job_template
    )


def test_a_pool_of_another_type_is_refused_with_what_to_do_and_stops_nothing_else(
    client: SyncPrefectClient, registered: DesiredState
) -> None:
    client.create_work_pool(WorkPoolCreate(name="of-processes", type="process"))
    pool = replace(registered.pools[0], name="of-processes")
    missing = read_deployments(client)[CATEGORY].id
    client.delete_deployment(missing)
    wanted = replace(registered, pools=(*registered.pools, pool))

    with pytest.raises(ExceptionGroup, match="of-processes is of type process") as caught:
        bootstrap(wanted, settings=_impatient(), on_progress=quiet)

    (error,) = caught.value.exceptions
    assert isinstance(error, PlatformError)
    assert "prefect work-pool delete of-processes" in error.remedy
    assert CATEGORY in read_deployments(client)


def _impatient() -> Settings:
    return load_settings({"AIRNUB_PROJECT_ROOT": str(ROOT), "AIRNUB_START_TIMEOUT_S": "5"})


def edit_template(client: SyncPrefectClient) -> None:
    template = client.read_work_pool(POOL).base_job_template
    template["variables"]["properties"]["image"]["default"] = "somebody:latest"
    client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))


def lift_limit(client: SyncPrefectClient) -> None:
    client.update_work_pool(POOL, WorkPoolUpdate(concurrency_limit=500))


def edit_image(client: SyncPrefectClient) -> None:
    found = read_deployments(client)[INGESTION]
    job_variables = {**(found.job_variables or {}), "image": "somebody:latest"}
    client.update_deployment(found.id, DeploymentUpdate(job_variables=job_variables))


def edit_window(client: SyncPrefectClient) -> None:
    (found,) = client.read_automations_by_name("self-healing: zombie run")
    body = found.model_dump(mode="json", exclude={"id", "owner_resource"})
    body["trigger"]["within"] = 12_345
    client.request("PUT", "/automations/{id}", path_params={"id": found.id}, json=body)


def edit_action(client: SyncPrefectClient) -> None:
    (found,) = client.read_automations_by_name("self-healing: bad image")
    body = found.model_dump(mode="json", exclude={"id", "owner_resource"})
    body["actions"] = [{"type": "do-nothing"}]
    client.request("PUT", "/automations/{id}", path_params={"id": found.id}, json=body)


@pytest.mark.parametrize(
    ("drift", "expected"),
    [
        (edit_template, f"update work pool {POOL} (base_job_template)"),
        (lift_limit, f"update work pool {POOL} (concurrency_limit)"),
        (edit_image, f"update deployment {INGESTION} (job_variables)"),
        (edit_window, "update automation self-healing: zombie run (trigger)"),
        (edit_action, "update automation self-healing: bad image (actions)"),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_what_was_changed_in_the_ui_is_shown_and_put_right(
    client: SyncPrefectClient,
    registered: DesiredState,
    register: Callable[[DesiredState], Summary],
    planned: Callable[[DesiredState], Plan],
    drift: Callable[[SyncPrefectClient], None],
    expected: str,
) -> None:
    drift(client)

    assert changes(planned(registered)) == [expected]
    assert changes(register(registered)) == [expected]
    planned(registered).require_none()


def test_a_run_without_a_namespace_is_refused_instead_of_going_to_default(
    client: SyncPrefectClient, registered: DesiredState
) -> None:
    flow_id = client.create_flow_from_name("Anybody's flow")
    plain = client.create_deployment(flow_id, "plain", work_pool_name=POOL)

    with pytest.raises(PrefectHTTPStatusError, match="'namespace' is a required property"):
        client.create_flow_run_from_deployment(plain)


def test_a_broken_flow_fails_its_own_registration_alone(
    client: SyncPrefectClient,
    registered: DesiredState,
    register: Callable[[DesiredState], Summary],
    tmp_path: Path,
) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "broken.py").write_text("import no_such_module_anywhere\n")
    broken = replace(
        registered.deployments[0],
        name="project_beta.broken",
        entrypoint="flows/broken.py:broken",
        source=tmp_path,
    )
    client.delete_deployment(read_deployments(client)[CATEGORY].id)

    with pytest.raises(ExceptionGroup, match="no_such_module_anywhere") as caught:
        register(replace(registered, deployments=(broken, *registered.deployments)))

    assert len(caught.value.exceptions) == 1
    assert CATEGORY in read_deployments(client)


def deploy(client: SyncPrefectClient, file: Path) -> None:
    """Register all deployments of a file as a person with plain Prefect does."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "prefect", "--no-prompt", "deploy"),
            *("--prefect-file", str(file), "--all"),
        ],
        cwd=ROOT,
        env={**os.environ, "PREFECT_API_URL": str(client.api_url)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def rendered(catalog: Catalog, on_cluster: Settings, tmp_path: Path) -> Path:
    """Render prefect.k8s.yaml for the pool of the test."""
    cluster = load_cluster(on_cluster)
    assert cluster is not None
    file = tmp_path / "prefect.k8s.yaml"
    file.write_text(render_files(placed(catalog, cluster))[KUBERNETES])
    return file


def test_plain_prefect_registers_the_same_but_for_the_image_and_bootstrap_adds_it(
    client: SyncPrefectClient,
    registered: DesiredState,
    register: Callable[[DesiredState], Summary],
    planned: Callable[[DesiredState], Plan],
    rendered: Path,
) -> None:
    for each in read_deployments(client).values():
        client.delete_deployment(each.id)

    deploy(client, rendered)

    keys = {each.key for each in registered.deployments}
    plan = planned(registered)
    edited = {each.name: each for each in plan.changes if each.kind == "deployment"}
    assert set(edited) == keys
    for change in edited.values():
        assert change.action == "update"
        for difference in change.differences:
            if difference.field == "job_variables":
                assert isinstance(difference.before, dict)
                with_image = {**difference.before, "image": CLUSTER["flows_image"]}
                assert with_image == difference.after
    fields = {each.field for change in edited.values() for each in change.differences}
    # Without a path the pull step alone says where: the same folder.
    assert fields == {"job_variables", "path"}
    register(registered)
    planned(registered).require_none()


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
    registered: DesiredState,
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
        "AWS_ACCESS_KEY_ID": {"name": "airnub-s3", "key": "access-key-id"},
        "AWS_SECRET_ACCESS_KEY": {"name": "airnub-s3", "key": "secret-access-key"},
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
