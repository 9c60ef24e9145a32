"""Outages of the Prefect API in the middle of a run: a server that restarts, a node that drains."""

import os

from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient

# What a worker sets in the environment of the run that it starts.
_RUN_OF_A_WORKER = "PREFECT__FLOW_RUN_ID"


class _Always:
    """An attribute that is true, whatever a constructor says."""

    def __get__(self, instance: object, owner: type) -> bool:
        return True

    def __set__(self, instance: object, value: bool) -> None:
        pass


def wait_out_outages() -> None:
    """Let every client of a worker's run retry a refused connection as it does other faults.

    A client of Prefect does so only when it has connected before, so that a wrong address fails at
    once; but many calls open a client of their own, and a worker's run has reached the API
    before it began. Runs that nobody submitted still fail at once.
    """
    if os.environ.get(_RUN_OF_A_WORKER):
        for client in (PrefectHttpxAsyncClient, PrefectHttpxSyncClient):
            client._has_connected = _Always()  # type: ignore[assignment]  # noqa: SLF001
