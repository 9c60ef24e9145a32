from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import exit_code_of
from airnub_prefect_starter.control.desired import (
    AutomationSpec,
    ConcurrencySpec,
    ContentStoreSpec,
    DesiredState,
    LimitSpec,
    ScheduleSpec,
    WorkQueueSpec,
)
from airnub_prefect_starter.control.from_departments import deployments, desired_state
from airnub_prefect_starter.core.departments import load_catalog
from tests.project_kit import (
    DEPARTMENT,
    MAPPING,
    VALUES,
    make_project,
    own_flows,
    project_settings,
)

SECRET = "not for logs"  # noqa: S105


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    with own_flows():
        yield make_project(tmp_path)


def _desired(root: Path, **environ: str) -> DesiredState:
    settings = project_settings(
        root, **{"SOURCES_URL": "http://s", "SAMPLE_TOKEN": SECRET, **environ}
    )
    return desired_state(load_catalog(settings), settings)


def test_everything_comes_from_the_department_file(root: Path) -> None:
    desired = _desired(root)

    (pool,) = desired.pools
    assert (pool.name, pool.type, pool.concurrency_limit) == ("airnub", "process", None)
    assert desired.queues == (WorkQueueSpec("airnub", "sample", "Sample", 3, 2),)
    assert desired.limits == (LimitSpec("sample.pages", 2),)
    assert desired.stores == (
        ContentStoreSpec("sample", "sample", f"{root.as_uri()}/data/store/sample", "none"),
    )
    assert desired.automations == (
        AutomationSpec(
            name="sample.ingestion → sample.processing",
            after="Ingestion Flow (Sample)/sample.ingestion",
            run="Processing Flow (Sample)/sample.processing",
            description="Runs processing after each completed ingestion",
            tags=("airnub", "department:sample"),
        ),
    )


def test_variables_hold_addresses_of_this_environment(root: Path) -> None:
    variables = {each.name: each for each in _desired(root).variables}

    assert variables["dept_sample_ingestion_config"].value == {
        "files": {"files": [{"source_id": "airlines", "url": "http://s/airlines.csv"}]}
    }
    assert variables["dept_sample_processing_config"].value == {"tables": {"rows": 3}}
    assert variables["dept_sample_ingestion_config"].tags == (
        "airnub",
        "department:sample",
        "stage:ingestion",
    )


def test_a_secret_comes_from_the_environment_and_is_not_shown(root: Path) -> None:
    desired = _desired(root)

    (secret,) = desired.secrets
    assert secret.name == "sample-token"
    assert secret.value is not None
    assert secret.value.get_secret_value() == SECRET
    assert SECRET not in repr(desired)


def test_deployments_are_those_of_stages_and_their_categories(root: Path) -> None:
    found = {each.name: each for each in deployments(load_catalog(project_settings(root)))}

    assert list(found) == [
        "sample.ingestion",
        "sample.ingestion.files",
        "sample.processing",
        "sample.processing.tables",
    ]
    stage, category = found["sample.ingestion"], found["sample.ingestion.files"]
    assert stage.key == "Ingestion Flow (Sample)/sample.ingestion"
    assert stage.schedules == (ScheduleSpec("0 6 * * *", "Europe/Dublin", active=False),)
    assert stage.concurrency == ConcurrencySpec(1, "ENQUEUE", 600)
    assert category.key == "Download Files Flow (Sample)/sample.ingestion.files"
    assert category.entrypoint == (
        "flows/dept_sample/ingestion/files/download_files_flow_dept_sample.py"
        ":download_files_flow_dept_sample"
    )
    assert (category.schedules, category.concurrency) == ((), None)
    assert {each.path for each in found.values()} == {root}
    assert {(each.pool, each.queue) for each in found.values()} == {("airnub", "sample")}


def test_a_stage_whose_categories_run_apart_knows_it_and_has_a_queue_for_them(root: Path) -> None:
    file = root / DEPARTMENT
    file.write_text(
        file.read_text().replace("  processing:\n", "  processing:\n    isolation: job\n")
    )

    desired = _desired(root)

    told = {
        each.name: "AIRNUB_ISOLATION" in str(each.job_variables) for each in desired.deployments
    }
    assert [name for name, knows in told.items() if knows] == ["sample.processing"]
    queues = {each.name: (each.concurrency_limit, each.priority) for each in desired.queues}
    assert queues == {"sample": (3, 2), "sample-categories": (4, 2)}


def test_backfills_wait_in_a_queue_of_their_own_behind_every_other(root: Path) -> None:
    file = root / DEPARTMENT
    file.write_text(f"{file.read_text()}backfill: {{concurrency_limit: 5}}\n")

    queues = {each.name: (each.concurrency_limit, each.priority) for each in _desired(root).queues}

    assert queues == {"sample": (3, 2), "sample-backfill": (5, 1_002)}


def test_departments_share_a_pool_unless_they_name_their_own(root: Path) -> None:
    (root / MAPPING).write_text("sample: Sample\nother: Other\nthird: Third\n")
    for name, pool in (("other", "work_pool: special\n"), ("third", "")):
        (root / "configs" / "departments" / f"{name}.yaml").write_text(
            f"owners: [a@b.ie]\n{pool}stages: {{ingestion: {{categories: {{things: {{}}}}}}}}\n"
        )

    settings = project_settings(root)
    found = {each.name: each.pool for each in deployments(load_catalog(settings))}

    assert found["third.ingestion"] == found["sample.ingestion"] == "airnub"
    assert found["other.ingestion"] == "special"


def test_all_mistakes_of_the_values_are_told_at_once(root: Path) -> None:
    (root / VALUES).write_text("files: 1\n")
    (root / "configs/variables/dept_sample/processing/tables.yaml").write_text("row: 1\n")

    with pytest.raises(ExceptionGroup) as caught:
        _desired(root)

    assert len(caught.value.exceptions) == 2
    assert exit_code_of(caught.value) == 3


def test_the_department_file_is_all_there_is_to_edit(root: Path) -> None:
    before = _desired(root)
    file = root / DEPARTMENT
    file.write_text(file.read_text().replace("on_success: [processing]", "on_success: []"))

    after = _desired(root)

    assert (before.automations != (), after.automations) == (True, ())
    assert before.deployments == after.deployments


def test_a_failed_run_starts_another_stage(root: Path) -> None:
    file = root / DEPARTMENT
    file.write_text(
        file.read_text().replace("on_success: [processing]", "on_failure: [processing]")
    )

    (automation,) = _desired(root).automations

    assert isinstance(automation, AutomationSpec)
    assert automation.name == "sample.ingestion failed → sample.processing"
    assert automation.when == "failed"
