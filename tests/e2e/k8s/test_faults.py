"""What goes wrong while runs are on their way, and what becomes of them."""

import time
from collections.abc import Mapping
from typing import Any

from tests.e2e.k8s.kit import Api, Release, eventually, get, helm, jobs_of, kubectl, pods_of

PAGES = "project_alpha.ingestion.web_page_scraping"
BETA = "project_beta.ingestion"


def slow_pages(api: Api, delay_s: float) -> Mapping[str, Any]:
    """Configure the category of web pages so that each request waits."""
    section = api.variable("dept_project_alpha_ingestion_config")["web_page_scraping"]
    return {"config": {"pages": [{**page, "delay_s": delay_s} for page in section["pages"]]}}


def start_slow(api: Api, delay_s: float = 8, **job_variables: Any) -> str:
    return api.start(PAGES, parameters=slow_pages(api, delay_s), job_variables=job_variables)


def completed(api: Api, run_id: str) -> set[str]:
    """Name the tasks of a run that have completed."""
    return {each["name"] for each in api.task_runs(run_id) if each["state_type"] == "COMPLETED"}


def test_a_deleted_pod_s_run_goes_on_elsewhere_and_repeats_no_finished_task(api: Api) -> None:
    run_id = start_slow(api)
    api.wait(run_id, "RUNNING")
    done = eventually("two pages are read", lambda: two(completed(api, run_id)), timeout=90)
    pod = pods_of(run_id)[0]["metadata"]

    kubectl("delete", "pod", pod["name"], "-n", pod["namespace"], "--wait=false")

    finished = api.wait(run_id, "COMPLETED", timeout=300)
    assert finished["run_count"] == 2
    assert len(jobs_of(run_id)) == 2
    cached = {each["name"] for each in api.task_runs(run_id) if each["state_name"] == "Cached"}
    assert cached >= done


def two(names: set[str]) -> set[str] | None:
    return names if len(names) >= 2 else None


def test_a_killed_pod_s_run_is_crashed_with_the_reason(api: Api) -> None:
    run_id = start_slow(api)
    api.wait(run_id, "RUNNING")
    pod = pods_of(run_id)[0]["metadata"]

    kubectl("delete", "pod", pod["name"], "-n", pod["namespace"], "--grace-period=0", "--force")

    assert api.wait(run_id, "CRASHED", "COMPLETED", timeout=240)["state"]["name"]


def test_an_image_that_does_not_exist_cancels_the_run_and_deletes_its_job(api: Api) -> None:
    begun = time.monotonic()
    run_id = api.start(BETA, job_variables={"image": "airnub-does-not-exist:1"})

    api.wait(run_id, "Cancelling", "CANCELLED", timeout=60)

    assert time.monotonic() - begun < 60
    api.wait(run_id, "CANCELLED", timeout=180)
    eventually("its Job is deleted", lambda: not jobs_of(run_id), timeout=60)


def test_a_running_run_is_cancelled_and_its_job_expires(api: Api) -> None:
    run_id = start_slow(api, 20, finished_job_ttl=5)
    api.wait(run_id, "RUNNING")

    api.cancel(run_id)

    api.wait(run_id, "CANCELLED", timeout=120)
    eventually("its pod ends", lambda: not running_pods(run_id), timeout=120)
    eventually("its Job expires", lambda: not jobs_of(run_id), timeout=60)


def running_pods(run_id: str) -> list[Any]:
    return [each for each in pods_of(run_id) if each["status"]["phase"] in {"Pending", "Running"}]


def test_a_pending_run_is_cancelled_and_its_job_deleted(api: Api) -> None:
    # No node has so much, so its pod stays pending (the quota is for requests: 4 CPUs and 8 GiB).
    run_id = start_slow(api, cpu_request="3900m")
    eventually("it has a Job", lambda: jobs_of(run_id), timeout=60)

    api.cancel(run_id)

    api.wait(run_id, "CANCELLED", timeout=120)
    eventually("its Job is deleted", lambda: not jobs_of(run_id), timeout=60)


def test_a_run_under_a_limit_survives_a_restart_of_the_server(release: Release) -> None:
    with release.api() as api:
        run_id = api.start("project_alpha.ingestion")
        api.wait(run_id, "RUNNING")
    deployment = f"deployment/{release.name}-server"

    kubectl("rollout", "restart", deployment, "-n", release.namespace)

    kubectl("rollout", "status", deployment, "-n", release.namespace, "--timeout=180s", timeout=200)
    with release.api() as api:
        api.wait(run_id, "COMPLETED", timeout=300)


def test_a_quota_that_is_too_small_ends_the_run_and_says_so(release: Release, api: Api) -> None:
    run_id = api.start(BETA, job_variables={"memory_request": "3Gi", "memory_limit": "3Gi"})

    state = api.wait(run_id, "CRASHED", timeout=300)["state"]

    assert "quota" in state["message"]
    job = jobs_of(run_id)[0]["metadata"]
    assert "exceeded quota" in kubectl("describe", "job", job["name"], "-n", job["namespace"])


def test_a_killed_worker_loses_nothing(release: Release, api: Api) -> None:
    run_id = start_slow(api, 3)
    api.wait(run_id, "RUNNING")

    kubectl(
        "delete", "pod", "-n", release.namespace, "--grace-period=0", "--force", "-l",
        "app.kubernetes.io/component=worker",
    )  # fmt: skip

    api.wait(run_id, "COMPLETED", timeout=180)
    later = api.start(BETA)
    api.wait(later, "COMPLETED", timeout=180)


def test_helm_test_passes(release: Release) -> None:
    output = helm("test", release.name, "-n", release.namespace, "--logs", "--timeout", "5m")

    assert "Phase:          Succeeded" in output
    assert "Failed" not in output
    assert get("pods", "-n", release.namespace)["items"]
