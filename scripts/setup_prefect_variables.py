#!/usr/bin/env python3
"""Load configs/variables/ into Prefect Variables: `airnub config apply --only variables`."""

import sys

from airnub_prefect_starter.cli import run_command

if __name__ == "__main__":
    sys.exit(run_command(["config", "apply", "--only", "variables", *sys.argv[1:]]))
