"""``airnub backfill``: run a stage or category for the dates of a range that lack it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from airnub_prefect_starter.cli.context import opened_store, settings_and_catalog
from airnub_prefect_starter.cli.output import (
    JsonOption,
    counted,
    patience,
    progress,
    say,
    show_json,
    show_table,
)
from airnub_prefect_starter.cli.remote import (
    ContextOption,
    NamespaceOption,
    OnOption,
    ReleaseOption,
)
from airnub_prefect_starter.cli.run import named_flow, reached
from airnub_prefect_starter.common.errors import ConfigError, ObjectNotFoundError, RunFailedError
from airnub_prefect_starter.common.names import Category, Stage
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.core.backfill import (
    DatedRef,
    dated_refs,
    dates_between,
    missing_data,
    require_backfills,
)
from airnub_prefect_starter.core.configuration import YamlDocument
from airnub_prefect_starter.core.departments import Catalog, DepartmentEntry
from airnub_prefect_starter.core.store import department_url

if TYPE_CHECKING:
    from airnub_prefect_starter.control.backfill import Backfill, DateRun

Missing = Literal["data", "runs", "all"]
_DATE = ["%Y-%m-%d"]


@dataclass(frozen=True)
class Target:
    """A stage or category, and what makes a date a missing one; ``refs`` if that is its data."""

    entry: DepartmentEntry
    flow: Stage | Category
    missing: Missing
    refs: Sequence[DatedRef] = ()


@dataclass(frozen=True)
class Todo:
    """The dates to run, in order, why each, and those that are under way already."""

    dates: int
    why: Mapping[dt.date, str]
    pending: Sequence[DateRun]


def backfill(
    target: Annotated[
        str, typer.Argument(metavar="DEPT/STAGE[/CATEGORY]", help="What to run for each date.")
    ],
    first: Annotated[
        dt.datetime, typer.Option("--from", formats=_DATE, metavar="DATE", help="First date.")
    ],
    last: Annotated[
        dt.datetime, typer.Option("--to", formats=_DATE, metavar="DATE", help="Last date.")
    ],
    missing: Annotated[
        Missing,
        typer.Option(help="Dates whose data is not in the store, without a run, or all."),
    ] = "data",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the dates and why, and run nothing.")
    ] = False,
    run_backwards: Annotated[
        bool, typer.Option("--run-backwards", help="Begin with the newest date.")
    ] = False,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, help="Runs at once; by default as many as the queue allows."),
    ] = None,
    wait: Annotated[
        bool, typer.Option(help="Wait for the runs; else all are scheduled at once.")
    ] = True,
    yes: Annotated[bool, typer.Option("--yes", help="Accept more than 1,000 dates.")] = False,
    on: OnOption = None,
    context: ContextOption = None,
    release: ReleaseOption = None,
    namespace: NamespaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a stage or a category for the dates of a range; exit 1 if a run does not complete.

    `data` looks into the department's store, whatever was run: a date is missing when a source with
    a {date} in its source_id has no ref, or its manifest or bytes are gone. `runs` asks Prefect for
    dates without a completed run. `all` is every date. A date whose run is under way is left alone.

    Example: airnub backfill project_beta/ingestion --from 2013-01-01 --to 2013-01-30 --dry-run
    """
    if concurrency is not None and not wait:
        raise ConfigError("--concurrency needs somebody who waits", "Leave out --no-wait")
    today = dt.datetime.now(dt.UTC).date()
    dates = dates_between(first.date(), last.date(), today=today, many=yes)
    settings, catalog = settings_and_catalog()
    wanted = _target(catalog, target, missing)
    ordered = dates[::-1] if run_backwards else dates
    with reached(settings, catalog, wanted.entry, on, context, release, namespace) as connected:
        todo, runs = _run(wanted, ordered, connected, dry_run, wait, concurrency)
    _show(wanted, todo, runs, as_json=as_json)
    if wait:
        _require_completed(runs)


def _target(catalog: Catalog, text: str, missing: Missing) -> Target:
    department, _, rest = text.partition("/")
    entry = catalog.department(department)
    flow = named_flow(entry, rest or None)
    if flow is None:
        stages = ", ".join(f"{department}/{each}" for each in entry.spec.stages)
        raise ConfigError(f"{text!r} is not DEPT/STAGE[/CATEGORY]", f"Name one of {stages}")
    require_backfills(entry)
    return Target(entry, flow, missing, _refs(catalog, entry, flow) if missing == "data" else ())


