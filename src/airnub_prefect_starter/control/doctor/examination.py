"""The checks of each platform, in the order in which they are told."""

from __future__ import annotations

from airnub_prefect_starter.control.doctor import (
    departments,
    machine,
    registered,
    release,
    server,
    stores,
    work,
)
from airnub_prefect_starter.control.doctor.context import Context
from airnub_prefect_starter.control.doctor.findings import Check

# Under these names other checks need them; a need that is not among a platform's checks is none.
API, LOGIN, CONFIGURATION, RELEASE = "api", "authentication", "configuration", "release"
_KNOWN = (LOGIN, CONFIGURATION)
# Importing Prefect and loading all flows takes seconds, and many on a machine that is busy.
_LOADING_S = 60.0


def _registered(name: str, *kinds: str) -> Check[Context]:
    return Check(name, registered.as_here(*kinds), needs=_KNOWN, limit_s=_LOADING_S)


_SERVER: tuple[Check[Context], ...] = (
    Check(API, server.api, needs=(RELEASE,)),
    Check(LOGIN, server.authentication, needs=(API,)),
    Check("version", server.version, needs=(LOGIN,)),
    Check("clock", server.clock, needs=(API,)),
    Check(CONFIGURATION, registered.configuration, needs=(API,)),
    Check("work pool", work.work_pool, needs=_KNOWN),
    Check("worker", work.worker, needs=_KNOWN),
    _registered("pool settings", "work pool"),
    _registered("work queues", "work queue"),
    _registered("variables", "variable"),
    _registered("blocks", "block type", "block"),
    _registered("limits", "limit"),
    _registered("automations", "automation"),
    _registered("deployments", "deployment"),
    Check("late runs", work.late_runs, needs=(LOGIN,)),
    Check("stuck runs", work.stuck_runs, needs=(LOGIN,)),
    Check("stores", stores.store, needs=(RELEASE,), limit_s=stores.LIMIT_S),
    Check("rendered files", machine.rendered),
)
_OF_PROCESSES: tuple[Check[Context], ...] = (
    Check("secrets", registered.secret_blocks, needs=_KNOWN, limit_s=_LOADING_S),
    Check("sources", machine.sources, needs=(API,)),
    Check("disk", machine.disk),
)

NAMED = (*_SERVER, *_OF_PROCESSES)
EMBEDDED: tuple[Check[Context], ...] = (
    Check("processes", machine.processes),
    Check("port", machine.port),
    *NAMED,
)
ON_CLUSTER: tuple[Check[Context], ...] = (
    Check("cluster", release.cluster),
    Check(RELEASE, release.helm_release, needs=("cluster",)),
    Check("bootstrap", release.bootstrap_job, needs=(RELEASE,)),
    Check("pods", release.pods, needs=(RELEASE,)),
    Check("flows image", release.flows_image, needs=(RELEASE,)),
    Check("worker rights", departments.worker_rights, needs=(RELEASE,)),
    Check("quota", departments.quota, needs=(RELEASE,)),
    Check("secrets", departments.secrets, needs=(RELEASE,)),
    Check("volumes", release.volumes, needs=(RELEASE,)),
    *_SERVER,
)
