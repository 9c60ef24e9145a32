"""The churn pipeline as Jobs: a stage each, the rows and the champion of a run on this machine."""

import re
import sys
from pathlib import Path

import pytest

from tests.churn_kit import SAMPLE_CHAMPION, SAMPLE_TABLES
from tests.e2e.k8s.kit import ROOT, Release, clean_environment, jobs_of
from tests.e2e.k8s.kit import run as run_program

CHURN = "customer_churn"
PIPELINE = Path("src", "data_pipeline_orchestrator", "pipeline.py")
STAGES = 7  # the six steps, and the inference that follows them
_TABLE = re.compile(r"^(?P<table>\w+/\w+) +\w+ .*\b(?P<digest>[0-9a-f]{12})$", re.MULTILINE)
_RUN = re.compile(r"^(?P<state>\w+)  \S+  http\S+/flow-run/(?P<id>[0-9a-f-]{36})$", re.MULTILINE)


@pytest.fixture(scope="module")
def printed(release: Release) -> tuple[str, str]:
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


def test_jobs_make_the_tables_and_the_champion_of_a_run_on_this_machine(
    printed: tuple[str, str],
) -> None:
    """`tests/integration/orchestrator` expects the same of the pipeline without a cluster."""
    found = {each["table"]: each["digest"] for each in _TABLE.finditer(printed[1])}

    for ref, digest in SAMPLE_TABLES.items():
        table = ref.partition(".")[2]
        assert digest.startswith(f"sha256:{found[table]}")
    assert printed[0].splitlines()[-1] == SAMPLE_CHAMPION
