"""Global concurrency limits."""

from __future__ import annotations

from collections.abc import Mapping

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import (
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
)
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse

from airnub_prefect_starter.control.desired import LimitSpec
from airnub_prefect_starter.control.reconcile import Current, Fields, Kind, pages


class Limits(Kind[LimitSpec]):
    """Limits by name; none is ever deleted, since nothing marks those that are ours."""

    name = "limit"

    def describe(self, spec: LimitSpec) -> Fields:
        """See ``Kind.describe``."""
        return {"slots": spec.slots, "active": True, "slot_decay_per_second": 0}

    def owners(self, spec: LimitSpec) -> tuple[str, ...]:
        """See ``Kind.owners``."""
        return spec.owners

    def read(self, client: SyncPrefectClient) -> Mapping[str, Current]:
        """See ``Kind.read``."""
        return {
            each.name: Current(str(each.id), _fields(each))
            for each in pages(client.read_global_concurrency_limits)
        }

    def write(self, client: SyncPrefectClient, spec: LimitSpec, current: Current | None) -> None:
        """See ``Kind.write``."""
        wanted = {"limit": spec.slots, "active": True, "slot_decay_per_second": 0}
        if current is None:
            client.create_global_concurrency_limit(
                GlobalConcurrencyLimitCreate.model_validate({"name": spec.name, **wanted})
            )
        else:
            client.update_global_concurrency_limit(
                spec.name, GlobalConcurrencyLimitUpdate.model_validate(wanted)
            )


def _fields(limit: GlobalConcurrencyLimitResponse) -> Fields:
    return {
        "slots": limit.limit,
        "active": limit.active,
        # As a rate limit it would give its slots back by itself.
        "slot_decay_per_second": limit.slot_decay_per_second,
    }
