"""``airnub store doctor``: what a store's storage does of what the store would like it to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from airnub_prefect_starter.cli.context import (
    DepartmentOption,
    UrlOption,
    chosen_address,
    opened_store,
    use_keys,
)
from airnub_prefect_starter.cli.output import JsonOption, patience, say, show_json
from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.settings import Settings, load_settings
from airnub_prefect_starter.core.store.probe import require_usable

if TYPE_CHECKING:
    from airnub_prefect_starter.core.store.examine import Examination


def doctor(
    create_bucket: Annotated[
        bool, typer.Option("--create-bucket", help="Make the bucket if it is not there.")
    ] = False,
    department: DepartmentOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a store's disk or object server what it can do, and tell what follows from it.

    degraded: the store works there by other means. failed: keep none there; the exit code says why.

    Example: airnub store doctor --create-bucket --url s3://airnub/store/project_alpha
    """
    settings = load_settings()
    address = chosen_address(settings, department, url)
    with patience("Asking"):
        found = _examined(settings, address, create_bucket=create_bucket)
    if as_json:
        show_json(_facts(found))
    else:
        for line in _lines(found):
            say(line)
    require_usable(found.findings)


def _examined(settings: Settings, address: str, *, create_bucket: bool) -> Examination:
    # boto3 takes 0.2 s to import, which every command would pay for.
    from airnub_prefect_starter.core.store.examine import examine_bucket, examine_local

    if address.startswith("s3:"):
        use_keys(settings)
        return examine_bucket(address, create_bucket=create_bucket)
    if create_bucket:
        raise ConfigError(f"{address} is in no bucket", "Leave --create-bucket out")
    return examine_local(address, opened_store(settings, address, create=False))


def _facts(found: Examination) -> dict[str, Any]:
    findings = [
        {name: value for name, value in asdict(each).items() if name != "error"}
        for each in found.findings
    ]
    return {**asdict(found), "findings": findings}


def _lines(found: Examination) -> Iterator[str]:
    bucket = f", bucket {found.bucket}" if found.bucket else ""
    yield f"{found.url} on {found.storage}{bucket}, store {found.store}"
    for each in found.findings:
        yield f"{each.state:<9} {each.probe:<4} {each.what}: {each.detail}"
        if each.follows:
            yield f"{'':15}{each.follows}"
