"""Mirrors a registered version to MLflow and prints what came of it; started by the tests.

MLflow is installed beside the project, not in it: it is looked for after the project's own
packages, as the extra would have it.
"""

from __future__ import annotations

import os
import site
import sys

from airnub_prefect_starter.core.ml.mlflow_mirror import VARIABLE, core_mirror_version
from airnub_prefect_starter.core.ml.registry import ModelRegistry
from airnub_prefect_starter.core.store import open_store


def main(packages: str, url: str, number: int) -> None:
    """Mirror a version of the model ``leavers`` to the server that the environment names."""
    site.addsitedir(packages)
    store = open_store(url, create=False)
    version = ModelRegistry(store, "leavers").version(number)
    found = core_mirror_version(store, version, os.environ.get(VARIABLE), source_id="candidates")
    sys.stdout.write(found.model_dump_json())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
