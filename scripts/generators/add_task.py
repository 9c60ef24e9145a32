#!/usr/bin/env python3
"""Add a task: `airnub add task`."""

import sys

from airnub_prefect_starter.cli import run_command

if __name__ == "__main__":
    sys.exit(run_command(["add", "task", *sys.argv[1:]]))
