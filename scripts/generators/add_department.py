#!/usr/bin/env python3
"""Add a department: `airnub add department`."""

import sys

from airnub_prefect_starter.cli import run_command

if __name__ == "__main__":
    sys.exit(run_command(["add", "department", *sys.argv[1:]]))
