"""From the churn table to a champion: six steps in order, each a script that Prefect runs as a task.

Ingestion, validation, preparation, transformation, versioning, model building: the stages of
`flows/dept_customer_churn`. A step that fails is tried once more, and what comes after it does not
start. Without PREFECT_API_URL the embedded platform is started, so that the run and its steps are
in its UI.

Examples:
  python src/data_pipeline_orchestrator/pipeline.py                    # the published table
  python src/data_pipeline_orchestrator/pipeline.py --source churn.csv
  python src/data_pipeline_orchestrator/pipeline.py --source sample    # a synthetic table, no network
  python src/data_pipeline_orchestrator/pipeline.py --set validation.contracts.validation.drop_identical_sources=false
  python src/data_pipeline_orchestrator/pipeline.py --on k8s           # each step a Kubernetes Job
"""  # noqa: E501 - a command is one line

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefect import flow

from airnub_prefect_starter.common.settings import TELCO_SOURCE, load_settings
from airnub_prefect_starter.control.programs import run_program
from airnub_prefect_starter.tasks.run_context import department_store
from airnub_prefect_starter.tasks.run_script import run_script
from data_pipeline_orchestrator.command import (
    SAMPLE,
    champion_of,
    check_overrides,
    chosen_source,
    end_with_the_terminal,
    naming_other_sources,
    parse,
    run_as_jobs,
    start_on_platform,
)
from flows.dept_customer_churn import DEPARTMENT

STEP = Path(__file__).with_name("step.py")
# What document and UI call a step → the stage that does it.
STEPS = {
    "Data Ingestion": "ingestion",
    "Data Validation": "validation",
    "Data Preparation": "preparation",
    "Data Transformation": "transformation",
    "Data Versioning": "versioning",
    "Model Building": "model_building",
}
# A step's lines are logged once more here, where they get the time.
_LINE = "%(levelname)-7s | %(message)s"
LOG_FORMAT = {
    "PREFECT_LOGGING_FORMATTERS_STANDARD_FLOW_RUN_FMT": _LINE,
    "PREFECT_LOGGING_FORMATTERS_STANDARD_TASK_RUN_FMT": _LINE,
}


@flow(name="Data Pipeline Orchestrator")
def data_pipeline(
    source: str,
    overrides: Mapping[str, Sequence[str]] | None = None,
    timeout_seconds: float = 3600,
) -> None:
    """Run the steps one after the other; each reads from the store what the one before has made.

    Args:
        source: Address or path of the churn table.
        overrides: Stage → overrides of its configuration, ``CATEGORY.KEY=VALUE`` each.
        timeout_seconds: How long an attempt at a step may take, in seconds.

    Raises:
        ScriptFailedError: A step failed twice.
    """
    for name, stage in STEPS.items():
        run_script(
            STEP,
            name,
            [stage, *(overrides or {}).get(stage, ())],
            timeout_seconds=timeout_seconds,
            environment={**LOG_FORMAT, TELCO_SOURCE: source},
        )


def main() -> None:
    """Run with the arguments of the command line, and print which model counts now."""
    options = parse(__doc__, STEPS.values())
    if options.on_cluster:
        sys.exit(run_as_jobs(options.release))
    if options.source != SAMPLE:
        chosen_source(options.source, load_settings())  # refused before anything is started
    start_on_platform()
    source = chosen_source(options.source, load_settings())
    check_overrides(options.overrides, source)
    end_with_the_terminal()
    with naming_other_sources():
        data_pipeline(source, options.overrides, options.timeout_s)
    print(champion_of(department_store(DEPARTMENT)))  # noqa: T201 - what the program answers


if __name__ == "__main__":
    run_program(main)
