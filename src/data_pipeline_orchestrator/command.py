"""What the pipeline's command line says, and where its steps run: here, or as Jobs of a cluster."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from airnub_prefect_starter.cli.context import connect, opened_store, use_keys
from airnub_prefect_starter.cli.remote import chosen_release, on_cluster
from airnub_prefect_starter.common.addresses import (
    TELCO_SAMPLE,
    TELCO_URL,
    address_of,
    is_file_address,
    path_of,
    split_digest,
)
from airnub_prefect_starter.common.errors import (
    BlockedUrlError,
    ConfigError,
    RedirectError,
    RunFailedError,
    ScriptFailedError,
    SourceRejectedError,
    SourceUnavailableError,
    TooSlowError,
    TruncatedBodyError,
)
from airnub_prefect_starter.common.identifiers import unknown
from airnub_prefect_starter.common.settings import TELCO_SOURCE, Settings, load_settings
from airnub_prefect_starter.control.category_configs import changed_config
from airnub_prefect_starter.core.departments import load_catalog
from airnub_prefect_starter.core.ml.promotion import champion_line
from airnub_prefect_starter.core.ml.registry import ModelRegistry
from airnub_prefect_starter.core.store import Store, department_url
from flows.dept_customer_churn import DEPARTMENT

SAMPLE = "sample"
_AIRNUB = (sys.executable, "-m", "airnub_prefect_starter")
_OTHER_SOURCE = f"Name another by --source PATH|URL, or a synthetic one by --source {SAMPLE}"
_NOT_FETCHED = {
    error.exit_code
    for error in (
        BlockedUrlError,
        RedirectError,
        SourceRejectedError,
        SourceUnavailableError,
        TooSlowError,
        TruncatedBodyError,
    )
}
_TIMEOUT_S = 3600.0
_RELEASE = ("context", "release", "namespace")


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        source: Address or path of the table, ``sample``, or None for the settings' or the default.
        overrides: Step's stage → overrides of its configuration.
        timeout_s: How long an attempt at a step may take, in seconds.
        on_cluster: Whether the steps are Jobs.
        release: Options that name the release there, as `airnub run` has them.
    """

    source: str | None
    overrides: Mapping[str, Sequence[str]]
    timeout_s: float
    on_cluster: bool
    release: Mapping[str, str | None]


def parse(
    description: str | None, stages: Collection[str], arguments: Sequence[str] | None = None
) -> Options:
    """Read the command line.

    Raises:
        UnknownNameError: An override is for a step that there is not. No retry.
        ConfigError: Options of this machine and of a cluster are mixed. No retry.
    """
    found = _parser(description).parse_args(arguments)
    release = {name: getattr(found, name) for name in _RELEASE}
    if found.on and (found.source or found.overrides or found.timeout is not None):
        raise ConfigError(
            "--source, --set and --timeout do not reach a cluster, where Variables say what runs",
            "Set addresses.TELCO_SOURCE in the chart's values (docs/customer-churn.md)",
        )
    if found.timeout is not None and not found.timeout > 0:
        raise ConfigError(f"--timeout {found.timeout:g} leaves no time", "Give more than 0 seconds")
    if not found.on and any(release.values()):
        raise ConfigError("--context, --release and --namespace are of a cluster", "Add --on k8s")
    return Options(
        source=found.source,
        overrides=_by_stage(found.overrides, stages),
        timeout_s=_TIMEOUT_S if found.timeout is None else found.timeout,
        on_cluster=found.on is not None,
        release=release,
    )


def _parser(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", metavar="PATH|URL", help=f"churn table, or {SAMPLE!r}")
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="STAGE.CATEGORY.KEY=VALUE",
        help="override the configuration of this run",
    )
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="of an attempt at a step; an hour if not"
    )
    parser.add_argument("--on", choices=["k8s"], help="run on a release of the Helm chart")
    for name in _RELEASE:
        parser.add_argument(f"--{name}", metavar="NAME", help="as for `airnub run --on k8s`")
    return parser


