"""What the embedded object store should have: a bucket, and a key for each department."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.desired import ObjectStoreSpec, StoreUserSpec
from airnub_prefect_starter.core.cluster import ClusterConfig
from airnub_prefect_starter.core.departments import Catalog, DepartmentEntry
from airnub_prefect_starter.core.store import department_url
from airnub_prefect_starter.core.store.s3_address import parse_s3_url

# Beside the cluster's file: the Secret whose keys are <department>.access-key-id and so on.
USERS_FOLDER = "s3-users"
_ROOT_USER, _ROOT_PASSWORD = "OBJECT_STORE_ROOT_USER", "OBJECT_STORE_ROOT_PASSWORD"


def object_store(
    catalog: Catalog, cluster: ClusterConfig, settings: Settings
) -> ObjectStoreSpec | None:
    """Describe the embedded object store; None if the store is not ours to set up.

    Raises:
        ConfigError: A key or the address of the store is missing or wrong. No retry.
    """
    endpoint, file = cluster.s3.endpoint_url, settings.cluster_file
    if not cluster.s3.embedded or endpoint is None or file is None:
        return None
    users = tuple(_users(catalog, file.parent / USERS_FOLDER, settings))
    return ObjectStoreSpec(
        endpoint_url=endpoint,
        region=cluster.s3.region,
        root_user=_required(settings, _ROOT_USER),
        root_password=_required(settings, _ROOT_PASSWORD),
        bucket=parse_s3_url(settings.store_url).bucket,
        users=users,
    )


def _users(catalog: Catalog, folder: Path, settings: Settings) -> Iterator[StoreUserSpec]:
    owners: dict[str, str] = {}
    for entry in catalog.entries.values():
        access_key = _read(entry, folder, "access-key-id")
        other = owners.setdefault(access_key, entry.name.id)
        if other != entry.name.id:
            raise ConfigError(
                f"Departments {other} and {entry.name.id} have the same key to the object store",
                f"Give them different ones in the Secret that is mounted at {folder}",
            )
        yield StoreUserSpec(
            department=entry.name,
            access_key=access_key,
            secret_key=SecretStr(_read(entry, folder, "secret-access-key")),
            prefix=parse_s3_url(department_url(settings.store_url, entry.name.id)).prefix,
        )


def _read(entry: DepartmentEntry, folder: Path, what: str) -> str:
    file = folder / f"{entry.name.id}.{what}"
    try:
        value = file.read_text().strip()
    except OSError as error:
        raise ConfigError(
            f"{file}: cannot be read: {error.strerror}",
            f"Add {file.name} to the Secret, or run `airnub render` and upgrade the release",
        ) from error
    if not value:
        raise ConfigError(f"{file} is empty", "Give the key of the Secret a value")
    return value


def _required(settings: Settings, name: str) -> SecretStr:
    value = settings.secret(name)
    if value is None:
        raise ConfigError(f"{name} is not set", "The chart sets it from the object store's Secret")
    return value
