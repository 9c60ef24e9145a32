"""Where gold tables are published to, as configuration; connecting is in `warehouse.py`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.database.url import check_database_url, is_sqlite
from airnub_prefect_starter.core.manifest_models import RefText
from airnub_prefect_starter.core.sources import SecretName

NO_WAREHOUSE = "none"
# What PostgreSQL keeps of a name. Lower case, so that nobody has to quote it.
_Name = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]


def _address(url: str) -> str:
    if url == NO_WAREHOUSE:
        return url
    check_database_url(url)
    if is_sqlite(url):
        raise ValueError("must be a postgresql:// address, or none")
    return url


class PublishedTable(ConfigModel):
    """A table of the warehouse and where its rows come from."""

    name: _Name = Field(description="Name of the table in the warehouse")
    input: RefText = Field(description="Ref of the snapshot whose rows it has")

    @property
    def source_id(self) -> str:
        """What a run calls it."""
        return self.name


class Warehouse(ConfigModel):
    """A PostgreSQL in which a schema is ours."""

    url: Annotated[str, Field(max_length=2048), AfterValidator(_address)] = Field(
        description="postgresql://USER@HOST/DATABASE without a password, or none"
    )
    secret: SecretName | None = Field(
        default=None, description="Name of the secret that is the password"
    )
    db_schema: _Name = Field(default="warehouse", description="Made if it is not there")
    connect_timeout_s: int = Field(default=10, ge=1, description="Connecting, to each address")
    statement_timeout_s: int = Field(
        default=300, ge=1, description="For each statement, waiting for locks included"
    )

    @property
    def is_configured(self) -> bool:
        """Whether there is one."""
        return self.url != NO_WAREHOUSE

    @property
    def secret_name(self) -> str | None:
        """Name of the department's secret that opens it, if it needs one."""
        return self.secret
