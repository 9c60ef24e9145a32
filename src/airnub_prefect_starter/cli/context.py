"""What commands share: the settings, the catalog, and the store that the options name."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from airnub_prefect_starter.common.errors import ConfigError, PlatformError
from airnub_prefect_starter.common.settings import Settings, load_settings
from airnub_prefect_starter.control import platform as embedded
from airnub_prefect_starter.control.environment import PlatformState, use_platform
from airnub_prefect_starter.core.departments import Catalog, load_catalog
from airnub_prefect_starter.core.store import Store, department_url, open_store

DepartmentOption = Annotated[
    str | None,
    typer.Option("--department", "-d", help="Department whose store to use.", metavar="DEPT"),
]
UrlOption = Annotated[
    str | None, typer.Option("--url", help="Address of a store, instead of a department's.")
]


def settings_and_catalog() -> tuple[Settings, Catalog]:
    """Load the settings and every department."""
    settings = load_settings()
    return settings, load_catalog(settings)


def chosen_store(department: str | None, url: str | None, *, create: bool = False) -> Store:
    """Open the store that ``--department`` or ``--url`` names.

    Without either, the only department's store is meant; with several, the choice must be made.

    Raises:
        ConfigError: Both or, with several departments, none is given. No retry.
        ObjectNotFoundError: It does not exist, and ``create`` does not allow to make it. No retry.
        StoreError: It cannot be opened.
    """
    settings = load_settings()
    return opened_store(settings, chosen_address(settings, department, url), create=create)


def chosen_address(settings: Settings, department: str | None, url: str | None) -> str:
    """Give the address that ``--department`` or ``--url`` names; see ``chosen_store``."""
    if url and department:
        raise ConfigError("--department and --url are both given", "Give one of them")
    return url or _department_store(settings, department)


def opened_store(settings: Settings, address: str, *, create: bool) -> Store:
    """Open the store at an address with the keys of the settings; see ``open_store``."""
    use_keys(settings)
    return open_store(address, durability=settings.durability, create=create)


def use_keys(settings: Settings) -> None:
    """Let boto3, which reads the environment alone, find what ``.env`` says of the object store."""
    for name, value in settings.environment.items():
        if name.startswith("AWS_"):
            os.environ.setdefault(name, value)


def _department_store(settings: Settings, department: str | None) -> str:
    catalog = load_catalog(settings)
    if department is None:
        if len(catalog.entries) > 1:
            known = ", ".join(catalog.entries)
            raise ConfigError("No department is given", f"Add --department; known: {known}")
        department = next(iter(catalog.entries))
    return department_url(settings.store_url, catalog.department(department).name.id)


def connect(settings: Settings) -> Settings:
    """Point this process at a Prefect server, and return the settings that hold there.

    ``PREFECT_API_URL`` names the server if it is set; else it is the embedded one. Must be called
    before Prefect is imported: it reads the environment once.

    Raises:
        PlatformError: No server is named and the embedded one does not run. No retry.
    """
    if settings.environment.get("PREFECT_API_URL"):
        os.environ.update(settings.environment)
        return settings
    # Its own process must run: another server may have taken the port that it had.
    found = embedded.status(settings)
    runs = any(each.name == embedded.SERVER and each.pid for each in found.processes)
    if found.state is None or not runs:
        raise PlatformError("No Prefect server runs here and none is named", "Run `airnub up`")
    return connect_embedded(settings, found.state)


def connect_embedded(settings: Settings, state: PlatformState) -> Settings:
    """Point this process at the embedded platform, whatever server the environment names."""
    use_platform(settings, state, os.environ)
    return load_settings()
