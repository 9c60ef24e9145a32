"""One writer at a time for each table of a lake, whichever machine it runs on."""

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.concurrency.sync import concurrency

from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.core.departments import load_catalog
from airnub_prefect_starter.core.lake.table_step import Writers, limit_of
from airnub_prefect_starter.tasks.run_context import has_server

_LEASE_S = 120


@contextmanager
def one_writer(department: Department, table: str, writers: Writers = "single") -> Iterator[None]:
    """Wait until no other run writes a table, and keep it from others while inside.

    A table of many writers needs no turn: its commits are conditional, and conflicts are retried.
    Without a server there are no turns: a second process is a conflict, where the object store
    honours conditional puts; elsewhere no second one may run.

    Raises:
        ConcurrencySlotAcquisitionError: The department's file has no such limit, or it is not
            registered. No retry: add it and run `airnub bootstrap`.
    """
    if writers == "many" or not has_server():
        yield
        return
    # Strict: without its limit a table would have many writers and nobody would know.
    with concurrency(f"{department.id}.{limit_of(table)}", lease_duration=_LEASE_S, strict=True):
        yield


@contextmanager
def no_writer(department: Department, table: str) -> Iterator[None]:
    """Keep a table's writers out while inside, whoever they are.

    Rows go to quarantine in the turn of their silver table. Tables of ``ops`` only grow, beside
    which maintenance may run. A table that has no limit in the department's file has many writers,
    since a single one writes nothing without it: what they commit meanwhile is a conflict, and
    maintenance is tried again.
    """
    layer, _, name = table.partition("/")
    writer = f"silver/{name}" if layer == "quarantine" else table
    limits = load_catalog(load_settings()).department(department.id).spec.limits
    single = layer != "ops" and limit_of(writer) in limits
    with one_writer(department, writer, "single" if single else "many"):
        yield
