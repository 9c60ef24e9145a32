"""``airnub demo``: Project Alpha from sources to stored, verified, traceable data."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Annotated, Any

import requests
import typer

from airnub_prefect_starter.cli.context import opened_store, settings_and_catalog
from airnub_prefect_starter.cli.output import (
    JsonOption,
    counted,
    patience,
    progress,
    say,
    show_json,
)
from airnub_prefect_starter.cli.platform import start
from airnub_prefect_starter.cli.run import Finished, as_dict, execute, show_finished
from airnub_prefect_starter.common.errors import ConfigError, CorruptObjectError, PlatformError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control import platform as embedded
from airnub_prefect_starter.control.platform import PlatformStatus
from airnub_prefect_starter.core.store import department_url
from airnub_prefect_starter.core.store.verify import VerifyReport, verify

DEPARTMENT = "project_alpha"
BROKEN = "/files/weather.csv"
_CONTROL_TIMEOUT_S = 10


def demo(
    once: Annotated[bool, typer.Option("--once", help="Stop everything afterwards.")] = False,
    break_source: Annotated[
        bool, typer.Option("--break", help="Take one source down and see the run fail.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run Project Alpha end to end on real data, and show what was stored.

    A second run finds every source unchanged and writes nothing but its report.

    Example: airnub demo --break
    """
    settings, catalog = settings_and_catalog()
    entry = catalog.department(DEPARTMENT)
    status, settings = start(settings, catalog)
    if _has_own_sources(status):
        _control(settings, "heal")  # what an interrupted --break left
    elif break_source:
        raise ConfigError(
            "--break needs the built-in sample sources, and SOURCES_URL names others",
            "Unset SOURCES_URL",
        )
    try:
        with _broken_source(settings) if break_source else nullcontext():
            finished = execute(entry, None, {}, settings, level=logging.WARNING)
        _show(finished, settings, as_json=as_json)
    finally:
        if once:
            embedded.down(settings, on_progress=progress)
    finished.require_completed()
    if not as_json:
        _show_next_steps(running=not once)


def _has_own_sources(status: PlatformStatus) -> bool:
    """Tell whether the sample sources are the platform's own, which obey."""
    return status.state is not None and status.state.sources_port is not None


def _show(finished: Finished, settings: Settings, *, as_json: bool) -> None:
    if not as_json:
        show_finished(finished)
    report = _verified(settings)
    if as_json:
        show_json(_facts(finished, report))
        return
    named = [f"{count} {name.replace('_', ' ')}" for name, count in _outcomes(finished).items()]
    say(f"Sources: {', '.join(named)}")
    say(
        f"Store: {report.blobs} blobs, {report.manifests} manifests, {report.refs} refs; "
        "every byte verified"
    )
    say("Artifacts:")
    for artifact in finished.artifacts:
        say(f"  {artifact.url}  {artifact.key}")


def _facts(finished: Finished, report: VerifyReport) -> dict[str, Any]:
    return {
        "runs": [as_dict(summary) for summary in finished.summaries],
        "sources": _outcomes(finished),
        "store": {"blobs": report.blobs, "manifests": report.manifests, "refs": report.refs},
        "artifacts": {artifact.key: artifact.url for artifact in finished.artifacts},
    }


def _outcomes(finished: Finished) -> Counter[str]:
    outcomes = Counter[str](each.outcome for report in finished.reports for each in report.results)
    outcomes["failed"] = sum(len(report.failures) for report in finished.reports)
    return +outcomes


def _verified(settings: Settings) -> VerifyReport:
    address = department_url(settings.store_url, DEPARTMENT)
    store = opened_store(settings, address, create=True)
    with patience("Verifying"):
        report = verify(store, level="deep")
    if report.violations:
        raise CorruptObjectError(
            f"{counted(len(report.violations), 'violation')} in the store",
            "Run `airnub store verify`",
        )
    return report


def _show_next_steps(*, running: bool) -> None:
    say("Next:")
    steps = [
        ("make demo", "again: every source is unchanged, nothing is written"),
        ("make demo BREAK=1", "one source is down: the run fails and names it"),
        (".venv/bin/airnub trace processing.flight_data/planes -d project_alpha", "from where"),
        (".venv/bin/airnub store ls -d project_alpha", "what is stored"),
    ]
    if running:
        steps.append(("make down", "stop the server, the worker and the sample sources"))
    for command, why in steps:
        say(f"  {command:<70}  {why}")


@contextmanager
def _broken_source(settings: Settings) -> Iterator[None]:
    progress(f"Taking {BROKEN} down")
    _control(settings, f"break?path={BROKEN}")
    try:
        yield
    finally:
        _control(settings, "heal")


def _control(settings: Settings, action: str) -> None:
    url = f"{settings.environment['SOURCES_URL']}/control/{action}"
    try:
        requests.post(url, timeout=_CONTROL_TIMEOUT_S).raise_for_status()
    except requests.RequestException as error:
        raise PlatformError(
            f"The sample sources do not obey: {error}", "Unset SOURCES_URL to use the built-in ones"
        ) from error
