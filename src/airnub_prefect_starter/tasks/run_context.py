"""What a run knows of its surroundings: its ids, its department's store and secrets."""

import datetime as dt
from functools import cache
from typing import Protocol

from prefect.blocks.system import Secret
from prefect.runtime import deployment, flow_run, task_run
from prefect.settings import PREFECT_API_URL
from pydantic import SecretStr

from airnub_prefect_starter.blocks import ContentStore
from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.identifiers import unknown
from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.core.departments import load_catalog
from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.run_date import date_before
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


def run_date() -> dt.date:
    """Give the date that the current run is about: its own, else the day before it was due."""
    given: dt.date | str | None = flow_run.get_parameters().get("date")
    if given is None:
        return date_before(flow_run.get_scheduled_start_time())
    return dt.date.fromisoformat(str(given))  # a parameter that came through the API is a text


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


class HasSecret(Protocol):
    """A source, or a warehouse: what a secret of the department may open."""

    @property
    def secret_name(self) -> str | None:
        """Name of the secret, if it needs one."""


def source_secret(department: Department, source: HasSecret) -> SecretStr | None:
    """Return the secret that a source's configuration names, or None where it names none.

    Raises:
        ConfigError: See `department_secret`. No retry.
    """
    name = source.secret_name
    return None if name is None else department_secret(department, name)


def department_secret(department: Department, name: str) -> SecretStr:
    """Return one of the secrets that the department's file lists.

    The environment variable that the file states for it wins (in the cluster a Kubernetes Secret
    fills it); else the Secret block that `airnub bootstrap` made counts.

    Raises:
        ConfigError: The department's file does not list it, or it is not set. No retry.
    """
    settings = load_settings()
    entry = load_catalog(settings).department(department.id)
    variable = entry.spec.secrets.get(name)
    if variable is None:
        raise unknown(f"secret of {department.id}", name, entry.spec.secrets)
    given = settings.secret(variable)
    if given is None and not has_server():
        raise ConfigError(f"The secret {variable} is not set", "Set it in the environment or .env")
    return given or _secret_of_block(entry.secret_block(name), variable)


def _secret_of_block(name: str, variable: str) -> SecretStr:
    try:
        block = Secret.load(name)
    except ValueError as error:
        raise ConfigError(
            f"There is no block secret/{name}", f"Set {variable} and run `airnub bootstrap`"
        ) from error
    if not isinstance(block, Secret):
        raise ConfigError(f"Block {name} is not a Secret", "Run `airnub bootstrap`")
    # Not `block.get()`: it parses what looks like JSON, so a token of digits would be a number.
    return SecretStr(block.value.get_secret_value())
