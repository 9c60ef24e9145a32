"""One step of the pipeline: a stage's flow, run in this process on what the YAML files say.

Example:
  python src/data_pipeline_orchestrator/step.py validation contracts.drop_identical_sources=false
"""

import argparse
import importlib
from collections.abc import Iterator
from typing import Any

from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.control.category_configs import load_section
from airnub_prefect_starter.control.programs import run_program
from airnub_prefect_starter.core.departments import load_catalog
from airnub_prefect_starter.core.manifest_models import DerivedResult, SourceResult
from airnub_prefect_starter.core.ml.promotion import Promotion
from airnub_prefect_starter.core.overrides import apply_overrides

DEPARTMENT = "customer_churn"

Result = SourceResult | DerivedResult | Promotion


def main() -> None:
    """Run the stage that the command line names, and print what it made."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage")
    parser.add_argument("changes", nargs="*", metavar="CATEGORY.KEY=VALUE")
    options = parser.parse_args()
    for result in run_stage(options.stage, options.changes):
        print(_line(result))  # noqa: T201 - what the program answers


def run_stage(stage_id: str, changes: list[str]) -> Iterator[Result]:
    """Run a stage's flow on its configuration with changes, and give all that its categories made.

    Raises:
        UnknownNameError: There is no such stage. No retry.
        ConfigError: A change or the configuration is wrong. No retry.
        ExceptionGroup: What the flow raised.
    """
    settings = load_settings()
    catalog = load_catalog(settings)
    department = catalog.department(DEPARTMENT)
    stage = department.stage(stage_id)
    config: dict[str, Any] = {
        each.id: load_section(each, catalog, settings) for each in department.categories(stage_id)
    }
    run = getattr(importlib.import_module(stage.module), stage.flow_function)
    for results in run(apply_overrides(config, changes)):
        yield from results


def _line(result: Result) -> str:
    if isinstance(result, Promotion):
        return result.line
    return f"{result.namespace}/{result.source_id} {result.outcome} {result.manifest}"


if __name__ == "__main__":
    run_program(main)
