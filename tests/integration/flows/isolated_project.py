"""Departments whose categories are runs of their own, written into a copy of the project."""

from pathlib import Path

LIMITS = "{concurrency_limit: 1, categories_concurrency_limit: 2}"

DEPARTMENT = f"""\
owners: ["@airnub/sample"]
queue: {LIMITS}
stages:
  ingestion:
    isolation: job
    categories: {{left: {{}}, right: {{}}}}
"""

STAGE = """\
import datetime as dt

from prefect import flow

from airnub_prefect_starter.tasks.artifacts import publish_markdown, publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.dept_sample import DEPARTMENT
from flows.dept_sample.ingestion.config import IngestionConfig
from flows.dept_sample.ingestion.left.ingest_left_flow_dept_sample import (
    ingest_left_flow_dept_sample,
)
from flows.dept_sample.ingestion.right.ingest_right_flow_dept_sample import (
    ingest_right_flow_dept_sample,
)

STAGE = DEPARTMENT.stage("ingestion")


@flow(name=STAGE.flow_name)
def ingestion_flow_dept_sample(
    config: IngestionConfig | None = None, date: dt.date | None = None
) -> list[list[str]]:
    config = stage_config(STAGE, IngestionConfig, config, date)
    outcomes = run_together(
        STAGE,
        {
            "left": Subflow(ingest_left_flow_dept_sample, config.left),
            "right": Subflow(ingest_right_flow_dept_sample, config.right),
        },
    )
    publish_markdown("sample-kept", " ".join(outcomes.kept()), "What was kept")
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()
"""

STAGE_CONFIG = """\
from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_sample.ingestion.left.config import LeftConfig
from flows.dept_sample.ingestion.right.config import RightConfig


class IngestionConfig(ConfigModel):
    left: LeftConfig
    right: RightConfig
"""

CATEGORY = """\
import datetime as dt

from prefect import flow

from airnub_prefect_starter.tasks.configuration import category_config
from airnub_prefect_starter.tasks.fan_out import fan_out
from flows.dept_sample.ingestion.{id}.config import CATEGORY, {title}Config
from flows.dept_sample.steps import take


@flow(name=CATEGORY.flow_name)
def ingest_{id}_flow_dept_sample(
    config: {title}Config | None = None, date: dt.date | None = None
) -> list[str]:
    config = category_config(CATEGORY, {title}Config, config, date)
    return fan_out(take, config.steps, name=str).require_all()
"""

CATEGORY_CONFIG = """\
from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_sample import DEPARTMENT

CATEGORY = DEPARTMENT.stage("ingestion").category("{id}")


class {title}Config(ConfigModel):
    steps: tuple[str, ...]
"""

STEPS = '''\
import os
import signal
from pathlib import Path

from prefect import task

from airnub_prefect_starter.common.errors import SourceRejectedError


@task
def take(step: str) -> str:
    """Do what a step says, and return its first word as a result."""
    word, _, rest = step.partition(" ")
    path = Path(rest)
    if word == "bad" or (word == "once" and not path.exists()):
        path.touch()
        raise SourceRejectedError(f"{word} answered 404")
    if word == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return word
'''


def isolate(project: Path, department: str, *stages: str) -> None:
    """Change a department's file: its stages are isolated, and run one at a time."""
    file = project / "configs" / "departments" / f"{department}.yaml"
    text = file.read_text().replace(
        "concurrency_limit: 10\n", "concurrency_limit: 1\n  categories_concurrency_limit: 2\n"
    )
    for stage in stages:
        text = text.replace(f"  {stage}:\n", f"  {stage}:\n    isolation: job\n")
    file.write_text(text)


def add_sample(project: Path) -> None:
    """Add the department `sample`, whose categories take the steps that their parameter names."""
    mapping = project / "configs" / "department_mapping.yaml"
    mapping.write_text(f"{mapping.read_text()}sample: Sample\n")
    flows, values = "flows/dept_sample", "configs/variables/dept_sample/ingestion"
    files = {
        "configs/departments/sample.yaml": DEPARTMENT,
        f"{flows}/__init__.py": (
            "from airnub_prefect_starter.common.names import Department\n\n"
            'DEPARTMENT = Department("sample", "Sample")\n'
        ),
        f"{flows}/steps.py": STEPS,
        f"{flows}/ingestion_flow_dept_sample.py": STAGE,
        f"{flows}/ingestion/__init__.py": "",
        f"{flows}/ingestion/config.py": STAGE_CONFIG,
    }
    for name in ("left", "right"):
        given = {"id": name, "title": name.capitalize()}
        folder = f"{flows}/ingestion/{name}"
        files |= {
            f"{folder}/__init__.py": "",
            f"{folder}/config.py": CATEGORY_CONFIG.format(**given),
            f"{folder}/ingest_{name}_flow_dept_sample.py": CATEGORY.format(**given),
            f"{values}/{name}.yaml": "steps: [one]\n",
        }
    for path, text in files.items():
        file = project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
