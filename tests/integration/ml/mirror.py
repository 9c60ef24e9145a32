"""Mirrors registered versions to MLflow and prints what came of each; started by the tests.

MLflow is installed beside the project, not in it: it is looked for after the project's own
packages, and what its server alone needs is not found, as with the extra's mlflow-skinny.
"""

from __future__ import annotations

import json
import site
import sys

from airnub_prefect_starter.core.ml.mlflow_mirror import core_mirror_version
from airnub_prefect_starter.core.ml.registry import ModelRegistry
from airnub_prefect_starter.core.store import open_store

_SERVER_ONLY = ("flask", "flask_cors", "graphene", "gunicorn", "huey")


def main(packages: str, url: str, wanted: list[tuple[str, int]]) -> None:
    """Mirror versions of the model ``leavers``, each to a server."""
    site.addsitedir(packages)
    for name in _SERVER_ONLY:
        sys.modules[name] = None  # type: ignore[assignment]
    store = open_store(url, create=False)
    for uri, number in wanted:
        version = ModelRegistry(store, "leavers").version(number)
        found = core_mirror_version(store, version, uri, source_id="candidates")
        sys.stdout.write(f"{found.model_dump_json()}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
