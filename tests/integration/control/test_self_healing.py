"""The rules for lost runs, on a real server, with the shortest windows that it accepts."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from kubernetes_asyncio.client import ApiClient, Configuration
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Completed, Pending
from prefect_kubernetes.worker import KubernetesWorker  # type: ignore[import-untyped]

from airnub_prefect_starter.common.names import MANAGED_TAG
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.bootstrap import bootstrap
from airnub_prefect_starter.control.desired import DesiredState, WorkPoolSpec
from airnub_prefect_starter.control.platform import quiet
from airnub_prefect_starter.control.self_healing import bad_image, silent_run, stuck_start

WINDOW_S = 10
NAMESPACE = "airnub-dept-sample"
CLUSTER_POOL = "lost-runs"
ENOUGH_S = 60

SLEEPING = """
import sys
import time

from prefect import flow, tags


@flow(name="Silent inner flow")
def inner() -> None:
    time.sleep(600)


@flow(name="Silent flow")
def outer() -> None:
    inner()


with tags(*sys.argv[1:]):
    outer()
"""


@pytest.fixture(scope="module")
def rules() -> DesiredState:
    return DesiredState(
        pools=(WorkPoolSpec(CLUSTER_POOL, type="kubernetes"),),
        automations=(silent_run(WINDOW_S), stuck_start(WINDOW_S), bad_image([NAMESPACE])),
    )


@pytest.fixture(autouse=True)
def registered(
    client: SyncPrefectClient, settings: Settings, rules: DesiredState
) -> Iterator[None]:
    """Register the rules, and take them away: their windows are too short for healthy runs."""
    bootstrap(rules, settings=settings, on_progress=quiet, prune=())
    yield
    names = {each.name for each in rules.automations}
    for automation in client.read_automations():
        if automation.name in names:
            client.delete_automation(automation.id)


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ENOUGH_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.5)


def state_of(client: SyncPrefectClient, run: UUID) -> State:
    state = client.read_flow_run(run).state
    assert state is not None
    return state


def reaches(client: SyncPrefectClient, run: UUID, state: StateType) -> State:
    wait(lambda: state_of(client, run).type == state)
    return state_of(client, run)


def heartbeats(client: SyncPrefectClient) -> set[str]:
    body = {"filter": {"event": {"name": ["prefect.flow-run.heartbeat"]}, "occurred": {}}}
    found = client.request("POST", "/events/filter", json=body).json()["events"]
    return {each["resource"]["prefect.resource.id"] for each in found}


def new_run(client: SyncPrefectClient, state: str, *tags: str) -> UUID:
    """Make a run that a worker has taken and nobody goes on with."""
    flow = client.create_flow_from_name("Lost flow")
    response = client.request(
        "POST",
        "/flow_runs/",
        json={
            "flow_id": str(flow),
            "tags": list(tags),
            "state": {"type": "PENDING", "name": state},
        },
    )
    return UUID(response.json()["id"])


def deployed_run(client: SyncPrefectClient, job: str | None) -> UUID:
    """Make a run of a deployment that a worker has taken, with a Job or before it made one."""
    flow = client.create_flow_from_name("Lost flow")
    deployment = client.create_deployment(
        flow, "lost", work_pool_name=CLUSTER_POOL, job_variables={"namespace": NAMESPACE}
    )
    run = client.create_flow_run_from_deployment(
        deployment, tags=[MANAGED_TAG], state=Pending(name="Submitting")
    )
    if job:
        client.update_flow_run(run.id, infrastructure_pid=job)
    return run.id


class FakeKubernetes(BaseHTTPRequestHandler):
    """Takes the deletion of Jobs as the API server does."""

    deleted: list[str]

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.deleted.append(urlsplit(self.path).path)
        answer = b'{"kind": "Status", "status": "Success"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@pytest.fixture
def kubernetes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """Listen where the worker deletes its Jobs; it watches none."""
    monkeypatch.setenv("PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_ENABLED", "false")
    deleted: list[str] = []
    handler = type("Handler", (FakeKubernetes,), {"deleted": deleted})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", deleted
        server.shutdown()


async def cancel_by_worker(address: str, run: UUID) -> None:
    """Do by the worker's own code what it does when it hears of a run in Cancelling."""

    @asynccontextmanager
    async def api(*_: object) -> AsyncIterator[ApiClient]:
        async with ApiClient(Configuration(host=address)) as opened:
            yield opened

    async with KubernetesWorker(work_pool_name=CLUSTER_POOL) as worker:
        worker._get_configured_kubernetes_client = api
        await worker.sync_with_backend()
        await worker._cancel_run(run)


def sleeping_runs(client: SyncPrefectClient, since: set[UUID]) -> list[FlowRun]:
    return [
        each
        for each in client.read_flow_runs()
        if each.id not in since and each.state_type == StateType.RUNNING
    ]


