"""``airnub add task --from --cell``: a cell becomes a function, a task and a test."""

from __future__ import annotations

import runpy
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from unittest import mock

import pytest

from tests.notebook_kit import write_notebook
from tests.project_kit import FLOW
from tests.unit.cli.kit import Done, Project, require_one_line

ROOT = Path(__file__).parents[3]
DERIVED_FLOW = "flows/dept_sample/processing/tables/process_tables_flow_dept_sample.py"
CORE = "src/airnub_prefect_starter/core/seats.py"
TEST = "tests/unit/core/test_seats.py"
CELL = '''def seats(table: pd.DataFrame) -> int:
    """Count the seats of all rows."""
    return int(table["seats"].sum())
'''
IMPORT = "from airnub_prefect_starter.core.seats import core_seats as seats"
ASSERTS = 'assert seats(pd.DataFrame({"seats": [1, 2]})) == 3\n'


@pytest.fixture(autouse=True)
def _as_the_repository_formats(project: Project) -> None:
    project.write("pyproject.toml", (ROOT / "pyproject.toml").read_bytes())
    project.write(FLOW, "def download_files_flow_dept_sample() -> list[SourceResult]: ...\n")
    project.write(
        DERIVED_FLOW, "def process_tables_flow_dept_sample() -> list[DerivedResult]: ...\n"
    )
    write_notebook(
        project.root / "notebooks" / "a.ipynb",
        ("", "import pandas as pd"),
        ("seats", CELL),
        ("seats-test", ASSERTS),
        ("bare", CELL),
        ("unclean", CELL.replace("table", "Table")),
        ("free", CELL.replace("sum()", "sum() + rest")),
    )


def add(project: Project, tag: str = "seats", stage: str = "ingestion", *options: str) -> Done:
    category = "files" if stage == "ingestion" else "tables"
    notebook = project.root / "notebooks" / "a.ipynb"
    return project.run(
        "add", "task", "sample", stage, category, "seats", "--from", notebook, "--cell", tag,
        *options,
    )  # fmt: skip


def test_a_cell_becomes_a_function_a_task_and_a_test(project: Project) -> None:
    done = add(project)

    assert done.code == 0, done.stderr
    assert 'def core_seats(table: pd.DataFrame) -> int:\n    """Count' in _text(project, CORE)
    task = _text(project, "flows/dept_sample/ingestion/files/tasks/seats_task_dept_sample.py")
    assert "def seats_task_dept_sample(result: SourceResult) -> int:" in task
    assert "core_seats(pd.read_csv(io.BytesIO(data)))" in task
    assert 'assert core_seats(pd.DataFrame({"seats": [1, 2]})) == 3' in _text(project, TEST)
    assert f"\n    {IMPORT}\n" in done.text
    assert "fan_out(seats_task_dept_sample, outcomes.found, name=source_id)" in done.text


@pytest.mark.parametrize("tag", ["seats", "bare"], ids=["the notebook's", "of its own"])
def test_its_test_passes_and_can_fail(project: Project, tag: str) -> None:
    add(project, tag)

    assert _passes(project)
    core = project.root / CORE
    changed = ("-> int:", "-> object:") if tag == "bare" else (".sum()", ".min()")
    core.write_text(core.read_text().replace(*changed) + "\n")  # of another size: bytecode is stale
    assert not _passes(project)


def test_rows_of_a_derived_table_are_read_as_parquet(project: Project) -> None:
    done = add(project, "seats", "processing")

    assert done.code == 0, done.stderr
    task = _text(project, "flows/dept_sample/processing/tables/tasks/seats_task_dept_sample.py")
    assert "(result: DerivedResult) -> int:" in task
    assert "output = only_output(result, PARQUET)" in task
    assert "core_seats(read_parquet(data))" in task


def test_again_it_changes_nothing_and_never_overwrites(project: Project) -> None:
    add(project)
    again = add(project)
    core = project.root / CORE
    core.write_text(core.read_text() + "\n# Mine.\n")

    refused = add(project)

    assert again.code == 0
    listed = again.text.partition("Next:")[0].splitlines()
    assert listed
    assert all(line.startswith("unchanged  ") for line in listed)
    require_one_line(refused, 8, f"Nothing was written: {CORE} exists with other content")
    assert core.read_text().endswith("# Mine.\n")


def test_the_import_that_is_printed_takes_the_place_of_the_function(project: Project) -> None:
    add(project)
    write_notebook(
        project.root / "notebooks" / "a.ipynb",
        ("seats", f"import pandas as pd\n{IMPORT}"),
        ("seats-test", ASSERTS),
    )

    again = add(project)

    assert again.code == 0, again.stderr
    assert f"\n    {IMPORT}\n" in again.text
    listed = again.text.partition("Next:")[0].splitlines()
    assert all(line.startswith("unchanged  ") for line in listed)
    (project.root / CORE).unlink()
    require_one_line(add(project), 8, f"{CORE} is missing")


def test_a_dry_run_shows_a_diff_and_writes_nothing(project: Project) -> None:
    done = add(project, "seats", "ingestion", "--dry-run")

    assert done.code == 0, done.stderr
    assert "+def core_seats(table: pd.DataFrame) -> int:" in done.text
    assert not (project.root / CORE).exists()


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        ("missing", "no cell tagged 'missing'"),
        ("free", "cell 6: 'rest' is defined nowhere in the notebook above it"),
        ("unclean", "N803 Argument name `Table` should be lowercase"),
    ],
)
def test_what_cannot_be_core_is_refused(project: Project, tag: str, why: str) -> None:
    done = add(project, tag)

    assert done.code == 8
    assert why in done.stderr
    assert not (project.root / CORE).exists()


@pytest.mark.parametrize("option", [("--from", "a.ipynb"), ("--cell", "seats")])
def test_the_two_options_belong_together(project: Project, option: tuple[str, str]) -> None:
    done = project.run("add", "task", "sample", "ingestion", "files", "seats", *option)

    require_one_line(done, 8, "--from and --cell belong together")


def _text(project: Project, name: str) -> str:
    return (project.root / name).read_text()


def _passes(project: Project) -> bool:
    """Run the generated test on the generated function."""
    name = "airnub_prefect_starter.core.seats"
    spec = spec_from_file_location(name, project.root / CORE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    with mock.patch.dict(sys.modules, {name: module}):
        tests = runpy.run_path(str(project.root / TEST))
    try:
        for test in (each for key, each in tests.items() if key.startswith("test_")):
            test()
    except AssertionError:
        return False
    return True
