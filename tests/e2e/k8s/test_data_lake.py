"""The data lake as Jobs against MinIO: the tables of a run on one machine, and once is enough."""

import re

import pytest

from tests.e2e.k8s.kit import ROOT, Release, airnub, jobs_of

LAKE = "data_lake"
TABLES = 17
_TABLE = re.compile(
    r"^(?P<table>(?:lake_etl|feature_engineering)/\S+)"
    r" +(?P<outcome>\w+) .*\b(?P<digest>[0-9a-f]{12})$",
    re.MULTILINE,
)
_RUN = re.compile(r"^(?P<state>\w+)  \S+  http\S+/flow-run/(?P<id>[0-9a-f-]{36})$", re.MULTILINE)


def digests(output: str) -> dict[str, str]:
    """Read from what `airnub run` printed which rows each table has."""
    return {found["table"]: found["digest"] for found in _TABLE.finditer(output)}


@pytest.fixture(scope="module")
def first(release: Release) -> str:
    """Run the whole department once."""
    return airnub("run", LAKE, "--on", "k8s", timeout=1200)


def test_every_stage_completes_as_a_job_in_the_department_s_namespace(
    release: Release, first: str
) -> None:
    runs = [(found["state"], found["id"]) for found in _RUN.finditer(first)]

    assert len(runs) == 6
    assert {state for state, _ in runs} == {"Completed"}
    namespaces = {job["metadata"]["namespace"] for _, id_ in runs for job in jobs_of(id_)}
    assert namespaces == {release.department(LAKE)}


def test_a_second_run_makes_no_table_again(first: str) -> None:
    again = airnub("run", LAKE, "processing", "--on", "k8s", timeout=600)

    outcomes = {found["outcome"] for found in _TABLE.finditer(again)}
    assert outcomes == {"not_modified"}


def test_jobs_make_the_tables_that_the_readme_shows_of_a_run_on_one_machine(first: str) -> None:
    shown = digests((ROOT / "README.md").read_text())

    assert len(shown) == TABLES
    assert digests(first) == shown
