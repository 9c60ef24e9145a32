"""What a run knows of its surroundings: its ids, its department's store and secrets."""

from functools import cache

from prefect.blocks.system import Secret
from prefect.runtime import deployment, flow_run, task_run
from prefect.settings import PREFECT_API_URL
from pydantic import SecretStr

from airnub_prefect_starter.blocks import ContentStore
from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.sources import HttpSource
from airnub_prefect_starter.core.store import Store, department_url, open_store


def has_server() -> bool:
    """Tell whether a Prefect server was named; without one, Git alone configures a run."""
    return bool(PREFECT_API_URL.value())


def run_info() -> RunInfo:
    """Return the ids of the current run, as manifests record them."""
    return RunInfo(
        flow_run_id=flow_run.get_id(),
        task_run_id=task_run.get_id(),
        deployment=deployment.get_name(),
    )


@cache
def department_store(department: Department) -> Store:
    """Open a department's content store: its block's, or the settings' where there is no server.

    Raises:
        ConfigError: The block is not registered. No retry.
        StoreError: The store cannot be opened.
    """
    if has_server():
        return _load_block(department).get_store()
    settings = load_settings()
    return open_store(
        department_url(settings.store_url, department.id), durability=settings.durability
    )


def _load_block(department: Department) -> ContentStore:
    try:
        block = ContentStore.load(department.block)
    except ValueError as error:  # what Prefect raises for a block that does not exist
        raise ConfigError(
            f"There is no block content-store/{department.block}", "Run `airnub bootstrap`"
        ) from error
    if not isinstance(block, ContentStore):
        raise ConfigError(
            f"Block {department.block} is not a ContentStore", "Run `airnub bootstrap`"
        )
    return block


def load_secret(block_name: str, variable: str) -> SecretStr:
    """Return a secret: from the environment (a Kubernetes Secret there), else from its block.

    Args:
        block_name: The Secret block.
        variable: The environment variable that wins over it.

    Raises:
        ConfigError: Neither is there. No retry.
    """
    settings = load_settings()
    from_environment = settings.secret(variable)
    if from_environment:
        return from_environment
    if not has_server():
        raise ConfigError(
            f"The secret {variable} is not set", f"Set {variable} in the environment or .env"
        )
    try:
        value = Secret.load(block_name).get()
    except ValueError as error:
        raise ConfigError(
            f"There is no block secret/{block_name}", f"Set {variable} and run `airnub bootstrap`"
        ) from error
    return value if isinstance(value, SecretStr) else SecretStr(str(value))


def source_secret(department: Department, source: HttpSource) -> SecretStr | None:
    """Return the secret that a source's configuration names, or None where it names none.

    The block is ``<department>-<secret>`` and the variable ``<DEPARTMENT>_<SECRET>``, as the
    department's file declares them.

    Raises:
        ConfigError: It is named but not set. No retry.
    """
    if source.auth is None:
        return None
    variable = f"{department.id}_{source.auth.secret}".upper().replace("-", "_")
    return load_secret(f"{department.block}-{source.auth.secret}", variable)