def start(client: SyncPrefectClient, folder: Path, tag: str) -> subprocess.Popen[bytes]:
    """Run a flow with a subflow in a process of its own."""
    script = folder / "sleeping.py"
    script.write_text(SLEEPING)
    return subprocess.Popen(
        [sys.executable, str(script), tag],
        env={
            **os.environ,
            "PREFECT_API_URL": str(client.api_url),
            "PREFECT_HOME": str(folder / "home"),
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def killed_runs(
    client: SyncPrefectClient, folder: Path, *tags: str
) -> tuple[list[FlowRun], list[FlowRun]]:
    """Run flows with two tags and kill them after their first heartbeats."""
    since = {each.id for each in client.read_flow_runs()}
    processes = [start(client, folder, tag) for tag in tags]

    def are_heard() -> bool:
        runs = {f"prefect.flow-run.{each.id}" for each in sleeping_runs(client, since)}
        return len(runs) == 4 and runs <= heartbeats(client)

    try:
        wait(are_heard)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    runs = sleeping_runs(client, since)
    first, second = ([run for run in runs if tag in run.tags] for tag in tags)
    return first, second


def test_killed_runs_and_their_subflows_crash_and_nobody_else_s(
    client: SyncPrefectClient, tmp_path: Path
) -> None:
    ours, theirs = killed_runs(client, tmp_path, MANAGED_TAG, "other")

    assert (len(ours), len(theirs)) == (2, 2)
    for run in ours:
        state = reaches(client, run.id, StateType.CRASHED)
        assert state.message is not None
        assert "no heartbeat for 10 s" in state.message
        assert "run it again" in state.message
    assert {state_of(client, run.id).type for run in theirs} == {StateType.RUNNING}


def test_a_run_that_never_begins_is_cancelled_and_one_that_ended_is_left_alone(
    client: SyncPrefectClient,
) -> None:
    submitting = new_run(client, "Submitting", MANAGED_TAG)
    pending = new_run(client, "Pending", MANAGED_TAG)
    ended = new_run(client, "Pending", MANAGED_TAG)
    theirs = new_run(client, "Submitting", "other")
    client.set_flow_run_state(ended, Completed())

    for run in (submitting, pending):
        state = reaches(client, run, StateType.CANCELLING)
        assert state.message is not None
        assert "did not begin in 10 s" in state.message
    assert state_of(client, ended).type == StateType.COMPLETED
    assert state_of(client, theirs).type == StateType.PENDING


@pytest.mark.parametrize("job", [None, "airnub-dept-sample:the-job"])
def test_the_worker_deletes_the_job_of_a_run_that_never_begins_and_ends_it(
    client: SyncPrefectClient, kubernetes: tuple[str, list[str]], job: str | None
) -> None:
    address, deleted = kubernetes
    run = deployed_run(client, job)
    cancelling = reaches(client, run, StateType.CANCELLING)

    asyncio.run(cancel_by_worker(address, run))

    assert state_of(client, run).type == StateType.CANCELLED
    jobs = "/apis/batch/v1/namespaces/airnub-dept-sample/jobs"
    assert deleted == ([f"{jobs}/the-job"] if job else [])
    # The worker's message replaces ours; who looks for the reason finds it in the history.
    assert cancelling.message in [each.message for each in client.read_flow_run_states(run)]


def test_a_run_without_an_image_is_cancelled_where_it_is_ours(client: SyncPrefectClient) -> None:
    def tell(run: UUID, namespace: str, diagnosis: str) -> None:
        """Say what the worker's observer says of a pending pod."""
        resource = {
            "prefect.resource.id": f"prefect.kubernetes.pod.{uuid4()}",
            "kubernetes.namespace": namespace,
            "kubernetes.diagnosis": diagnosis,
        }
        related = {
            "prefect.resource.id": f"prefect.flow-run.{run}",
            "prefect.resource.role": "flow-run",
        }
        event = {
            "id": str(uuid4()),
            "occurred": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}Z",
            "event": "prefect.kubernetes.pod.pending",
            "resource": resource,
            "related": [related],
            "payload": {},
        }
        client.request("POST", "/events", json=[event])

    # Without our tag, so that the other rules leave them alone.
    ours, theirs, waiting = (new_run(client, "Pending", "image") for _ in range(3))

    tell(theirs, "somebody-else", "ImagePullError")
    tell(waiting, NAMESPACE, "Unschedulable")
    tell(ours, NAMESPACE, "ImagePullError")

    state = reaches(client, ours, StateType.CANCELLING)
    assert state.message is not None
    assert "image" in state.message
    assert state_of(client, theirs).type == StateType.PENDING
    assert state_of(client, waiting).type == StateType.PENDING
