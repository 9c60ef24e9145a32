"""How tables are kept in shape, as configuration; doing it is in `maintenance.py`."""

from __future__ import annotations

from pydantic import Field

from airnub_prefect_starter.core.configuration import ConfigModel


class Upkeep(ConfigModel):
    """What to do with each table."""

    target_file_mib: int = Field(
        default=128, ge=1, description="Files of a partition are joined up to this size"
    )
    remove: bool = Field(
        default=False, description="Remove files of old versions; else only tell which would go"
    )
    retention_hours: int = Field(
        default=168,
        ge=0,
        description="Files that versions of this age still need stay, for readers and time travel",
    )
