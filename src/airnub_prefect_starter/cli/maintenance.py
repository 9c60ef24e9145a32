"""``airnub store verify | gc | cp``: keep a store sound, small, and in a second place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from airnub_prefect_starter.cli.context import (
    DepartmentOption,
    UrlOption,
    chosen_store,
    opened_store,
)
from airnub_prefect_starter.cli.output import (
    JsonOption,
    counted,
    patience,
    say,
    show_json,
)
from airnub_prefect_starter.common.errors import ConfigError, CorruptObjectError
from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.common.utils import human_bytes
from airnub_prefect_starter.core.configuration import validate_value
from airnub_prefect_starter.core.fetching import shared_client
from airnub_prefect_starter.core.http import AccessPolicy
from airnub_prefect_starter.core.http.download import download
from airnub_prefect_starter.core.manifest_models import Source
from airnub_prefect_starter.core.sources import FileSource
from airnub_prefect_starter.core.store import Spool
from airnub_prefect_starter.core.store.copying import copy_store
from airnub_prefect_starter.core.store.gc import (
    Candidates,
    Expired,
    Swept,
    expire_results,
    mark,
    sweep,
)
from airnub_prefect_starter.core.store.verify import Level, Refetch, VerifyReport, Violation
from airnub_prefect_starter.core.store.verify import verify as verify_store

_SAMPLE = re.compile(r"(\d+)/(\d+)")


def verify(
    level: Annotated[
        Level,
        typer.Option(
            help="meta: names and sizes; checksum: digests of a bucket; deep: every byte is hashed."
        ),
    ] = "meta",
    sample: Annotated[str, typer.Option(help="Check one part of so many, such as 1/30.")] = "1/1",
    repair: Annotated[
        bool, typer.Option("--repair", help="Fetch missing and corrupt blobs again.")
    ] = False,
    allow_network: Annotated[
        list[str] | None, typer.Option(help="A private network that --repair may reach.")
    ] = None,
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a store; exit 21 names each violation. Corrupt objects go to quarantine, never away.

    A repair is accepted only if the source still has the bytes of the very digest.

    Example: airnub store verify --level deep --sample 7/30 -d project_alpha
    """
    found = _SAMPLE.fullmatch(sample)
    if not found:
        raise ConfigError(f"{sample!r} is not PART/PARTS", "Write 1/30, for example")
    if allow_network and not repair:
        raise ConfigError("--allow-network is for --repair", "Add --repair or leave it out")
    part = int(found[1]), int(found[2])
    refetch = _refetch(allow_network or []) if repair else None
    store = chosen_store(department, url)
    with patience("Verifying"):
        report = verify_store(store, level=level, sample=part, repair=refetch)
    _show_report(report, as_json=as_json)
    _require_sound(report, repair=repair)


def _refetch(networks: list[str]) -> Refetch:
    access = validate_value(
        {"allow_networks": networks}, AccessPolicy, "arguments", remedy="Correct --allow-network"
    )

    def refetch(source: Source, spool: Spool) -> None:
        again = FileSource(source_id="repair", url=source.url, access=access)
        with shared_client().open(again) as session:
            download(session, spool, {})

    return refetch


def _require_sound(report: VerifyReport, *, repair: bool) -> None:
    left = [each for each in report.violations if not each.repaired]
    if not left:
        return
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    raise CorruptObjectError(
        f"{left[0].kind} {left[0].key}{more}",
        "Run the stage again: it stores anew what is missing or corrupt"
        if repair
        else "Try --repair, or run the stage again: it stores anew what is missing or corrupt",
    )


def _show_report(report: VerifyReport, *, as_json: bool) -> None:
    if as_json:
        violations = [{"kind": each.kind, **asdict(each)} for each in report.violations]
        show_json({**asdict(report), "ok": report.ok, "violations": violations})
        return
    say(
        f"{counted(report.refs, 'ref')}, {counted(report.manifests, 'manifest')} and "
        f"{counted(report.blobs, 'blob')} checked ({report.level}), "
        f"{human_bytes(report.bytes_read)} read"
    )
    for line in _asides(report):
        say(line)
    for each in report.violations:
        say(_line(each))


