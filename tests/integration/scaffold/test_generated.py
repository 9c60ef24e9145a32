"""What the generators write passes every check of the repository, runs, and its tests pass."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from airnub_prefect_starter.cli import run_command
from airnub_prefect_starter.core.store import department_url, open_store
from airnub_prefect_starter.demo.data import SampleTables
from airnub_prefect_starter.demo.database import fill_database
from airnub_prefect_starter.demo.server import SourceServer
from airnub_prefect_starter.scaffold.category import Kind
from tests.project_kit import own_environment

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
COPIED = (
    *("src", "flows", "configs", "scripts", "tests", "notebooks", "helm", ".github"),
    "pyproject.toml",
)
KINDS: tuple[str, ...] = get_args(Kind)

# Departments with the shortest and the longest names that there are, and their stage.
USUAL, SHORT, LONG = "gamma", "d", "l" * 40
STAGES = {USUAL: "ingestion", SHORT: "s", LONG: "t" * 22}  # with a category's 40, as long as may be
CELL = "revenue_at_risk"  # of a notebook, and the task that it becomes
DERIVED = ("customer_churn", "transformation", "feature_store")  # whose first output is no table
OF_SOURCE = f"flows.dept_{USUAL}.{STAGES[USUAL]}.some_file.tasks.{CELL}_task_dept_{USUAL}"
OF_TABLE = f"flows.dept_{'.'.join(DERIVED)}.tasks.{CELL}_task_dept_customer_churn"
TASKS = [
    f"{OF_TABLE.replace('.', '/')}.py",
    "src/airnub_prefect_starter/core/count_lines.py",
    f"src/airnub_prefect_starter/core/{CELL}.py",
    f"tests/unit/core/test_{CELL}.py",
]
# Calls the tasks that were generated on a source and on a derived table.
PROBE = f"""
import pandas as pd
from airnub_prefect_starter.core.manifest_models import DerivedOutput, DerivedResult, SourceResult
from airnub_prefect_starter.core.tables import PARQUET, write_parquet
from airnub_prefect_starter.tasks.run_context import department_store
from flows.dept_{USUAL} import DEPARTMENT as SOURCES
from flows.dept_customer_churn import DEPARTMENT as CHURN
from {OF_SOURCE} import {CELL}_task_dept_{USUAL} as of_source
from {OF_TABLE} import {CELL}_task_dept_customer_churn as of_table

rows = pd.DataFrame({{"Contract": ["One year"], "MonthlyCharges": [20.0], "Churn": ["Yes"]}})
csv, _ = department_store(SOURCES).put_bytes(rows.to_csv(index=False).encode())
snapshot, _ = department_store(CHURN).put_bytes(b"{{}}", media_type="application/json")
table, _ = department_store(CHURN).put_bytes(write_parquet(rows), media_type=PARQUET)
common = {{"source_id": "a", "namespace": "b.c", "outcome": "stored", "manifest": csv.digest}}
source = SourceResult(**common, blob=csv, bytes_in=1, attempts=1)
outputs = (
    DerivedOutput(name="features.customer.json", blob=snapshot),
    DerivedOutput(name="features.parquet", blob=table),
)
print(of_source.fn(source)["lost"].sum())
print(of_table.fn(DerivedResult(**common, outputs=outputs))["lost"].sum())
"""
GENERATED = [
    f"{folder}/dept_{department}"
    for folder in ("flows", "tests/integration/departments")
    for department in STAGES
]


def category(department: str, kind: str) -> str:
    """Name a category: as people would, with one letter, or as long as may be."""
    if department == SHORT:
        return "t" if kind == "lake" else kind[0]  # l is refused
    prefix = "models_" if kind == "model" else f"{kind}_"  # model_ is Pydantic's
    return prefix.ljust(40, "c") if department == LONG else f"some_{kind}"


def run(root: Path, *command: str, **environ: str) -> str:
    """Run a program in the copy, which must succeed; give what it printed."""
    foreign = ("AIRNUB_", "MLFLOW_", "PREFECT_", "SOURCES_", "TELCO_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    own = {
        "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}",
        "PREFECT_HOME": str(root.parent / "prefect"),
        "AIRNUB_PROJECT_ROOT": str(root),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    }
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=root,
        env={**clean, **own, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}"
    return done.stdout


def airnub(root: Path, *arguments: str) -> str:
    return run(root, "python", "-m", "airnub_prefect_starter", *arguments)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the project and let the generators add three departments, each kind in each."""
    root = tmp_path_factory.mktemp("generated") / "project"
    root.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, root / name, ignore=ignored)
        else:
            shutil.copy(source, root / name)
    notebook = str(root / "notebooks" / "01_explore_churn.ipynb")
    with own_environment(AIRNUB_PROJECT_ROOT=str(root)):
        for department, stage in STAGES.items():
            name = "N" * 40 if department == LONG else department.title()
            add("department", department, "--display-name", name)
            for kind in KINDS:
                if (department, kind) == (SHORT, "model"):
                    continue  # its checks take longest, and the two others have what is special
                add("category", department, stage, category(department, kind), "--like", kind)
            add("task", department, stage, category(department, "api"), "count_lines")
            place = (department, stage, category(department, "file"))
            add("task", *place, CELL, "--from", notebook, "--cell", CELL)
        add("task", *DERIVED, CELL, "--from", notebook, "--cell", CELL)
    return root


