"""The pipeline from start to end, and what a step that fails leaves undone."""

import re
from pathlib import Path

from airnub_prefect_starter.common.errors import ConfigError, ScriptFailedError
from airnub_prefect_starter.core.churn.synthetic import customers_csv
from airnub_prefect_starter.core.derivation import TABLE_DIGEST, read_inputs
from airnub_prefect_starter.core.store import Store, open_store
from tests.churn_kit import SAMPLE_CHAMPION, SAMPLE_TABLES
from tests.integration.orchestrator.conftest import Pipeline

STEPS = (
    "Data Ingestion",
    "Data Validation",
    "Data Preparation",
    "Data Transformation",
    "Data Versioning",
    "Model Building",
)


def test_a_step_that_fails_is_tried_twice_and_ends_the_pipeline(
    pipeline: Pipeline, tmp_path: Path, environment: dict[str, str]
) -> None:
    table = tmp_path / "weekly.csv"
    table.write_bytes(customers_csv(50).replace(b"Month-to-month", b"Weekly", 1))

    done = pipeline("--source", str(table))

    assert done.returncode == ScriptFailedError.exit_code, done.stderr[-3000:]
    last = done.stderr.splitlines()[-1]
    assert re.match(r"error: Data Validation ended with exit code \d+: .*Contract", last)
    assert done.stderr.count("Retry 1/1 will start 5 second(s) from now") == 1
    assert "Data Preparation" not in done.stderr
    store = open_store(f"{environment['AIRNUB_STORE_URL']}/customer_churn", create=False)
    assert not [ref for ref in store.refs() if ref[0].startswith("preparation.")]


def test_all_steps_run_in_order_and_end_in_a_champion(
    pipeline: Pipeline, environment: dict[str, str]
) -> None:
    done = pipeline("--source", "sample")

    assert done.returncode == 0, done.stderr[-3000:]
    finished = re.findall(r"Task run '([\w ]+)' - Finished in state Completed\(\)", done.stderr)
    assert tuple(finished) == STEPS
    assert done.stdout.splitlines()[-1] == SAMPLE_CHAMPION
    store = open_store(f"{environment['AIRNUB_STORE_URL']}/customer_churn", create=False)
    assert {ref: _table_digest(store, ref) for ref in SAMPLE_TABLES} == SAMPLE_TABLES


def _table_digest(store: Store, ref: str) -> str | None:
    first, *_ = read_inputs(store, [ref])
    return store.manifest(first.manifest).annotations.get(TABLE_DIGEST)


def test_help_has_examples_that_are_there(pipeline: Pipeline) -> None:
    done = pipeline("--help")

    assert done.returncode == 0
    assert "python src/data_pipeline_orchestrator/pipeline.py --source sample" in done.stdout


def test_a_wrong_override_is_one_line_before_the_first_step(pipeline: Pipeline) -> None:
    done = pipeline("--source", "sample", "--set", "model_building.training.models.0.gate=1")

    assert done.returncode == ConfigError.exit_code, done.stderr[-3000:]
    assert done.stderr.splitlines()[-1].startswith("error: --set training: models.0.gate: unknown")
    assert "Data Ingestion" not in done.stderr


def test_a_table_that_is_not_there_is_one_line(pipeline: Pipeline) -> None:
    done = pipeline("--source", "gone.csv")

    assert done.returncode == 3
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("error: ")]
    assert "gone.csv" in line
    assert "--source sample" in line
