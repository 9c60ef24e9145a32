"""What goes wrong while runs are on their way, and what becomes of them."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.k8s.kit import Api, Release, eventually, jobs_of, kubectl, pods_of, running_pods

PAGES = "project_alpha.ingestion.web_page_scraping"
BETA = "project_beta.ingestion.reference_files"
# robots.txt of the sample sources asks for a second between two requests.
SLOW_PAGES = 30


@dataclass(frozen=True)
class Started:
    """Runs that cannot begin: what becomes of them takes its time, so they start together."""

    bad_image: str
    pending: str
    over_quota: str


@pytest.fixture(scope="module")
def started(release: Release) -> Started:
    with release.api() as api:
        found = Started(
            bad_image=api.start(BETA, job_variables={"image": "airnub-does-not-exist:1"}),
            # The quota allows 4 CPUs, but no node has so much left.
            pending=start_slow(api, cpu_request="3900m"),
            over_quota=api.start(
                BETA, job_variables={"memory_request": "5Gi", "memory_limit": "5Gi"}
            ),
        )
        api.wait(found.bad_image, "Cancelling", "CANCELLED", timeout=60)
        eventually("the other has a Job", lambda: jobs_of(found.pending), timeout=60)
        api.cancel(found.pending)
    return found


def start_slow(api: Api, **job_variables: Any) -> str:
    """Start the category of web pages with the same page under many names: about half a minute."""
    section = api.variable("dept_project_alpha_ingestion_config")["web_page_scraping"]
    pages = [{**section["pages"][0], "source_id": f"slow-{n}"} for n in range(SLOW_PAGES)]
    return api.start(PAGES, parameters={"config": {"pages": pages}}, job_variables=job_variables)


def completed(api: Api, run_id: str) -> set[str]:
    """Name the tasks of a run that have completed."""
    return {each["name"] for each in api.task_runs(run_id) if each["state_type"] == "COMPLETED"}


def test_a_deleted_pod_s_run_goes_on_elsewhere_and_repeats_no_finished_task(
    started: Started, api: Api
) -> None:
    run_id = start_slow(api)
    api.wait(run_id, "RUNNING")
    done = eventually("pages are read", lambda: some(completed(api, run_id)), timeout=90)
    pod = pods_of(run_id)[0]["metadata"]

    kubectl("delete", "pod", pod["name"], "-n", pod["namespace"], "--wait=false")

    finished = api.wait(run_id, "COMPLETED", timeout=300)
    assert finished["run_count"] == 2
    assert len(jobs_of(run_id)) == 2
    cached = {each["name"] for each in api.task_runs(run_id) if each["state_name"] == "Cached"}
    assert cached >= done


def some(names: set[str]) -> set[str] | None:
    return names if len(names) >= 3 else None


def test_a_killed_pod_s_run_is_crashed(api: Api) -> None:
    run_id = start_slow(api)
    api.wait(run_id, "RUNNING")
    pod = pods_of(run_id)[0]["metadata"]

    kubectl(
        "exec", pod["name"], "-n", pod["namespace"], "--", "sh", "-c", "kill -9 -1", check=False
    )

    api.wait(run_id, "CRASHED", timeout=120)


def test_an_image_that_does_not_exist_cancels_the_run_and_deletes_its_job(
    started: Started, api: Api
) -> None:
    api.wait(started.bad_image, "CANCELLED", timeout=180)
    eventually("its Job is deleted", lambda: not jobs_of(started.bad_image), timeout=60)


def test_a_pending_run_is_cancelled_and_its_job_deleted(started: Started, api: Api) -> None:
    api.wait(started.pending, "CANCELLED", timeout=120)
    eventually("its Job is deleted", lambda: not jobs_of(started.pending), timeout=60)


def test_a_running_run_is_cancelled_and_its_job_expires(api: Api) -> None:
    run_id = start_slow(api, finished_job_ttl=5)
    api.wait(run_id, "RUNNING")

    api.cancel(run_id)

    api.wait(run_id, "CANCELLED", timeout=120)
    eventually("its pod ends", lambda: not running_pods(run_id), timeout=120)
    eventually("its Job expires", lambda: not jobs_of(run_id), timeout=60)


def test_a_run_under_a_limit_survives_a_restart_of_the_server(release: Release) -> None:
    with release.api() as api:
        run_id = api.start("project_alpha.ingestion")
        api.wait(run_id, "RUNNING")
    deployment = f"deployment/{release.name}-server"

    kubectl("rollout", "restart", deployment, "-n", release.namespace)

    kubectl("rollout", "status", deployment, "-n", release.namespace, "--timeout=180s", timeout=200)
    with release.api() as api:
        api.wait(run_id, "COMPLETED", timeout=300)


def test_a_killed_worker_loses_nothing(release: Release, api: Api) -> None:
    run_id = start_slow(api)
    api.wait(run_id, "RUNNING")

    kubectl(
        "delete", "pod", "-n", release.namespace, "--grace-period=0", "--force", "-l",
        "app.kubernetes.io/component=worker",
    )  # fmt: skip

    api.wait(run_id, "COMPLETED", timeout=180)
    later = api.start(BETA)
    api.wait(later, "COMPLETED", timeout=180)


def test_a_run_beyond_the_quota_ends_and_says_where_to_look(started: Started, api: Api) -> None:
    run = api.wait(started.over_quota, "CANCELLED", timeout=300)
    history = api.get(f"/flow_run_states/?flow_run_id={started.over_quota}")
    namespace, _, job = run["infrastructure_pid"].partition(":")

    reason = next(each["message"] for each in history if each["type"] == "CANCELLING")
    assert "no room for its pod" in reason
    assert "docs/kubectl.md" in reason
    # The worker has deleted the Job: nothing can begin later, and what it said stays.
    eventually("its Job is deleted", lambda: not jobs_of(started.over_quota), timeout=60)
    events = kubectl(
        "get", "events", "-n", namespace, "--field-selector", f"involvedObject.name={job}"
    )
    assert "exceeded quota" in events


def test_a_run_that_needs_more_memory_than_it_may_have_is_crashed(api: Api) -> None:
    run_id = api.start(BETA, job_variables={"memory_request": "96Mi", "memory_limit": "96Mi"})

    api.wait(run_id, "CRASHED", timeout=120)


def test_a_run_whose_pod_starts_while_the_server_is_away_waits_for_it(release: Release) -> None:
    with release.api() as api:
        before = api.start(BETA)
        api.wait(before, "COMPLETED")
        scale(release, "worker-airnub", 0)
        run_id = api.start(BETA)
    job = jobs_of(before)[0]
    scale(release, "server", 0)
    try:
        kubectl("create", "-f", "-", stdin=json.dumps(job_for(run_id, job)))
        eventually("its pod waits", lambda: "waiting for the API" in first_logs(run_id), timeout=90)
    finally:
        scale(release, "server", 1)
        scale(release, "worker-airnub", 1)
    with release.api() as api:
        api.wait(run_id, "COMPLETED", timeout=180)


def scale(release: Release, component: str, replicas: int) -> None:
    """Scale a Deployment and wait until its pods are ready, or gone."""
    name = f"deployment/{release.name}-{component}"
    where = ("-n", release.namespace)
    kubectl("scale", name, *where, f"--replicas={replicas}")
    kubectl("rollout", "status", name, *where, "--timeout=180s", timeout=190)
    if replicas == 0:
        label = f"app.kubernetes.io/component={component.partition('-')[0]}"
        gone = ("--for=delete", "--timeout=100s")
        kubectl("wait", "pod", *where, "-l", label, *gone, timeout=110)


def job_for(run_id: str, job: Any) -> Any:
    """Give the Job that the worker would make of another run of the same deployment."""
    text = json.dumps(job["spec"]["template"])
    other = job["metadata"]["labels"]["prefect.io/flow-run-id"]
    template = json.loads(text.replace(other, run_id))
    for label in ("controller-uid", "job-name"):
        template["metadata"]["labels"].pop(label, None)
        template["metadata"]["labels"].pop(f"batch.kubernetes.io/{label}", None)
    metadata = job["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "generateName": "by-hand-",
            "namespace": metadata["namespace"],
            "labels": {**metadata["labels"], "prefect.io/flow-run-id": run_id},
        },
        "spec": {"backoffLimit": 0, "template": template},
    }


def first_logs(run_id: str) -> str:
    pods = pods_of(run_id)
    if not pods:
        return ""
    pod = pods[0]["metadata"]
    return kubectl("logs", pod["name"], "-n", pod["namespace"], "-c", "wait-for-api", check=False)
