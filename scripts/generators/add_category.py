#!/usr/bin/env python3
"""Add a category: `airnub add category`."""

import sys

from airnub_prefect_starter.cli import run_command

if __name__ == "__main__":
    sys.exit(run_command(["add", "category", *sys.argv[1:]]))
