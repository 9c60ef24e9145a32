"""``airnub reproduce``: a release made again from its raw bytes, and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from airnub_prefect_starter.cli.context import chosen_store
from airnub_prefect_starter.cli.output import (
    JsonOption,
    counted,
    patience,
    say,
    show_json,
    show_table,
)
from airnub_prefect_starter.common.errors import ConfigError, DifferencesError

if TYPE_CHECKING:
    from airnub_prefect_starter.core.releases.reproduce import Reproduction

_SHORT = 12


def reproduce(
    release: Annotated[
        str, typer.Argument(help="Such as customer_churn@1.", metavar="NAME@NUMBER")
    ],
    store: Annotated[
        str | None,
        typer.Option(
            help="Address of the store that has it; else the department's of that name.",
            metavar="URL",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a release again, and the model trained on it; compare digests and metrics.

    Nothing but the store is needed, and nothing is written there. Ends with 4 where they differ.

    Example: airnub reproduce customer_churn@1 --store s3://lake/customer_churn
    """
    # Models and tables take seconds to import: other commands go without them.
    from airnub_prefect_starter.core.churn.reproduction import NAME, core_reproduce
    from airnub_prefect_starter.core.releases.release import parse_name

    name, number = parse_name(release)
    if name != NAME:
        raise ConfigError(f"Nobody knows how to make {name!r} again", f"Known: {NAME}")
    found = chosen_store(None if store else name, store)
    with patience(f"Making {release} again"):
        done = core_reproduce(found, number)
    _show(done, as_json=as_json)
    if not done.is_equal:
        differing = sum(not each.matches for each in done.compared)
        raise DifferencesError(
            f"{release} is not the same when made again: {counted(differing, 'difference')}",
            "Use the versions of code and libraries that made it, see above"
            if done.other_code or done.made_by != done.here
            else "Look at the first difference: what comes after it follows from it",
        )


def _show(done: Reproduction, *, as_json: bool) -> None:
    if as_json:
        show_json({**done.model_dump(mode="json", exclude_none=True), "equal": done.is_equal})
        return
    show_table(
        "",
        ("step", "what", "released", "made again", "verdict"),
        (
            (each.step, each.what, _short(each.released), _short(each.again), each.verdict)
            for each in done.compared
        ),
    )
    if done.made_by != done.here:
        say(f"Released by {done.made_by.name} {done.made_by.version}, this is {done.here.version}.")
    if done.other_code:
        say(f"The code of these steps is another one: {', '.join(done.other_code)}.")
    model = f"with {done.model}" if done.model else "and no model was trained on it"
    if done.is_equal:
        say(f"{done.release} is the same when made again, {model}.")


def _short(text: str) -> str:
    return text.removeprefix("sha256:")[:_SHORT]
