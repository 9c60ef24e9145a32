from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import (
    Category,
    Department,
    GenericFlow,
    owners_of,
    parse_deployment,
    parse_flow_file,
    parse_flow_name,
    run_labels,
)
from tests.identifier_kit import identifiers

ALPHA = Department("project_alpha", "Project Alpha")

display_names = st.builds(str.__add__, st.sampled_from("AZa9"), st.text("AbZ 9.,'-ü", max_size=20))


@given(identifiers, identifiers, identifiers)
def test_deployment_names_round_trip(department: str, stage: str, category: str) -> None:
    owner = Department(department, "Any")
    assert parse_deployment(owner.stage(stage).deployment) == (department, stage, None)
    deployed = owner.stage(stage).category(category).deployment
    assert parse_deployment(deployed) == (department, stage, category)


@given(identifiers, identifiers, identifiers, identifiers)
def test_flow_files_round_trip(department: str, stage: str, category: str, stem: str) -> None:
    owner = Department(department, "Any")
    assert parse_flow_file(owner.stage(stage).flow_file) == (department, stage, None)
    file = owner.stage(stage).category(category, stem).flow_file
    assert parse_flow_file(file) == (department, stage, category)


@given(identifiers, identifiers, display_names)
def test_flow_names_round_trip(stage: str, stem: str, display_name: str) -> None:
    owner = Department("any", display_name)
    assert parse_flow_name(owner.stage(stage).flow_name) == (stage, display_name)
    assert parse_flow_name(owner.stage(stage).category("x", stem).flow_name) == (stem, display_name)


@given(identifiers, display_names)
def test_names_are_fit_for_prefect_and_kubernetes(text: str, display_name: str) -> None:
    owner = Department(text, display_name)
    category = owner.stage(text).category(text)

    assert not set(category.flow_name) & set("/%&<>")
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", owner.namespace)
    assert re.fullmatch(r"[a-z0-9-]+", owner.block)
    assert re.fullmatch(r"[a-z0-9_]+", category.variable)


def test_the_names_of_the_documents() -> None:
    stage = ALPHA.stage("ingestion")
    api = stage.category("public_api_data")
    files = stage.category("scheduled_file_downloads", "download_scheduled_files")

    assert stage.flow_name == "Ingestion Flow (Project Alpha)"
    assert stage.variable == "dept_project_alpha_ingestion_config"
    assert str(stage.flow_file) == ("flows/dept_project_alpha/ingestion_flow_dept_project_alpha.py")
    assert api.flow_name == "Ingest Public API Data Flow (Project Alpha)"
    assert str(api.flow_file) == (
        "flows/dept_project_alpha/ingestion/public_api_data/"
        "ingest_public_api_data_flow_dept_project_alpha.py"
    )
    assert files.flow_file.name == "download_scheduled_files_flow_dept_project_alpha.py"
    assert str(api.config_file) == (
        "configs/variables/dept_project_alpha/ingestion/public_api_data.yaml"
    )
    assert api.deployment == "project_alpha.ingestion.public_api_data"
    assert api.namespace == "ingestion.public_api_data"
    assert api.tags == (
        "airnub",
        "department:project_alpha",
        "stage:ingestion",
        "category:public_api_data",
    )


@given(identifiers)
def test_labels_are_the_identifiers_and_fit_for_kubernetes(text: str) -> None:
    labels = run_labels(text, text, text)

    assert labels == {
        "airnub.io/department": text,
        "airnub.io/stage": text,
        "airnub.io/category": text,
    }
    assert "airnub.io/category" not in run_labels(text, text)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9_]{0,61}[a-z0-9])?", text)


def test_functions_are_named_like_their_modules() -> None:
    category = ALPHA.stage("processing").category("flight_data")

    assert category.flow_function == "process_flight_data_flow_dept_project_alpha"
    assert category.module.endswith(f".flight_data.{category.flow_function}")
    assert category.stage.module == "flows.dept_project_alpha.processing_flow_dept_project_alpha"


def test_what_is_generated_around_a_category_has_its_place() -> None:
    stage = ALPHA.stage("analysis")
    category = stage.category("flight_summary")

    assert stage.config_class == "AnalysisConfig"
    assert str(stage.config_model_file) == "flows/dept_project_alpha/analysis/config.py"
    assert category.config_class == "FlightSummaryConfig"
    assert str(category.doc_file) == "docs/departments/project_alpha/analysis/flight_summary.md"
    assert str(category.test_file) == (
        "tests/integration/departments/dept_project_alpha/analysis/test_flight_summary.py"
    )
    assert str(category.task_file("count_rows")) == (
        "flows/dept_project_alpha/analysis/flight_summary/tasks/"
        "count_rows_task_dept_project_alpha.py"
    )


@pytest.mark.parametrize(
    "path",
    [
        "flows/README.md",
        "flows/dept_a/b.py",
        "flows/dept_a/b/c/d.py",
        "src/dept_a/b_flow_dept_a.py",
        "flows/dept_a/b_flow_dept_other.py",
        "flows/dept_/b_flow_dept_.py",
        "flows/dept_a/B_flow_dept_a.py",
    ],
)
def test_other_files_are_not_flow_files(path: str) -> None:
    with pytest.raises(ConfigError):
        parse_flow_file(PurePosixPath(path))


@pytest.mark.parametrize("name", ["a", "a.b.c.d", "a..b", "A.b", ""])
def test_other_names_are_not_deployments(name: str) -> None:
    with pytest.raises(ConfigError):
        parse_deployment(name)


@pytest.mark.parametrize("name", ["Ingestion Flow", "Flow (A)", "x Flow (A) y", "x Flow ()"])
def test_other_names_are_not_flow_names(name: str) -> None:
    with pytest.raises(ConfigError):
        parse_flow_name(name)


@pytest.mark.parametrize("name", ["", "  ", "a/b", "50 %", "R&D", "<b>", "a (b)", "a\nb"])
def test_display_names_that_prefect_refuses(name: str) -> None:
    with pytest.raises(ConfigError):
        Department("a", name)


def test_flow_stem_must_be_an_identifier() -> None:
    with pytest.raises(ConfigError, match="Use 'fetch_it'"):
        Category(ALPHA.stage("ingestion"), "a", "Fetch-It")


def test_a_flow_of_no_department_has_names_too() -> None:
    flow = GenericFlow("report_drift")

    assert flow.flow_name == "Report Drift Flow"
    assert flow.deployment == "generic.report_drift"
    assert str(flow.flow_file) == "flows/generic/report_drift_flow.py"
    assert flow.flow_function == flow.flow_file.stem
    assert flow.tags == ("airnub", "generic")


def test_no_department_is_called_generic() -> None:
    with pytest.raises(ConfigError, match="is reserved for flows of no department"):
        Department("generic", "Generic")


@pytest.mark.parametrize(
    ("tags", "owners"),
    [
        (("airnub", "department:b", "department:a", "stage:x"), ("a", "b")),
        (("airnub", "generic"), ("generic",)),
        (("airnub", "generics", "mine"), ()),
    ],
)
def test_tags_tell_whose_an_object_is(tags: tuple[str, ...], owners: tuple[str, ...]) -> None:
    assert owners_of(tags) == owners
