"""``airnub store verify | gc | cp``: keep a store sound, small, and in a second place."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from airnub_prefect_starter.cli.context import DepartmentOption, UrlOption, chosen_store
from airnub_prefect_starter.cli.output import JsonOption, human_bytes, say, show_json, show_table
from airnub_prefect_starter.common.errors import ConfigError, CorruptObjectError
from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.core.store import open_store
from airnub_prefect_starter.core.store.copying import copy_store
from airnub_prefect_starter.core.store.gc import expire_results, mark, sweep
from airnub_prefect_starter.core.store.verify import Level, VerifyReport
from airnub_prefect_starter.core.store.verify import verify as verify_store

_SAMPLE = re.compile(r"(\d+)/(\d+)")


def verify(
    level: Annotated[
        Level, typer.Option(help="meta: names and sizes; deep: every byte is hashed.")
    ] = "meta",
    sample: Annotated[str, typer.Option(help="Check one part of so many, such as 1/30.")] = "1/1",
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a store; exit 21 names each violation. Corrupt objects go to quarantine, never away.

    Example: airnub store verify --level deep --sample 7/30 -d project_alpha
    """
    found = _SAMPLE.fullmatch(sample)
    if not found:
        raise ConfigError(f"{sample!r} is not PART/PARTS", "Write 1/30, for example")
    part = int(found[1]), int(found[2])
    report = verify_store(chosen_store(department, url), level=level, sample=part)
    _show_report(report, as_json=as_json)
    if report.violations:
        raise CorruptObjectError(
            f"{len(report.violations)} violations",
            "Run the stage again: it stores anew what is missing or corrupt",
        )


def _show_report(report: VerifyReport, *, as_json: bool) -> None:
    if as_json:
        violations = [{"kind": v.kind, **asdict(v)} for v in report.violations]
        show_json({**asdict(report), "violations": violations})
        return
    say(
        f"{report.refs} refs, {report.manifests} manifests and {report.blobs} blobs checked "
        f"({report.level}), {human_bytes(report.bytes_read)} read"
    )
    if report.violations:
        rows = [(each.kind, each.key, each.detail) for each in report.violations]
        show_table("Violations", ("kind", "object", "what"), rows)


def gc(
    mark_only: Annotated[
        bool, typer.Option("--mark", help="List candidates; remove none.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Remove; else only tell.")] = False,
    trash: Annotated[bool, typer.Option("--trash", help="Move to trash/ instead.")] = False,
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
    store = chosen_store(department, url)
    min_age = timedelta(days=min_age_days)
    if mark_only:
        listed = mark(store, min_age=min_age, keep_last=keep_last)
        _show_counts("listed", asdict(listed), as_json=as_json)
        return
    swept = sweep(store, apply=apply, trash=trash, min_age=min_age, keep_last=keep_last)
    expired = expire_results(store, apply=apply)
    facts = {**asdict(swept), "results": expired.results}
    _show_counts("removed" if apply else "would be removed", facts, as_json=as_json)


def _show_counts(what: str, facts: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        show_json(facts)
        return
    for name, value in facts.items():
        say(f"{value}  {name.replace('_', ' ')} {what if name in _COUNTED else ''}".rstrip())


_COUNTED = {"manifests", "blobs", "results"}


def cp(
    source: Annotated[str, typer.Argument(help="Address of the store to copy.")],
    target: Annotated[str, typer.Argument(help="Address of the store to copy into.")],
    as_json: JsonOption = False,
) -> None:
    """Copy a whole store, verified; what is there already is left alone, so it may be repeated.

    Example: airnub store cp file:///data/store/project_alpha file:///backup/project_alpha
    """
    durability = load_settings().durability
    report = copy_store(
        open_store(source, durability=durability), open_store(target, durability=durability)
    )
    _show_counts("copied", asdict(report), as_json=as_json)