def add(*arguments: str) -> None:
    assert run_command(["add", *arguments]) == 0


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Serve the sample sources; give the variables that lead to them."""
    database = f"sqlite:///{tmp_path / 'sources.sqlite'}"
    fill_database(database, SampleTables())
    with SourceServer() as server:
        yield {"SOURCES_URL": server.url, "SOURCES_DATABASE_URL": database}


@pytest.mark.parametrize(
    "check",
    [
        ("ruff", "format", "--check", "--no-cache", *GENERATED),
        ("ruff", "check", "--no-cache", *GENERATED),
        ("lint-imports", "--no-cache"),
        ("ruff", "check", "--no-cache", *TASKS),
        ("mypy", *GENERATED, *TASKS),
    ],
    ids=lambda check: " ".join(check[:3]),
)
def test_what_is_generated_passes_the_checks(root: Path, check: tuple[str, ...]) -> None:
    run(root, *check)


@pytest.mark.parametrize("what", ["department", "category", "task"])
def test_the_scripts_of_the_documents_are_the_same_commands(root: Path, what: str) -> None:
    printed = run(root, "python", f"scripts/generators/add_{what}.py", "--help")

    assert f"Example: airnub add {what}" in printed


def test_what_is_generated_is_configured_and_rendered(root: Path) -> None:
    assert "are in order" in airnub(root, "config", "check")
    assert "written" not in airnub(root, "render", "--check")


def test_a_generated_stage_runs_and_stores_what_its_sources_say(
    root: Path, sources: dict[str, str], tmp_path: Path
) -> None:
    store_url = (tmp_path / "store").as_uri()
    flow = root / "flows" / f"dept_{USUAL}" / f"ingestion_flow_dept_{USUAL}.py"

    run(root, "python", str(flow), AIRNUB_STORE_URL=store_url, **sources)

    store = open_store(department_url(store_url, USUAL))
    assert {(namespace, source) for namespace, source, _ in store.refs()} == {
        ("ingestion.some_api", "airports"),
        ("ingestion.some_database", "airlines"),
        ("ingestion.some_database", "flights-daily"),
        ("ingestion.some_file", "airlines"),
        ("ingestion.some_lake", "airlines"),
        ("ingestion.some_lake", "bronze.some_lake"),
        ("ingestion.some_lake", "silver.some_lake"),
        ("ingestion.some_model", "candidates"),
        ("ingestion.some_model", "customers"),
        ("ingestion.some_model", "telco"),
        ("ingestion.some_web", "index"),
    }


def test_a_generated_task_reads_what_was_stored(root: Path, tmp_path: Path) -> None:
    printed = run(root, "python", "-c", PROBE, AIRNUB_STORE_URL=(tmp_path / "store").as_uri())

    assert printed.splitlines() == ["20.0", "20.0"]


def test_the_generated_tests_pass(root: Path) -> None:
    units = [f"tests/unit/core/test_{name}.py" for name in ("count_lines", CELL)]
    tests = [f"tests/integration/departments/dept_{USUAL}", *units]

    printed = run(root, "pytest", "-q", "-p", "no:cacheprovider", *tests)

    assert "18 passed" in printed
