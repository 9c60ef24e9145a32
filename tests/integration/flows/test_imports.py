"""Every module that knows Prefect imports; a placeholder would hide one that does not."""

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint

from airnub_prefect_starter.common.names import Category, Stage
from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.core.departments import load_catalog

ROOT = Path(__file__).parents[3]
CATALOG = load_catalog(load_settings({"AIRNUB_PROJECT_ROOT": str(ROOT)}))
FLOWS: list[Stage | Category] = [*CATALOG.stages, *CATALOG.categories]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda f: f.deployment)
def test_every_entrypoint_loads_without_a_placeholder(flow: Stage | Category) -> None:
    loaded: Flow[..., Any] = load_flow_from_entrypoint(
        f"{ROOT / flow.flow_file}:{flow.flow_function}", use_placeholder_flow=False
    )

    assert loaded.name == flow.flow_name


@pytest.mark.parametrize("folder", ["src/airnub_prefect_starter", "flows"])
def test_every_module_imports(folder: str) -> None:
    start = ROOT / folder
    for path in start.rglob("*.py"):
        name = ".".join((start.name, *path.relative_to(start).with_suffix("").parts))
        if path.name != "__main__.py":
            importlib.import_module(name.removesuffix(".__init__"))


def test_a_run_that_only_fetches_imports_nothing_for_tables_and_plots() -> None:
    """They would cost such a run, and the Job of each category, a second of CPU."""
    program = (
        "import sys, flows.dept_project_alpha.ingestion_flow_dept_project_alpha\n"
        "print(*sorted({'matplotlib', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout.split() == []
