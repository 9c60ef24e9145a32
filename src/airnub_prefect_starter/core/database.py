"""Databases: a table's rows into the store as one document, a row a line; later only new rows."""

from __future__ import annotations

from pydantic import SecretStr

from airnub_prefect_starter.core.fetching import NO_RUN
from airnub_prefect_starter.core.manifest_models import RunInfo, SourceResult
from airnub_prefect_starter.core.sources import DatabaseSource
from airnub_prefect_starter.core.store import Store


def core_fetch_table(
    store: Store,
    source: DatabaseSource,
    *,
    namespace: str,
    run: RunInfo = NO_RUN,
    auth: SecretStr | None = None,
) -> SourceResult:
    """Read a table and store its rows, one canonical JSON object a line, in order of its key.

    Args:
        store: Where to.
        source: Where from, which columns, and what is allowed.
        namespace: The category's namespace in the store.
        run: Which run this is.
        auth: The value of the secret that the source names: the password.
    """
    raise NotImplementedError
