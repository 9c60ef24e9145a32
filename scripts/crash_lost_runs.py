#!/usr/bin/env python3
"""Mark the unfinished runs of a work pool as Crashed: before the only worker of that pool starts.

A process worker's runs end with it, and Prefect would show them as Running for ever.
"""

import sys

from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.control.bootstrap import connect
from airnub_prefect_starter.control.lost_runs import crash_lost_runs_by


def main(pool: str) -> None:
    """Wait for the server of PREFECT_API_URL and mark the runs."""
    with connect(load_settings(), print) as client:
        marked = crash_lost_runs_by(client, pool, "Its worker ended before it did: run it again")
    if marked:
        print(f"marked {marked} flow runs as Crashed")


if __name__ == "__main__":
    main(*sys.argv[1:])
