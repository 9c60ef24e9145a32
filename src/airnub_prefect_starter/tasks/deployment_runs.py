"""Running a deployment for something that happened elsewhere."""

from typing import Any

from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound

from airnub_prefect_starter.common.errors import ConfigError, RunFailedError


def run_for_object(name: str, key: str, etag: str) -> tuple[str, str]:
    """Run a deployment for a stored object, and wait for it: in the cluster, a Kubernetes Job.

    Its parameters are its own; a tag of the run names the object. A second call for the same
    object finds the first run.

    Args:
        name: ``FLOW/DEPLOYMENT``.
        key: The object's.
        etag: Which of its versions.

    Returns:
        Id and state of the run.

    Raises:
        ConfigError: There is no such deployment. No retry.
        RunFailedError: The run did not complete. No retry.
    """
    try:
        run: Any = run_deployment(name, idempotency_key=f"{key}.{etag}", tags=[f"object:{key}"])
    except ObjectNotFound as error:
        raise ConfigError(
            f"There is no deployment {name!r}", "See `prefect deployment ls`"
        ) from error
    if not run.state.is_completed():
        raise RunFailedError(f"The run {run.name} of {name} ended {run.state.name}")
    return str(run.id), run.state.name
