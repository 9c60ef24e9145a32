"""What the pipeline's command line says, and where its steps run: here, or as Jobs of a cluster."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from airnub_prefect_starter.cli.context import opened_store
from airnub_prefect_starter.cli.remote import chosen_release, on_cluster
from airnub_prefect_starter.common.addresses import TELCO_SAMPLE, TELCO_URL, address_of, path_of
from airnub_prefect_starter.common.errors import (
    ConfigError,
    ObjectNotFoundError,
    ScriptFailedError,
    SourceRejectedError,
    SourceUnavailableError,
    TooSlowError,
)
from airnub_prefect_starter.common.names import unknown
from airnub_prefect_starter.common.settings import TELCO_SOURCE, Settings, load_settings
from airnub_prefect_starter.control.environment import Layout, read_state, use_platform
from airnub_prefect_starter.core.departments import load_catalog
from airnub_prefect_starter.core.ml.promotion import champion_line
from airnub_prefect_starter.core.ml.registry import ModelRegistry
from airnub_prefect_starter.core.store import Store, department_url

DEPARTMENT = "customer_churn"
SAMPLE = "sample"
_AIRNUB = (sys.executable, "-m", "airnub_prefect_starter")
_OTHER_SOURCE = f"Name another by --source PATH|URL, or a made-up one by --source {SAMPLE}"
_NOT_FETCHED = {
    error.exit_code for error in (SourceUnavailableError, SourceRejectedError, TooSlowError)
}


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        source: Address or path of the table, ``sample``, or None for the settings' or the default.
        changes: Step's stage → changes to its configuration.
        timeout_s: How long an attempt at a step may take, in seconds.
        on_cluster: Whether the steps are Jobs.
        release: Options that name the release there.
    """

    source: str | None
    changes: Mapping[str, Sequence[str]]
    timeout_s: float
    on_cluster: bool
    release: Mapping[str, str | None]


def parse(
    description: str | None, stages: Collection[str], arguments: Sequence[str] | None = None
) -> Options:
    """Read the command line.

    Raises:
        UnknownNameError: A change is for a step that there is not. No retry.
        ConfigError: What is of this machine is to change a run on a cluster. No retry.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", metavar="PATH|URL", help=f"churn table, or {SAMPLE!r}")
    parser.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="STAGE.CATEGORY.KEY=VALUE",
        help="change the configuration of this run",
    )
    parser.add_argument(
        "--timeout", type=float, default=3600, metavar="SECONDS", help="of an attempt at a step"
    )
    parser.add_argument("--on", choices=["k8s"], help="run on a release of the Helm chart")
    for name in ("context", "release", "namespace"):
        parser.add_argument(f"--{name}", metavar="NAME", help="as for `airnub run --on k8s`")
    found = parser.parse_args(arguments)
    if found.on and (found.source or found.changes):
        raise ConfigError(
            "--source and --set do not reach a cluster, where Variables say what runs",
            "Set addresses.TELCO_SOURCE in the chart's values (docs/customer-churn.md)",
        )
    return Options(
        source=found.source,
        changes=_by_stage(found.changes, stages),
        timeout_s=found.timeout,
        on_cluster=found.on is not None,
        release={name: getattr(found, name) for name in ("context", "release", "namespace")},
    )


def _by_stage(changes: Sequence[str], stages: Collection[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for change in changes:
        stage, _, rest = change.partition(".")
        if stage not in stages:
            raise unknown("step", stage, stages)
        found.setdefault(stage, []).append(rest)
    return found


def chosen_source(given: str | None, settings: Settings) -> str:
    """Give the address of the table: the option's, else the settings', else the published one's.

    Raises:
        ConfigError: There is no such file. No retry.
    """
    if given == SAMPLE:
        return f"{settings.environment['SOURCES_URL']}{TELCO_SAMPLE}"
    if given is not None:
        address = address_of(given)
    elif settings.telco_csv is None and TELCO_SOURCE not in settings.environment:
        address = TELCO_URL
    else:
        address = settings.telco_source
    if address.startswith("file:") and not path_of(address.partition("#")[0]).is_file():
        raise ConfigError(f"There is no file {address}", _OTHER_SOURCE)
    return address


def start_on_platform() -> None:
    """Let this process find a server: that of the settings, else the embedded platform's.

    Prefect, which is imported already, reads the environment once: the program begins again.
    """
    settings = load_settings()
    named = settings.environment.get("PREFECT_API_URL")
    if named and named == os.environ.get("PREFECT_API_URL"):
        return
    if named:
        os.environ.update(settings.environment)
    else:
        _run_or_exit([*_AIRNUB, "up"])
        state = read_state(Layout(settings.home))
        if state is not None:
            use_platform(settings, state, os.environ)
    _begin_again()


def _begin_again() -> NoReturn:
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves


def _run_or_exit(command: Sequence[str]) -> None:
    """Run one of our own commands, with its output beside the pipeline's; end with its code."""
    code = subprocess.run(command, stdout=sys.stderr, check=False).returncode  # noqa: S603
    if code != 0:
        sys.exit(code)


@contextmanager
def naming_other_sources() -> Iterator[None]:
    """Say what else can be done where the table cannot be fetched."""
    try:
        yield
    except ScriptFailedError as error:
        if error.exit_status not in _NOT_FETCHED:
            raise
        raise ScriptFailedError(error.message, _OTHER_SOURCE, error.exit_status) from error


def run_as_jobs(release: Mapping[str, str | None]) -> str:
    """Run the stages on a release, each a Job that the success of the one before starts.

    They hand over what they make by refs of the department's store.

    Returns:
        What `champion_of` says of that store.
    """
    settings = load_settings()
    given = [part for name, value in release.items() if value for part in (f"--{name}", value)]
    _run_or_exit([*_AIRNUB, "run", DEPARTMENT, "--on", "k8s", *given])
    chosen = chosen_release(settings, **{_ARGUMENTS[name]: each for name, each in release.items()})
    with on_cluster(settings, chosen, load_catalog(settings).department(DEPARTMENT)) as there:
        address = department_url(there.store_url, DEPARTMENT)
        return champion_of(opened_store(there, address, create=False))


_ARGUMENTS = {"context": "context", "release": "name", "namespace": "namespace"}


def champion_of(store: Store) -> str:
    """Say which model counts now, and how good it is.

    Raises:
        ObjectNotFoundError: None does. No retry before one was trained.
    """
    champion = ModelRegistry(store, DEPARTMENT).champion()
    if champion is None:
        raise ObjectNotFoundError(
            f"{DEPARTMENT} has no champion", "See the gates in the artifact of model building"
        )
    return champion_line(champion)
