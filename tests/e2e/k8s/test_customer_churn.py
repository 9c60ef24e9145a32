"""The churn pipeline as Jobs: a stage each, the rows and the champion of an embedded run."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airnub_prefect_starter.core.ml.promotion import champion_line
from airnub_prefect_starter.core.ml.registry import ModelRegistry
from airnub_prefect_starter.core.store import open_store
from tests.e2e.k8s.kit import ROOT, EmbeddedRun, Release, clean_environment, embedded_run, jobs_of
from tests.e2e.k8s.kit import run as run_program

CHURN = "customer_churn"
PIPELINE = Path("src", "data_pipeline_orchestrator", "pipeline.py")
STAGES = 7  # the six steps, and the inference that follows them
# Their digests are of rows; those of other outputs name the run, too. Scores have the digest of a
# model file, whose bytes are those of one version of Python.
TABLES = {"clean_and_merge/prepared", "feature_store/customer"}
_TABLE = re.compile(r"^(?P<table>\w+/\w+) +\w+ .*\b(?P<digest>[0-9a-f]{12})$", re.MULTILINE)
_RUN = re.compile(r"^(?P<state>\w+)  \S+  http\S+/flow-run/(?P<id>[0-9a-f-]{36})$", re.MULTILINE)


def digests(output: str) -> dict[str, str]:
    """Read which rows each table has from what a run has printed."""
    found = {each["table"]: each["digest"] for each in _TABLE.finditer(output)}
    return {table: digest for table, digest in found.items() if table in TABLES}


@pytest.fixture(scope="module")
def embedded(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRun]:
    """Run the department on this machine too, while its Jobs run."""
    with embedded_run(CHURN, tmp_path_factory.mktemp("embedded")) as started:
        yield started


@pytest.fixture(scope="module")
def printed(embedded: EmbeddedRun) -> tuple[str, str]:
    """Run the pipeline on the release once: what it printed to standard output and error."""
    done = run_program(
        sys.executable, ROOT / PIPELINE, "--on", "k8s", timeout=1500, env=clean_environment()
    )
    return done.stdout, done.stderr


def test_every_stage_completes_as_a_job_in_the_department_s_namespace(
    release: Release, printed: tuple[str, str]
) -> None:
    runs = [(found["state"], found["id"]) for found in _RUN.finditer(printed[1])]

    assert len(runs) == STAGES
    assert {state for state, _ in runs} == {"Completed"}
    namespaces = {job["metadata"]["namespace"] for _, id_ in runs for job in jobs_of(id_)}
    assert namespaces == {release.department(CHURN)}


def test_an_embedded_run_makes_the_same_tables_and_champion(
    printed: tuple[str, str], embedded: EmbeddedRun
) -> None:
    here = digests(embedded.completed(timeout=900))

    assert set(here) == TABLES
    assert digests(printed[1]) == here
    champion = ModelRegistry(open_store(embedded.store.as_uri()), CHURN).champion()
    assert champion is not None
    assert printed[0].splitlines()[-1] == champion_line(champion)