def _refs(catalog: Catalog, entry: DepartmentEntry, flow: Stage | Category) -> list[DatedRef]:
    categories = [flow] if isinstance(flow, Category) else entry.categories(flow.id)
    refs = [
        ref
        for each in categories
        # As it is written: addresses are known only where it runs, and no name depends on them.
        for ref in dated_refs(each.namespace, YamlDocument(catalog.root / each.config_file).value)
    ]
    if not refs:
        raise ConfigError(
            f"{flow.deployment} stores nothing by date: no source_id has a {{date}}",
            "Choose --missing runs or all, or put {date} into a source's source_id and address",
        )
    return refs


def _run(
    target: Target,
    dates: Sequence[dt.date],
    settings: Settings,
    dry_run: bool,
    wait: bool,
    concurrency: int | None,
) -> tuple[Todo, list[DateRun]]:
    # Deferred: importing Prefect takes a second, and `connect` must have come first.
    from airnub_prefect_starter.control.backfill import open_backfill
    from airnub_prefect_starter.control.bootstrap import connect as open_client

    with open_client(settings, progress) as client:
        with patience("Looking for missing dates"):
            opened = open_backfill(client, target.entry, target.flow)
            todo = _todo(target, opened, dates, settings)
        at_once = opened.at_once(concurrency, list(todo.why), wait=wait)
        if dry_run or not todo.why:
            return todo, []
        if not wait:
            with patience("Scheduling the runs"):
                return todo, [opened.schedule(date) for date in todo.why]
        progress(f"{counted(len(todo.why), 'run')} of {target.flow.deployment}, {at_once} at once")
        with patience("Waiting for the runs"):
            return todo, opened.run(list(todo.why), at_once, progress)


def _todo(target: Target, opened: Backfill, dates: Sequence[dt.date], settings: Settings) -> Todo:
    why = _why(target, opened, dates, settings)
    pending = [opened.pending[date] for date in why if date in opened.pending]
    left = {date: why[date] for date in dates if date in why and date not in opened.pending}
    return Todo(len(dates), left, pending)


def _why(
    target: Target, opened: Backfill, dates: Sequence[dt.date], settings: Settings
) -> Mapping[dt.date, str]:
    if target.missing == "all":
        return dict.fromkeys(dates, "asked for")
    if target.missing == "runs":
        missing = [date for date in dates if date not in opened.completed]
        return dict.fromkeys(missing, "no completed run")
    address = department_url(settings.store_url, target.entry.name.id)
    try:
        store = opened_store(settings, address, create=False)
    except ObjectNotFoundError:
        return dict.fromkeys(dates, "nothing was ever stored")
    return missing_data(store, target.refs, dates)


def _show(target: Target, todo: Todo, runs: Sequence[DateRun], *, as_json: bool) -> None:
    by_date = {each.date: each for each in runs}
    if as_json:
        found = {
            "deployment": target.flow.deployment,
            "missing": target.missing,
            "dates": todo.dates,
            "runs": [_as_dict(date, why, by_date.get(date)) for date, why in todo.why.items()],
            "pending": [asdict(each) for each in todo.pending],
        }
        show_json(found)
        return
    if todo.why:
        headings = ("date", "why", "state") if runs else ("date", "why")
        rows = [
            (str(date), why, *([by_date[date].state] if runs else []))
            for date, why in todo.why.items()
        ]
        show_table("", headings, rows)
    for each in todo.pending:
        say(f"under way: {each.date} is {each.state}  {each.url}")
    done = sum(each.state == "Completed" for each in runs)
    said = (
        f"{counted(len(todo.why), 'run')}, {done} completed" if runs else f"{len(todo.why)} to run"
    )
    say(f"{counted(todo.dates, 'date')}: {said}, {len(todo.pending)} under way before")


def _as_dict(date: dt.date, why: str, run: DateRun | None) -> dict[str, Any]:
    return {"date": date, "why": why, **({} if run is None else asdict(run))}


def _require_completed(runs: Sequence[DateRun]) -> None:
    ended = [each for each in runs if each.state != "Completed"]
    if ended:
        listed = ", ".join(f"{each.date} ({each.state})" for each in ended)
        raise RunFailedError(
            f"{len(ended)} of {counted(len(runs), 'run')} did not complete: {listed}",
            f"See {ended[0].url}",
        )
