"""Categories as Jobs of their own: beside their stage's, with the same bytes, cancelled with it.

What `isolation: job` in a department's file sets is set here for single runs.
"""

from functools import partial
from typing import Any

from tests.e2e.k8s.kit import (
    Api,
    Release,
    eventually,
    jobs_of,
    kubectl,
    pods_of,
    running_pods,
    stored,
)

STAGE = "project_alpha.ingestion"
APART = {"env": {"AIRNUB_ISOLATION": "job"}}


def start_slow(api: Api, seconds: int) -> str:
    """Start the stage with one category that takes about so long."""
    config = api.variable("dept_project_alpha_ingestion_config")
    page = config["web_page_scraping"]["pages"][0]
    # robots.txt of the sample sources asks for a second between two requests.
    pages = [{**page, "source_id": f"slow-{n}"} for n in range(seconds)]
    slow = {**config, "web_page_scraping": {"pages": pages}}
    return api.start(STAGE, parameters={"config": slow}, job_variables=APART)


def children(api: Api, run_id: str) -> list[Any]:
    wanted = {"flow_runs": {"parent_flow_run_id": {"any_": [run_id]}}}
    found: list[Any] = api.post("/flow_runs/filter", wanted)
    return found


def slow_child(api: Api, run_id: str) -> Any:
    """Find the run of the slow category once it is running."""
    return next(
        (
            each
            for each in children(api, run_id)
            if "category:web_page_scraping" in each["tags"] and each["state_type"] == "RUNNING"
        ),
        None,
    )


def test_each_category_is_a_job_and_stores_the_same_bytes(release: Release, api: Api) -> None:
    api.wait(api.start(STAGE), "COMPLETED", timeout=300)
    before = stored(release, "project_alpha")

    run_id = api.start(STAGE, job_variables=APART)
    api.wait(run_id, "COMPLETED", timeout=600)

    found = children(api, run_id)
    assert len(found) == 3
    for each in found:
        (job,) = jobs_of(each["id"])
        labels = job["metadata"]["labels"]
        assert f"category:{labels['airnub.io/category']}" in each["tags"]
        assert labels["airnub.io/stage"] == "ingestion"
        assert job["metadata"]["namespace"] == release.department("project_alpha")
        assert each["work_queue_name"] == "project_alpha-categories"
    assert stored(release, "project_alpha") == before


def test_cancelling_the_stage_ends_the_pods_of_its_categories(api: Api) -> None:
    run_id = start_slow(api, seconds=300)
    child = eventually("the slow category runs", partial(slow_child, api, run_id), timeout=300)

    api.cancel(run_id)

    api.wait(run_id, "CANCELLED", timeout=120)
    api.wait(child["id"], "CANCELLED", timeout=180)
    for each in (run_id, child["id"]):
        eventually("its pod ends", partial(pods_ended, each), timeout=120)


def pods_ended(run_id: str) -> bool:
    return not running_pods(run_id)


def test_a_moved_stage_finds_its_categories_again(api: Api) -> None:
    run_id = start_slow(api, seconds=40)
    eventually("the slow category runs", partial(slow_child, api, run_id), timeout=300)
    pod = pods_of(run_id)[0]["metadata"]

    kubectl("delete", "pod", pod["name"], "-n", pod["namespace"], "--wait=false")

    finished = api.wait(run_id, "COMPLETED", timeout=600)
    assert finished["run_count"] == 2
    assert len(children(api, run_id)) == 3