def _asides(report: VerifyReport) -> Iterator[str]:
    """Tell what is no violation, where there is some."""
    if report.unreferenced:
        blobs = counted(report.unreferenced, "blob")
        yield f"{blobs} that no manifest names: `airnub store gc` takes what is not pinned"
    if report.unfinished:
        yield f"{counted(report.unfinished, 'unfinished file')}, of running or killed writers"
    for key in report.strange:
        yield f"strange  {key}  no store makes this name: move the file away"


def _line(violation: Violation) -> str:
    repaired = "repaired  " if violation.repaired else ""
    return f"{repaired}{violation.kind}  {violation.key}  {violation.detail}"


def gc(
    mark_only: Annotated[
        bool, typer.Option("--mark", help="List candidates; remove none.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Remove; else only tell.")] = False,
    trash: Annotated[
        bool, typer.Option("--trash", help="With --apply: move to trash/ instead.")
    ] = False,
    min_age_days: Annotated[float, typer.Option(help="Leave younger objects alone.", min=1)] = 7,
    keep_last: Annotated[int, typer.Option(help="Manifests to keep of each ref.", min=1)] = 1,
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Collect what nothing refers to, in two phases: `--mark`, then days later `--apply`.

    Without options it tells what would be removed. Task results go after 14 days.

    Example: airnub store gc --mark -d project_alpha
    """
    if mark_only and (apply or trash):
        raise ConfigError("--mark removes nothing", "Leave --apply and --trash to the second phase")
    if trash and not apply:
        raise ConfigError("--trash says how to remove", "Add --apply")
    store = chosen_store(department, url)
    min_age = timedelta(days=min_age_days)
    if mark_only:
        with patience("Marking"):
            listed = mark(store, min_age=min_age, keep_last=keep_last)
        show_json(asdict(listed)) if as_json else say(_marked(listed, min_age))
        return
    with patience("Collecting"):
        swept = sweep(store, apply=apply, trash=trash, min_age=min_age, keep_last=keep_last)
        expired = expire_results(store, apply=apply)
    if as_json:
        show_json({**asdict(swept), "results": asdict(expired)})
        return
    for line in _swept(swept, expired, trash=trash):
        say(line)


def _marked(listed: Candidates, min_age: timedelta) -> str:
    if listed.key is None:
        return "Nothing to collect"
    days = min_age / timedelta(days=2)
    return (
        f"{counted(listed.manifests, 'manifest')} and {counted(listed.blobs, 'blob')} "
        f"({human_bytes(listed.size_bytes)}) listed in {listed.key}; "
        f"collect them in {days:g} days with `airnub store gc --apply`"
    )


def _swept(swept: Swept, expired: Expired, *, trash: bool) -> Iterator[str]:
    done = ("Moved to trash/" if trash else "Removed") if swept.applied else "Would remove"
    yield (
        f"{done}: {counted(swept.manifests, 'manifest')}, {counted(swept.blobs, 'blob')} "
        f"({human_bytes(swept.size_bytes)}), {counted(swept.temps, 'unfinished file')}, "
        f"{counted(expired.results, 'task result')} ({human_bytes(expired.size_bytes)})"
    )
    if swept.spared:
        yield f"Kept: {swept.spared} that were listed and are in use again"
    if swept.waiting:
        yield f"Too young to collect: {counted(swept.waiting, 'list')}"
    if not swept.applied:
        yield "Nothing was changed; `airnub store gc --apply` removes"


def cp(
    source: Annotated[str, typer.Argument(help="Address of the store to copy.")],
    target: Annotated[str, typer.Argument(help="Address of the store to copy into.")],
    as_json: JsonOption = False,
) -> None:
    """Copy a store but its tables, verified; what is there already stays, so it may be repeated.

    Example: airnub store cp file:///data/store/project_alpha s3://backup/project_alpha
    """
    settings = load_settings()
    original = opened_store(settings, source, create=False)
    with patience("Copying"):
        report = copy_store(original, opened_store(settings, target, create=True))
    if as_json:
        show_json(asdict(report))
        return
    others = f", {counted(report.others, 'object')} of releases and models"
    say(
        f"Copied: {counted(report.blobs, 'blob')}, {counted(report.manifests, 'manifest')} "
        f"({human_bytes(report.size_bytes)}), {counted(report.refs, 'ref')}, "
        f"{counted(report.pins, 'pin')}, {counted(report.reports, 'run report')}"
        f"{others if report.others else ''}"
    )
