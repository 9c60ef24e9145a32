"""Check the data lake and its runs: an entry point to the stage `monitoring`.

Checks freshness, volume, nulls, duplicates, schema and drift of the tables, measures the runs,
routes alerts and draws the dashboard. Something critical ends the run Failed, and the program with
its exit code.

Examples:
  python flows/monitoring/data_quality_monitor.py
  AIRNUB_STORE_URL=s3://lake/stores python flows/monitoring/data_quality_monitor.py
"""

import argparse
import json
from typing import Any

from airnub_prefect_starter.control.programs import run_program
from flows.dept_data_lake.monitoring_flow_dept_data_lake import monitoring_flow_dept_data_lake


def main() -> None:
    """Run with the stage's configuration, and print the verdict."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    state = monitoring_flow_dept_data_lake(return_state=True)
    result: Any = state.result()  # a flow that returns a state is typed as one of states
    found = {"verdict": state.message, "dashboard": f"{result.namespace}/{result.source_id}"}
    print(json.dumps(found, indent=2))  # noqa: T201 - what the program answers


if __name__ == "__main__":
    run_program(main)
