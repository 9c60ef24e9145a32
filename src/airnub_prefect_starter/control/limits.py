"""Global concurrency limits."""

from __future__ import annotations

from collections.abc import Mapping

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import (
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
)

from airnub_prefect_starter.control.desired import LimitSpec
from airnub_prefect_starter.control.reconcile import Current, Fields, Kind, pages


class Limits(Kind[LimitSpec]):
    """Limits by name; none is ever deleted, since nothing marks those that are ours."""

    name = "limit"

    def describe(self, spec: LimitSpec) -> Fields:
        """See ``Kind.describe``."""
        return {"slots": spec.slots, "active": True}

    def read(self, client: SyncPrefectClient) -> Mapping[str, Current]:
        """See ``Kind.read``."""
        return {
            each.name: Current(str(each.id), {"slots": each.limit, "active": each.active})
            for each in pages(client.read_global_concurrency_limits)
        }

    def write(self, client: SyncPrefectClient, spec: LimitSpec, current: Current | None) -> None:
        """See ``Kind.write``."""
        if current is None:
            client.create_global_concurrency_limit(
                GlobalConcurrencyLimitCreate(name=spec.name, limit=spec.slots, active=True)
            )
        else:
            client.update_global_concurrency_limit(
                spec.name, GlobalConcurrencyLimitUpdate(limit=spec.slots, active=True)
            )
