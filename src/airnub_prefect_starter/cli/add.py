"""``airnub add``: departments, categories and tasks that run as they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from airnub_prefect_starter.cli.output import JsonOption, counted, progress, say, show_json
from airnub_prefect_starter.common.errors import ScaffoldError
from airnub_prefect_starter.common.identifiers import suggest_identifier, title, unknown
from airnub_prefect_starter.common.names import Category
from airnub_prefect_starter.common.settings import Settings, load_settings
from airnub_prefect_starter.control.render import render_files
from airnub_prefect_starter.core.departments import Catalog, load_catalog
from airnub_prefect_starter.scaffold.category import (
    DESCRIPTIONS,
    Kind,
    named_category,
    plan_category,
)
from airnub_prefect_starter.scaffold.cell_task import lines_to_import, plan_cell_task
from airnub_prefect_starter.scaffold.department import plan_department
from airnub_prefect_starter.scaffold.plan import Change, Draft, catalog_after
from airnub_prefect_starter.scaffold.task import core_file, lines_to_add, plan_task
from airnub_prefect_starter.scaffold.write import Writer, taking_turns

app = typer.Typer(no_args_is_help=True, help="Add a department, a category or a task.")

DepartmentArgument = Annotated[str, typer.Argument(metavar="DEPT", help="Its department.")]
StageArgument = Annotated[str, typer.Argument(metavar="STAGE", help="Its stage; may be new.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print what would change as a diff; write nothing.")
]

_DONE = {"create": "created", "edit": "edited", "unchanged": "unchanged"}


@app.command()
def department(
    department_id: Annotated[
        str, typer.Argument(metavar="ID", help="Identifier, such as project_gamma.")
    ],
    display_name: Annotated[str | None, typer.Option(help="The name that people read.")] = None,
    owner: Annotated[
        str | None,
        typer.Option(help="E-mail address, @person or @org/team; @airnub/<id> by default."),
    ] = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add a department: its file, its package, and what is generated from it.

    Example: airnub add department project_gamma --display-name "Project Gamma"
    """
    suggested = title(suggest_identifier(department_id))
    name = _answer(display_name, "--display-name", suggested, yes=yes)

    def plan(catalog: Catalog) -> _Planned:
        draft = plan_department(catalog, department_id, name, owner)
        command = f"airnub add category {department_id} ingestion NAME --like file"
        return _Planned(draft, (f"{command}   # or api, web, database",))

    _add(plan, _How(yes, dry_run, as_json))