def _by_stage(overrides: Sequence[str], stages: Collection[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for override in overrides:
        stage, _, rest = override.partition(".")
        if stage not in stages:
            raise unknown("step", stage, stages)
        found.setdefault(stage, []).append(rest)
    return found


def check_overrides(overrides: Mapping[str, Sequence[str]], source: str) -> None:
    """Hold what a run overrides against the models of its steps, before the first one starts.

    Args:
        overrides: Stage → ``CATEGORY.KEY=VALUE``.
        source: Address of the churn table.

    Raises:
        ConfigError: One leads nowhere, or is not what the model says. No retry.
    """
    settings = load_settings({**os.environ, TELCO_SOURCE: source})
    catalog = load_catalog(settings)
    department = catalog.department(DEPARTMENT.id)
    for stage_id, given in overrides.items():
        changed_config(department.stage(stage_id), catalog, settings, given)


def chosen_source(given: str | None, settings: Settings) -> str:
    """Give the address of the table: the option's, else the settings', else the published one's.

    Raises:
        ConfigError: There is no such file, or no server of the sample sources. No retry.
    """
    if given == SAMPLE:
        return f"{settings.resolve('${SOURCES_URL}')}{TELCO_SAMPLE}"
    address = address_of(given) if given else settings.named_telco_source or TELCO_URL
    if is_file_address(address):
        _require_file(address)
    return address


def _require_file(address: str) -> None:
    try:
        path = path_of(split_digest(address)[0])
    except ValueError as error:
        raise ConfigError(f"{address} {error}", _OTHER_SOURCE) from error
    if not path.is_file():
        raise ConfigError(f"There is no file {address}", _OTHER_SOURCE)


def start_on_platform() -> None:
    """Let this process find a server: that of the settings, else the embedded platform's.

    Prefect, which is imported already, reads the environment once: the program begins again where
    that was not yet what it has to be.
    """
    before = dict(os.environ)
    settings = load_settings()
    if not settings.environment.get("PREFECT_API_URL"):
        _run_or_exit([*_AIRNUB, "up"])
    use_keys(connect(settings))
    if dict(os.environ) != before:
        _begin_again()


def end_with_the_terminal() -> None:
    """Let a closed terminal (SIGHUP) end a run as SIGTERM does, unless `nohup` keeps it."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))


def _begin_again() -> NoReturn:
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves


def _run_or_exit(command: Sequence[str], accepted: Collection[int] = (0,)) -> int:
    """Run one of our own commands, with its output beside the pipeline's.

    Returns:
        Its exit code; with one that is not accepted this process ends too.
    """
    code = subprocess.run(command, stdout=sys.stderr, check=False).returncode  # noqa: S603
    if code not in accepted:
        sys.exit(code)
    return code


@contextmanager
def naming_other_sources() -> Iterator[None]:
    """Say what else can be done where the table cannot be fetched."""
    try:
        yield
    except ScriptFailedError as error:
        if error.exit_status not in _NOT_FETCHED:
            raise
        raise ScriptFailedError(error.message, _OTHER_SOURCE, error.exit_status) from error


def run_as_jobs(release: Mapping[str, str | None]) -> int:
    """Run the stages on a release, each a Job that the success of the one before starts.

    They hand over what they make by refs of the department's store. What `champion_of` says of that
    store is printed whatever became of the run: its last stage, inference, may find drift and fail
    after a model was registered.

    Returns:
        The exit code of the run.

    Raises:
        ObjectNotFoundError: It completed, and there is no champion. No retry.
    """
    settings = load_settings()
    given = [part for name, value in release.items() if value for part in (f"--{name}", value)]
    failed = RunFailedError.exit_code
    code = _run_or_exit([*_AIRNUB, "run", DEPARTMENT.id, "--on", "k8s", *given], {0, failed})
    chosen = chosen_release(settings, *(release[name] for name in _RELEASE))
    with on_cluster(settings, chosen, load_catalog(settings).department(DEPARTMENT.id)) as there:
        address = department_url(there.store_url, DEPARTMENT.id)
        store = opened_store(there, address, create=False)
        if code == 0 or ModelRegistry(store, DEPARTMENT.id).champion() is not None:
            print(champion_of(store))  # noqa: T201 - what the program answers
    return code


def champion_of(store: Store) -> str:
    """Say which model counts now, and how good it is.

    Raises:
        ObjectNotFoundError: None does. No retry before one was trained.
    """
    return champion_line(ModelRegistry(store, DEPARTMENT.id).require_champion())
