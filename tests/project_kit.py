"""A small project in a folder of its own: one department, one stage, one category."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from unittest import mock

from airnub_prefect_starter.common.settings import Settings, load_settings

MAPPING = "configs/department_mapping.yaml"
DEPARTMENT = "configs/departments/sample.yaml"
VALUES = "configs/variables/dept_sample/ingestion/files.yaml"
MODEL = "flows/dept_sample/ingestion/files/config.py"
FLOW = "flows/dept_sample/ingestion/files/download_files_flow_dept_sample.py"

FILES = {
    MAPPING: "sample: Sample\n",
    DEPARTMENT: """\
owners: ["@airnub/sample"]
secrets:
  token: SAMPLE_TOKEN
limits:
  pages: 2
queue: {concurrency_limit: 3, priority: 2}
stages:
  ingestion:
    description: Fetch.
    schedules:
      - {cron: "0 6 * * *", timezone: Europe/Dublin, active: false}
    on_success: [processing]
    categories:
      files:
        description: Files.
        flow_stem: download_files
  processing:
    categories:
      tables: {}
""",
    VALUES: """\
files:
  - source_id: airlines
    url: ${SOURCES_URL}/airlines.csv
""",
    "configs/variables/dept_sample/processing/tables.yaml": "rows: 3\n",
    "flows/__init__.py": "",
    "flows/dept_sample/__init__.py": "",
    "flows/dept_sample/ingestion_flow_dept_sample.py": "",
    "flows/dept_sample/processing_flow_dept_sample.py": "",
    "flows/dept_sample/ingestion/__init__.py": "",
    "flows/dept_sample/ingestion/files/__init__.py": "",
    FLOW: "",
    MODEL: """\
from pydantic import Field

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.sources import FileSource


class FilesConfig(ConfigModel):
    files: tuple[FileSource, ...] = Field(min_length=1)
""",
    "flows/dept_sample/processing/__init__.py": "",
    "flows/dept_sample/processing/tables/__init__.py": "",
    "flows/dept_sample/processing/tables/process_tables_flow_dept_sample.py": "",
    "flows/dept_sample/processing/tables/config.py": """\
from airnub_prefect_starter.core.configuration import ConfigModel


class TablesConfig(ConfigModel):
    rows: int
""",
}


def make_project(root: Path) -> Path:
    """Write the project's files below a folder, and return it."""
    for name, text in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def project_settings(root: Path, **environ: str) -> Settings:
    """Load the settings of a project as if the environment held nothing else."""
    return load_settings({"AIRNUB_PROJECT_ROOT": str(root), "AIRNUB_DURABILITY": "none", **environ})


@contextmanager
def own_flows() -> Iterator[None]:
    """Let a project's own ``flows`` package be imported, and leave no trace of it."""
    others = _flows()
    for name in others:
        del sys.modules[name]
    importlib.invalidate_caches()
    with mock.patch.object(sys, "path", [*sys.path]):
        yield
    for name in _flows():
        del sys.modules[name]
    sys.modules.update(others)


def _flows() -> dict[str, ModuleType]:
    return {
        name: module
        for name, module in sys.modules.items()
        if name == "flows" or name.startswith("flows.")
    }


@contextmanager
def own_environment(**environ: str) -> Iterator[None]:
    """Hide the settings of the person who runs the tests, and undo what a command changes."""
    foreign = ("AIRNUB_", "MLFLOW_", "PREFECT_", "SOURCES_", "TELCO_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    with mock.patch.dict(os.environ, {**kept, **environ}, clear=True):
        yield
