"""What the embedded platform's processes get as environment, and where its files are.

Prefect-free on purpose: importing Prefect creates ``PREFECT_HOME``, so whoever wants to use the
embedded server must have set it before (`use_platform`).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings

HOST = "127.0.0.1"

# Settings that cut the server's CPU per task run. Recorder and persister read and write one event
# at a time by default (prefect/settings/models/server/services.py); the flush intervals keep task
# runs and events at most a second behind although they are written in batches.
SERVER_COST_SETTINGS: Mapping[str, str] = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
}

_SERVER_SETTINGS: Mapping[str, str] = {
    **SERVER_COST_SETTINGS,
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    # Leases in memory would crash runs under a concurrency limit when the server restarts.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
        "prefect.server.concurrency.lease_storage.filesystem"
    ),
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}

_WORKER_SETTINGS: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_WORKER_ENABLE_CANCELLATION": "true",
}

# What every run gets, as its deployment's job variable ``env``. Both logging settings are needed
# for the INFO lines of core to reach a run's page; a root level for the worker itself would make it
# log each of its polls.
RUN_ENVIRONMENT: Mapping[str, str] = {
    "PREFECT_LOGGING_EXTRA_LOGGERS": "airnub_prefect_starter",
    "PREFECT_LOGGING_ROOT_LEVEL": "INFO",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "true",
}

# The only Prefect settings that a person's own environment may pass on to the platform: anything
# else could point it at another server, database or profile.
_PASSED_ON = "PREFECT_LOGGING_"


@dataclass(frozen=True)
class Layout:
    """Where the embedded platform keeps its files: below ``settings.home``."""

    home: Path

    @property
    def prefect_home(self) -> Path:
        """``PREFECT_HOME``: database, results without a block, concurrency leases."""
        return self.home / "prefect"

    @property
    def logs(self) -> Path:
        """Folder of the log files."""
        return self.home / "logs"

    @property
    def processes(self) -> Path:
        """Folder of the process records."""
        return self.home / "run"

    @property
    def state(self) -> Path:
        """File with the ports that were taken."""
        return self.home / "platform.json"

    @property
    def schemas(self) -> Path:
        """Folder that keeps what is known of the flows' parameters."""
        return self.home / "parameter-schemas"

    @property
    def token(self) -> Path:
        """File with the token of the sample sources' private API."""
        return self.home / "sources-token"

    @property
    def sources_database(self) -> Path:
        """File of the sample database."""
        return self.home / "sources.db"

    @property
    def lock(self) -> Path:
        """File that `up` and `down` lock, so that two of them take turns."""
        return self.home / "platform.lock"


@dataclass(frozen=True)
class PlatformState:
    """Which ports the platform has; they are kept when it is started again."""

    port: int
    sources_port: int | None = None

    @property
    def ui_url(self) -> str:
        """Address of the UI."""
        return f"http://{HOST}:{self.port}"

    @property
    def api_url(self) -> str:
        """Address of the API."""
        return f"{self.ui_url}/api"


