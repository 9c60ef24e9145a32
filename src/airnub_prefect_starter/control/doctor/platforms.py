"""Which platform is meant: the embedded one, a server that is named, or a release on a cluster."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.control.doctor.context import Commands, Context, Platform, Server
from airnub_prefect_starter.control.environment import Layout, child_environment, read_state
from airnub_prefect_starter.control.k8s.release import Release

_EMBEDDED = Commands(
    start="airnub up",
    update="airnub down && airnub up",
    register="airnub bootstrap",
    worker="airnub down && airnub up",
    lost="airnub down && airnub up   # what is lost becomes Crashed",
)
_NAMED = Commands(
    start="Start the server, or correct PREFECT_API_URL",
    update="Give both the same version: `make setup` here",
    register="airnub bootstrap",
    worker="prefect worker start --pool {pool}",
)


def embedded() -> Platform:
    """Mean the embedded platform."""
    return Platform(_EMBEDDED, _embedded_server)


def _embedded_server(context: Context) -> Server:
    state = read_state(Layout(context.settings.home))
    if state is None:
        raise PlatformError("The embedded platform was never started", _EMBEDDED.start)
    environment = child_environment(context.settings, state)
    return Server(environment, load_settings(environment))


def named() -> Platform:
    """Mean the server that ``PREFECT_API_URL`` names."""
    return Platform(_NAMED, lambda context: Server(context.settings.environment, context.settings))


def on_cluster(release: Release, ports: ExitStack) -> Platform:
    """Mean a release of the chart; ``ports`` keeps open what leads there."""
    return Platform(_commands(release), _release_server, release, ports)


def _commands(release: Release) -> Commands:
    where = f"--namespace {release.namespace}"
    restart = " ".join(release.kubectl("rollout", "restart", where))
    upgrade = (
        f"helm upgrade {release.name} helm/airnub-prefect --kube-context {release.context} "
        f"{where} --reset-then-reuse-values --timeout 10m"
    )
    return Commands(
        start=f"{restart} deployment/{release.object_name('server')}",
        update=upgrade,
        register=upgrade,
        worker=f"{restart} deployment/{release.object_name('worker-{pool}')}",
    )


def _release_server(context: Context) -> Server:
    access = context.access
    folder = context.platform.ports.enter_context(TemporaryDirectory(prefix="airnub-doctor-"))
    environment = access.registration(context.settings, Path(folder))
    return Server(access.api(), load_settings(environment))
