"""Everything that must be registered, in order: what ``airnub bootstrap`` and the Helm hook run.

The server is the one that ``PREFECT_API_URL`` names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.automations import Automations
from airnub_prefect_starter.control.blocks import Blocks, BlockSpec, BlockTypes, block_key
from airnub_prefect_starter.control.deployments import Deployments
from airnub_prefect_starter.control.desired import DesiredState, ObjectStoreSpec
from airnub_prefect_starter.control.environment import Layout
from airnub_prefect_starter.control.limits import Limits
from airnub_prefect_starter.control.pools import WorkPools, WorkQueues
from airnub_prefect_starter.control.reconcile import Kind, Plan, Summary, apply_plan, make_plan
from airnub_prefect_starter.control.scope import EVERYTHING, Scope
from airnub_prefect_starter.control.variables import Variables

# Kinds whose managed objects are deleted when they are no longer wanted.
PRUNED = frozenset(
    {
        Variables.name,
        WorkQueues.name,
        Deployments.name,
        Automations.name,
        "object store policy",
        "object store user",
    }
)
# Kinds that are planned together: by `airnub config` and by `airnub deploy`.
GROUPS = {
    "config": (BlockTypes.name, Blocks.name, Variables.name),
    "deploy": (WorkPools.name, WorkQueues.name, Limits.name, Deployments.name, Automations.name),
}
_POLL_S = 0.5
_PROGRESS_S = 2


def bootstrap(
    desired: DesiredState,
    *,
    settings: Settings,
    on_progress: Callable[[str], None],
    kinds: Collection[str] | None = None,
    prune: Collection[str] = PRUNED,
) -> Summary:
    """Register what should be and is not; a second run changes nothing.

    Args:
        desired: What should be registered.
        settings: For how long to wait for the server.
        on_progress: Called with a line per change.
        kinds: Names of the kinds to look at; None for all.
        prune: Names of the kinds whose managed but unwanted objects are deleted.

    Raises:
        PlatformError: No server is named, or it does not answer.
        ExceptionGroup: Some objects failed, each named with its reason; the others are registered.
    """
    with connect(settings, on_progress) as client:
        wanted = _kinds(desired, settings, on_progress, kinds)
        return apply_plan(make_plan(wanted, client, prune=prune), client, on_progress)


def plan_bootstrap(
    desired: DesiredState,
    *,
    settings: Settings,
    on_progress: Callable[[str], None],
    kinds: Collection[str] | None = None,
    scope: Scope = EVERYTHING,
) -> Plan:
    """Compute what `bootstrap` would do and change nothing; see ``Plan.require_none``.

    Args:
        desired: What should be registered.
        settings: For how long to wait for the server.
        on_progress: Called while it is waited for.
        kinds: Names of the kinds to look at; None for all.
        scope: Whose objects to look at.

    Raises:
        PlatformError: No server is named, or it does not answer.
    """
    with connect(settings, on_progress) as client:
        wanted = _kinds(desired, settings, on_progress, kinds)
        return make_plan(wanted, client, prune=PRUNED, scope=scope)


def carry_out(plan: Plan, *, settings: Settings, on_progress: Callable[[str], None]) -> Summary:
    """Do what a plan says.

    Raises:
        PlatformError: No server is named, or it does not answer.
        ExceptionGroup: Some objects failed, each named with its reason; the others are done.
    """
    with connect(settings, on_progress) as client:
        return apply_plan(plan, client, on_progress)


@contextmanager
def connect(settings: Settings, on_progress: Callable[[str], None]) -> Iterator[SyncPrefectClient]:
    """Open a client for the server of ``PREFECT_API_URL`` when it answers.

    Raises:
        PlatformError: None is named, or it does not answer in ``settings.start_timeout_s``.
    """
    if not PREFECT_API_URL.value():
        # Prefect would start a server of its own and forget it.
        raise PlatformError("PREFECT_API_URL is not set", "Run `airnub up`, or name a server")
    with get_client(sync_client=True) as client:
        _await_api(client, settings.start_timeout_s, on_progress)
        yield client


def _await_api(
    client: SyncPrefectClient, timeout_s: float, on_progress: Callable[[str], None]
) -> None:
    _await(str(client.api_url), client.api_healthcheck, timeout_s, on_progress)


def _await(
    url: str,
    error_of: Callable[[], Exception | None],
    timeout_s: float,
    on_progress: Callable[[str], None],
) -> None:
    begun = time.monotonic()
    shown = begun - _PROGRESS_S
    while (error := error_of()) is not None:
        now = time.monotonic()
        if now - begun > timeout_s:
            raise PlatformError(
                f"{url} does not answer: {error}",
                "Run `airnub status`, or on a cluster `airnub k8s status`",
            ) from error
        if now - shown >= _PROGRESS_S:
            on_progress(f"Waiting for {url}")
            shown = now
        time.sleep(_POLL_S)


def _kinds(
    desired: DesiredState,
    settings: Settings,
    on_progress: Callable[[str], None],
    names: Collection[str] | None,
) -> list[Kind[Any]]:
    found = _prefect_kinds(desired, settings)
    if desired.object_store is not None and names is None:
        found = [*_store_kinds(desired.object_store, settings, on_progress), *found]
    return [each for each in found if names is None or each.name in names]


def _store_kinds(
    spec: ObjectStoreSpec, settings: Settings, on_progress: Callable[[str], None]
) -> list[Kind[Any]]:
    # Deferred: only a release with an embedded object store needs MinIO's client.
    from airnub_prefect_starter.control.object_store import (  # noqa: PLC0415
        ObjectStore,
        store_kinds,
    )

    store = ObjectStore(spec)
    _await(spec.endpoint_url, store.unready, settings.start_timeout_s, on_progress)
    return store_kinds(store)


def _prefect_kinds(desired: DesiredState, settings: Settings) -> list[Kind[Any]]:
    blocks: tuple[BlockSpec, ...] = (*desired.stores, *desired.secrets)
    return [
        BlockTypes(),
        Blocks({block_key(each): each for each in blocks}),
        Variables({each.name: each for each in desired.variables}),
        WorkPools({each.name: each for each in desired.pools}),
        WorkQueues(desired.queues),
        Limits({each.name: each for each in desired.limits}),
        Deployments(
            {each.key: each for each in desired.deployments}, Layout(settings.home).schemas
        ),
        Automations({each.name: each for each in desired.automations}),
    ]
