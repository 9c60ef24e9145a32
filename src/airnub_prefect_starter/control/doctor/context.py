"""What a check is given: the platform that is meant, and from where on something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property

from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.desired import DesiredState
from airnub_prefect_starter.control.from_departments import desired_state
from airnub_prefect_starter.control.k8s.access import ReleaseAccess
from airnub_prefect_starter.control.k8s.release import Release
from airnub_prefect_starter.control.rest import Api
from airnub_prefect_starter.core.departments import Catalog


@dataclass(frozen=True)
class Thresholds:
    """From where on something is wrong.

    Attributes:
        clock_skew_s: Difference of two clocks, in seconds.
        late_s: How long after its time a run may begin.
        waiting_s: How long a run may be Pending or Cancelling.
        silent_s: How long a Running one may be without a heartbeat; Prefect sends one in 180 s.
        nearly_full: Used part of a disk, volume or quota that is worth a warning.
        full: Used part of a disk or volume at which writing soon fails.
    """

    clock_skew_s: float = 60
    late_s: float = 300
    waiting_s: float = 900
    silent_s: float = 600
    nearly_full: float = 0.9
    full: float = 0.97


@dataclass(frozen=True)
class Commands:
    """What puts a platform right.

    Attributes:
        start: Makes the API answer.
        update: Makes it run the version that is installed here.
        register: Registers everything that should be.
        worker: Gets a worker going; ``{pool}`` stands for the pool's name.
        lost: Gives runs that have lost their process a final state; empty if nothing does.
    """

    start: str
    update: str
    register: str
    worker: str
    lost: str = ""


@dataclass(frozen=True)
class Server:
    """A Prefect server: the variables that point at it, and the settings that hold there."""

    environment: Mapping[str, str]
    settings: Settings


@dataclass(frozen=True)
class Platform:
    """One of the platforms that may be meant.

    Attributes:
        commands: What puts it right.
        find_server: Finds its server, or raises; called once.
        release: The release, if it is on a cluster.
        ports: Keeps open what leads there.
    """

    commands: Commands
    find_server: Callable[[Context], Server]
    release: Release | None = None
    ports: ExitStack = field(default_factory=ExitStack)


class Context:
    """One platform, as the checks see it. What costs something is found once, by who needs it.

    Args:
        settings: The project's settings.
        catalog: The departments.
        platform: The one that is meant.
        thresholds: From where on something is wrong.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        platform: Platform,
        thresholds: Thresholds = Thresholds(),
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.platform = platform
        self.thresholds = thresholds

    @property
    def commands(self) -> Commands:
        """What puts the platform right."""
        return self.platform.commands

    @cached_property
    def server(self) -> Server:
        """The server; the check `api` is the first to ask for it."""
        return self.platform.find_server(self)

    @property
    def api(self) -> Api:
        """The server's API."""
        return Api(self.server.environment)

    @cached_property
    def desired(self) -> DesiredState:
        """What should be registered; the check `configuration` is the first to ask for it."""
        return desired_state(self.catalog, self.server.settings)

    @property
    def release(self) -> Release:
        """The release; only checks of a release may ask for it."""
        if self.platform.release is None:
            raise LookupError("no release is meant")
        return self.platform.release

    @cached_property
    def access(self) -> ReleaseAccess:
        """The ways into the release; the check `release` is the first to ask for them."""
        return ReleaseAccess(self.release, self.platform.ports)

    @property
    def prefect(self) -> str:
        """Prefect's own program for a person, pointed at the server."""
        if not self.on_cluster:
            return f"PREFECT_API_URL={self.api.url} prefect"
        release = self.release
        where = f"--context {release.context} --release {release.name}"
        # Any department will do: it is for the store, which is not needed.
        department = next(iter(self.catalog.entries))
        return f"airnub k8s exec {where} --namespace {release.namespace} {department} prefect"

    @property
    def on_cluster(self) -> bool:
        """Whether a release is meant."""
        return self.platform.release is not None