@app.command()
def category(
    department_id: DepartmentArgument,
    stage_id: StageArgument,
    category_id: Annotated[
        str, typer.Argument(metavar="CATEGORY", help="Identifier, such as daily_files.")
    ],
    like: Annotated[Kind | None, typer.Option(help="What its sources are.")] = None,
    flow_stem: Annotated[
        str | None,
        typer.Option(help="Name of its flow, such as download_daily_files, if not the usual one."),
    ] = None,
    description: Annotated[str | None, typer.Option(help="One sentence.")] = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add a category that runs: flow, configuration, tasks, values, test, page and deployment.

    Example: airnub add category project_beta ingestion airport_files --like file
    """
    kind = like or _kind(_answer(None, "--like", "file", yes=yes))

    def plan(catalog: Catalog) -> _Planned:
        entry = catalog.department(department_id)
        named = named_category(entry, stage_id, category_id, flow_stem)
        draft = plan_category(catalog, named, kind, description or DESCRIPTIONS[kind])
        return _Planned(draft, _after_category(named))

    _add(plan, _How(yes, dry_run, as_json))


@app.command()
def task(
    department_id: DepartmentArgument,
    stage_id: Annotated[str, typer.Argument(metavar="STAGE", help="Its stage.")],
    category_id: Annotated[str, typer.Argument(metavar="CATEGORY", help="Its category.")],
    task_id: Annotated[str, typer.Argument(metavar="TASK", help="Such as count_lines.")],
    notebook: Annotated[
        Path | None,
        typer.Option("--from", metavar="NOTEBOOK", help="Take the function from its --cell."),
    ] = None,
    cell: Annotated[
        str | None, typer.Option(metavar="TAG", help="Tag of the cell; TAG-test is its test.")
    ] = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add a task to a category: a wrapper, the function of core that it calls, and a test of that.

    With --from and --cell the function is the one of a notebook's cell.

    Example: airnub add task project_beta ingestion reference_files count_lines
    """
    if (notebook is None) != (cell is None):
        raise ScaffoldError("--from and --cell belong together", "Give both, or neither")

    def plan(catalog: Catalog) -> _Planned:
        named = catalog.department(department_id).category(stage_id, category_id)
        if notebook is None or cell is None:
            draft = plan_task(catalog, named, task_id)
            first: tuple[str, ...] = (f"edit {core_file(catalog, task_id)}",)
        else:
            draft, known = plan_cell_task(catalog, named, task_id, notebook=notebook, tag=cell)
            first = lines_to_import(task_id, notebook, cell, known)
        return _Planned(draft, (*first, *_after_task(named, task_id)))

    _add(plan, _How(yes, dry_run, as_json))


@dataclass(frozen=True)
class _Planned:
    draft: Draft
    following: tuple[str, ...]


@dataclass(frozen=True)
class _How:
    yes: bool
    dry_run: bool
    as_json: bool


def _answer(given: str | None, option: str, suggested: str, *, yes: bool) -> str:
    """Return what was given, or ask for it at a terminal.

    Raises:
        ScaffoldError: It is missing, and nobody may be asked. No retry.
    """
    if given is not None:
        return given
    if yes or not sys.stdin.isatty():
        raise ScaffoldError(f"{option} is missing", f"Give it, for example {suggested!r}")
    question = option.removeprefix("--").replace("-", " ").capitalize()
    return str(typer.prompt(question, default=suggested, err=True))


def _kind(text: str) -> Kind:
    for kind in DESCRIPTIONS:
        if kind == text:
            return kind
    raise unknown("kind", text, DESCRIPTIONS)


def _add(plan: Callable[[Catalog], _Planned], how: _How) -> None:
    """Plan, show or write, and say what comes next."""
    settings = load_settings()
    with _writer(settings, dry_run=how.dry_run) as writer:
        if writer.interrupted:
            _undo(writer, dry_run=how.dry_run)
        planned = plan(load_catalog(settings))
        draft = planned.draft
        draft.render(render_files(catalog_after(settings, draft.changes())))
        changes = draft.changes()
        if not how.dry_run:
            _confirm(changes, how)
            writer.write(changes)
    _show(changes, planned.following, how)


@contextmanager
def _writer(settings: Settings, *, dry_run: bool) -> Iterator[Writer]:
    if dry_run:
        yield Writer(settings)  # it writes nothing, so there is nothing to wait for
        return
    with taking_turns(settings) as writer:
        yield writer


def _undo(writer: Writer, *, dry_run: bool) -> None:
    if dry_run:
        raise ScaffoldError(
            "An earlier `airnub add` was interrupted", "Run this without --dry-run: it is undone"
        )
    restored = writer.undo()
    progress(f"An earlier `airnub add` was interrupted: undid {counted(len(restored), 'file')}")


def _confirm(changes: tuple[Change, ...], how: _How) -> None:
    """Ask before writing, at a terminal only."""
    wanted = [change for change in changes if change.kind != "unchanged"]
    if how.yes or not wanted or not sys.stdin.isatty():
        return
    for change in wanted:
        progress(f"{change.kind}  {change.path}")
    typer.confirm(f"Write {counted(len(wanted), 'file')}?", default=True, abort=True, err=True)


def _show(changes: tuple[Change, ...], following: tuple[str, ...], how: _How) -> None:
    diff = "".join(change.diff() for change in changes)
    if how.as_json:
        files = [{"path": str(change.path), "change": change.kind} for change in changes]
        document = {"files": files, "next": following, "written": not how.dry_run}
        show_json({**document, "diff": diff} if how.dry_run else document)
    elif how.dry_run:
        sys.stdout.write(diff)
    else:
        for change in changes:
            say(f"{_DONE[change.kind]}  {change.path}")
        say("Next:")
        for line in following:
            say(f"  {line}")


def _after_task(named: Category, task_id: str) -> tuple[str, ...]:
    return (
        f"pytest tests/unit/core/test_{task_id}.py",
        f"add to {named.flow_file}:",
        *(f"  {line.strip()}" for line in lines_to_add(named, task_id)),
    )


def _after_category(named: Category) -> tuple[str, ...]:
    return (
        f"airnub run {named.department.id} {named.stage.id}/{named.id}",
        f"pytest {named.test_file}",
        f"edit {named.config_file}   # which sources",
        f"edit {named.flow_file}   # what a run does",
    )
