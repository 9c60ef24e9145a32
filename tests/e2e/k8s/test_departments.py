"""Departments as Jobs: every stage completes, again without a change, and as it does locally."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.e2e.k8s.kit import (
    EmbeddedRun,
    Release,
    airnub,
    embedded_run,
    eventually,
    get,
    jobs_of,
    pods_of,
    secret,
    stored,
)
from tests.pod_security import violations

ALPHA = "project_alpha"


@pytest.fixture(scope="module")
def embedded(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRun]:
    """Run the department on this machine too, while its Jobs run."""
    with embedded_run(ALPHA, tmp_path_factory.mktemp("embedded")) as started:
        yield started


@pytest.fixture(scope="module")
def first(embedded: EmbeddedRun) -> list[Any]:
    """Run the whole department once, from its sources to its summaries."""
    return run_department()


def run_department() -> list[Any]:
    found: list[Any] = json.loads(airnub("run", ALPHA, "--on", "k8s", "--json", timeout=900))
    return found


def test_three_stages_complete_as_jobs_in_the_department_s_namespace(
    release: Release, first: list[Any]
) -> None:
    assert [each["state"] for each in first] == ["Completed"] * 3
    for each in first:
        run_id = each["flow_run_id"]
        assert [job["metadata"]["namespace"] for job in jobs_of(run_id)] == [
            release.department(ALPHA)
        ]
        eventually("its Job succeeds", partial(succeeded, run_id), timeout=30)


def succeeded(run_id: str) -> bool:
    return bool(jobs_of(run_id)[0]["status"].get("succeeded"))


def test_jobs_and_pods_carry_the_labels_and_obey_the_restricted_standard(
    release: Release, first: list[Any]
) -> None:
    for each, stage in zip(first, ("ingestion", "processing", "analysis"), strict=True):
        jobs, pods = jobs_of(each["flow_run_id"]), pods_of(each["flow_run_id"])
        for found in (*jobs, *pods):
            labels = found["metadata"]["labels"]
            assert labels["airnub.io/department"] == ALPHA
            assert labels["airnub.io/stage"] == stage
        assert violations(pods[0]["spec"]) == []


def test_no_secret_value_stands_in_a_job(release: Release, first: list[Any]) -> None:
    namespace = release.department(ALPHA)
    jobs = json.dumps(get("jobs", "-n", namespace))
    names = [each["metadata"]["name"] for each in get("secrets", "-n", namespace)["items"]]
    assert len(names) >= 3
    for name in names:
        for key, value in secret(namespace, name).items():
            if key != "access-key-id":
                assert value not in jobs, f"{name}/{key}"


def test_a_second_run_changes_nothing(release: Release, first: list[Any]) -> None:
    before = stored(release, ALPHA)
    assert len([key for key in before if key.startswith("blobs/")]) > 30

    again = run_department()

    assert [each["state"] for each in again] == ["Completed"] * 3
    assert stored(release, ALPHA) == before


def test_an_embedded_run_stores_the_same_bytes(
    release: Release, first: list[Any], embedded: EmbeddedRun
) -> None:
    embedded.completed(timeout=300)

    paths = (embedded.store / "blobs").rglob("*")
    blobs = {str(path.relative_to(embedded.store)) for path in paths if path.is_file()}
    assert blobs == {key for key in stored(release, ALPHA) if key.startswith("blobs/")}
