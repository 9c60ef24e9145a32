"""One step of the pipeline: a stage's flow, run in this process on what the YAML files say.

Example:
  python src/data_pipeline_orchestrator/step.py validation contracts.validation.drop_identical_sources=false
"""  # noqa: E501 - a command is one line

import argparse
import importlib
from collections.abc import Iterator

from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.control.category_configs import changed_config
from airnub_prefect_starter.control.programs import run_program
from airnub_prefect_starter.core.departments import load_catalog
from airnub_prefect_starter.core.manifest_models import DerivedResult, SourceResult
from airnub_prefect_starter.core.ml.promotion import Promotion
from flows.dept_customer_churn import DEPARTMENT

Result = SourceResult | DerivedResult | Promotion


def main() -> None:
    """Run the stage that the command line names, and print what it made."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage")
    parser.add_argument("overrides", nargs="*", metavar="CATEGORY.KEY=VALUE")
    options = parser.parse_args()
    for result in run_stage(options.stage, options.overrides):
        print(_line(result))  # noqa: T201 - what the program answers


def run_stage(stage_id: str, overrides: list[str]) -> Iterator[Result]:
    """Run a stage's flow on its configuration, overridden, and give all that its categories made.

    Raises:
        UnknownNameError: There is no such stage. No retry.
        ConfigError: An override or the configuration is wrong. No retry.
        ExceptionGroup: What the flow raised.
    """
    settings = load_settings()
    catalog = load_catalog(settings)
    stage = catalog.department(DEPARTMENT.id).stage(stage_id)
    config = changed_config(stage, catalog, settings, overrides)
    run = getattr(importlib.import_module(stage.module), stage.flow_function)
    for results in run(config):
        yield from results


def _line(result: Result) -> str:
    if isinstance(result, Promotion):
        return result.line
    return f"{result.namespace}/{result.source_id} {result.outcome} {result.manifest}"


if __name__ == "__main__":
    run_program(main)
