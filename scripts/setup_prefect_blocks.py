#!/usr/bin/env python3
"""Register block types and blocks; the same as `airnub config apply --only blocks`.

`--with-docker` also creates the Docker work pool `local-worker-infra`: in Prefect 3 a work pool is
what the `docker-container` block of earlier versions was.
"""

import sys

from airnub_prefect_starter.cli import run_command

if __name__ == "__main__":
    sys.exit(run_command(["config", "apply", "--only", "blocks", *sys.argv[1:]]))
