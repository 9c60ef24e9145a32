"""The content store. What does not belong here: HTTP, Prefect, the layout of tables or models."""

from airnub_prefect_starter.core.store.commits import (
    Committed,
    DerivedCommit,
    FetchCommit,
    Validators,
)
from airnub_prefect_starter.core.store.copying import CopyReport, copy_store
from airnub_prefect_starter.core.store.spool import Spool
from airnub_prefect_starter.core.store.store import Store, department_url, open_store

__all__ = [
    "Committed",
    "CopyReport",
    "DerivedCommit",
    "FetchCommit",
    "Spool",
    "Store",
    "Validators",
    "copy_store",
    "department_url",
    "open_store",
]
