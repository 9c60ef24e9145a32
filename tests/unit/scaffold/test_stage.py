from __future__ import annotations

import ast
from typing import get_args

import pytest

from airnub_prefect_starter.common.errors import ScaffoldError
from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.scaffold.category import Kind
from airnub_prefect_starter.scaffold.rendering import render
from airnub_prefect_starter.scaffold.stage import require_sources, with_flow, with_section

STAGE = Department("alpha", "Alpha").stage("ingestion")
OLD, NEW = STAGE.category("old"), STAGE.category("new")
MODEL = render("stage/config.py", category=OLD)
FLOW = render("stage/flow.py", category=OLD)
ENTRY = '"old": Subflow(ingest_old_flow_dept_alpha, config.old),'


def keys(text: str) -> list[str]:
    """Read the categories that a stage's flow runs, in their order."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    (call,) = (each for each in calls if getattr(each.func, "id", "") == "run_together")
    assert isinstance(call.args[1], ast.Dict)
    return [ast.literal_eval(key) for key in call.args[1].keys if key]


def test_a_section_comes_last_with_its_import() -> None:
    text = with_section(MODEL, NEW)

    assert text.endswith("    old: OldConfig\n    new: NewConfig\n")
    assert "from flows.dept_alpha.ingestion.new.config import NewConfig\n" in text
    assert with_section(text, NEW) == text


def test_a_section_below_others_of_the_file() -> None:
    text = with_section(f"{MODEL}\n\nOTHER = 'é'\n", NEW)

    assert "    new: NewConfig\n\n\nOTHER" in text


@pytest.mark.parametrize(
    "mapping",
    [
        f"{{\n            {ENTRY}\n        }}",
        f"{{{ENTRY.rstrip(',')}}}",
        f"{{{ENTRY}}}",
        f"{{\n            # é, first\n            {ENTRY}  # why, indeed\n        }}",
        f"{{\n            {ENTRY.rstrip(',')}  # why, indeed\n        }}",
    ],
)
def test_a_flow_is_run_after_the_others(mapping: str) -> None:
    before = FLOW.replace(f"{{\n            {ENTRY}\n        }}", mapping)
    assert mapping in before

    text = with_flow(before, NEW)

    assert keys(text) == ["old", "new"]
    assert f"from {NEW.module} import {NEW.flow_function}\n" in text
    assert text.count("why, indeed") == before.count("why, indeed")
    assert with_flow(text, NEW) == text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("class IngestionConfig", "class Other", "there is no class IngestionConfig"),
        ("class", "klass", "there is no valid Python: invalid syntax in line"),
    ],
)
def test_a_model_of_another_shape_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(ScaffoldError, match=message) as caught:
        with_section(MODEL.replace(old, new), NEW)

    assert "docs/add-a-category.md" in caught.value.remedy


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("def ingestion_flow", "def other_flow", "there is no function ingestion_flow"),
        ("run_together(", "run_apart(", "there is no run_together"),
        ("list[list[SourceResult]]", "list[list[DerivedResult]]", "does not return"),
        ("@flow", "@@", "there is no valid Python"),
    ],
)
def test_a_flow_of_another_shape_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(ScaffoldError, match=message):
        with_flow(FLOW.replace(old, new), NEW)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_flow_of_a_category_of_sources_may_have_tasks(kind: str) -> None:
    text = render(f"kinds/{kind}/flow.py", category=OLD, description="Old.")

    assert require_sources(text, OLD) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def ingest_old_flow_dept_alpha() -> list[DerivedResult]: ...", "does not return"),
        ("def ingest_old_flow_dept_alpha(): ...", "does not return"),
        ("def other() -> list[SourceResult]: ...", "there is no function ingest_old_flow"),
        ("def", "there is no valid Python"),
    ],
)
def test_the_flow_of_another_category_may_not(text: str, message: str) -> None:
    with pytest.raises(ScaffoldError, match=message) as caught:
        require_sources(text, OLD)

    assert caught.value.remedy