def read_state(layout: Layout) -> PlatformState | None:
    """Read the remembered ports; None if there are none yet.

    Raises:
        PlatformError: The file is not readable as such. No retry.
    """
    try:
        return PlatformState(**json.loads(layout.state.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as exc:
        raise PlatformError(
            f"{layout.state} is not what `airnub up` wrote", "Remove the file"
        ) from exc


def write_state(layout: Layout, state: PlatformState) -> None:
    """Remember the ports."""
    write_atomically(layout.state, json.dumps(asdict(state)))


@contextmanager
def file_errors(home: Path) -> Iterator[None]:
    """Translate what goes wrong with the platform's files.

    Raises:
        PlatformError: A file below ``home`` cannot be read or written. No retry.
    """
    try:
        yield
    except OSError as exc:
        raise PlatformError(
            f"{exc.filename or home}: {exc.strerror or exc}",
            "Make the folder writable and free some space, or set AIRNUB_HOME to another one",
        ) from exc


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a small file so that readers see the old or the new content, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temp.touch(mode=mode)
    try:
        temp.write_text(text)
        temp.replace(path)
    except OSError:
        temp.unlink()
        raise


def sources_token(settings: Settings) -> str:
    """Return the private API's token: the environment's, else one made once for this project.

    Raises:
        PlatformError: It cannot be read or written. No retry.
    """
    given = settings.secret("SOURCES_TOKEN")
    if given is not None:
        return given.get_secret_value()
    file = Layout(settings.home).token
    with file_errors(settings.home):
        if not file.exists():
            write_atomically(file, secrets.token_urlsafe(24), mode=0o600)
        return file.read_text().strip()


def sources_url(settings: Settings, state: PlatformState) -> str | None:
    """Return the sample sources' address: the environment's, else that of the platform's own."""
    given = settings.environment.get("SOURCES_URL")
    if given or state.sources_port is None:
        return given or None
    return f"http://{HOST}:{state.sources_port}"


def own_database_url(settings: Settings) -> str:
    """Return the address of the platform's own sample database."""
    return f"sqlite:///{quote(str(Layout(settings.home).sources_database.absolute()))}"


def _database_url(settings: Settings, state: PlatformState) -> str | None:
    given = settings.environment.get("SOURCES_DATABASE_URL")
    if given or state.sources_port is None:
        return given or None
    return own_database_url(settings)


def _warehouse_url(settings: Settings) -> str:
    """Return the warehouse's address; the platform has none of its own, and says so."""
    return settings.environment.get("WAREHOUSE_URL") or "none"


def _sources(settings: Settings, state: PlatformState) -> dict[str, str]:
    url, database = sources_url(settings, state), _database_url(settings, state)
    return {
        **({"SOURCES_URL": url, "SOURCES_TOKEN": sources_token(settings)} if url else {}),
        **({"SOURCES_DATABASE_URL": database} if database else {}),
    }


def platform_environment(settings: Settings, state: PlatformState) -> dict[str, str]:
    """Compute the variables that point a process at the embedded platform."""
    direct = without_proxy(settings.environment)
    return {
        **_SERVER_SETTINGS,
        **_WORKER_SETTINGS,
        **_sources(settings, state),
        "WAREHOUSE_URL": _warehouse_url(settings),
        "PREFECT_HOME": str(Layout(settings.home).prefect_home),
        "PREFECT_API_URL": state.api_url,
        "PREFECT_UI_URL": state.ui_url,
        "PREFECT_SERVER_UI_API_URL": state.api_url,
        "AIRNUB_PROJECT_ROOT": str(settings.project_root),
        "AIRNUB_HOME": str(settings.home),
        "AIRNUB_STORE_URL": settings.store_url,
        "AIRNUB_DURABILITY": settings.durability,
        # Both, since readers differ in which one wins.
        "NO_PROXY": direct,
        "no_proxy": direct,
    }


def use_platform(
    settings: Settings, state: PlatformState, environ: MutableMapping[str, str]
) -> None:
    """Point a process's environment at the embedded platform, before it imports Prefect.

    Args:
        settings: The project's settings.
        state: The platform's ports.
        environ: What to change: ``os.environ``, or a child's environment.
    """
    for name in [name for name in environ if _is_foreign(name)]:
        del environ[name]
    environ.update(platform_environment(settings, state))


def fingerprint(settings: Settings, state: PlatformState) -> str:
    """Digest what the platform's processes are given, to tell whether that has changed since.

    Only what `platform_environment` sets: a terminal's own variables differ for no reason.
    """
    variables = json.dumps(platform_environment(settings, state), sort_keys=True)
    return hashlib.sha256(variables.encode()).hexdigest()


def child_environment(settings: Settings, state: PlatformState) -> dict[str, str]:
    """Compute the whole environment of the platform's processes."""
    environ = dict(settings.environment)
    use_platform(settings, state, environ)
    return environ


def _is_foreign(name: str) -> bool:
    return name.startswith("PREFECT_") and not name.startswith(_PASSED_ON)


def without_proxy(environment: Mapping[str, str]) -> str:
    """Give the hosts to which no proxy leads: those of the environment, and this machine."""
    given = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    hosts = [host for host in given.split(",") if host]
    return ",".join(dict.fromkeys([*hosts, HOST, "localhost"]))
