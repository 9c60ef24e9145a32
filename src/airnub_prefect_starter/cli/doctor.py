"""``airnub doctor``: what is broken, and the command that fixes it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from airnub_prefect_starter.cli.context import settings_and_catalog
from airnub_prefect_starter.cli.output import JsonOption, patience, say, show_json
from airnub_prefect_starter.cli.remote import (
    ContextOption,
    NamespaceOption,
    ReleaseOption,
    chosen_release,
)
from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.environment import Layout, read_state, use_platform
from airnub_prefect_starter.control.k8s.access import own_environment, use_cluster
from airnub_prefect_starter.control.k8s.programs import require_tools, terminable
from airnub_prefect_starter.control.k8s.release import Release
from airnub_prefect_starter.core.departments import Catalog

if TYPE_CHECKING:
    from airnub_prefect_starter.control.doctor.findings import Examination, Finding

_WORDS = {"ok": "ok", "warn": "warn", "fail": "FAIL", "skipped": "-"}
# For each department, since some checks look at one after the other.
_EACH_S = 1.0


def doctor(
    k8s: Annotated[
        bool, typer.Option("--k8s", help="Examine a release on a cluster, not a server here.")
    ] = False,
    context: ContextOption = None,
    release: ReleaseOption = None,
    namespace: NamespaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Examine the platform, and name under each finding the command that fixes it.

    The embedded platform is meant, or the server of PREFECT_API_URL, or with --k8s a release of
    the chart. Nothing is repaired; stores are tried with objects that are removed again. Exit 0 if
    nothing failed (warnings are allowed), else 6.

    Example: airnub doctor
    """
    if not k8s and (context or release or namespace):
        raise ConfigError("--context, --release and --namespace are for a cluster", "Add --k8s")
    settings, catalog = settings_and_catalog()
    chosen = chosen_release(settings, context, release, namespace) if k8s else None
    with patience("Examining"), ExitStack() as ports:
        found = _examined(settings, catalog, chosen, ports)
    if as_json:
        show_json({"checks": [_facts(name, each) for name, each in found.findings.items()]})
    else:
        _show(found)
    found.require_healthy()


def _examined(
    settings: Settings, catalog: Catalog, release: Release | None, ports: ExitStack
) -> Examination:
    # Deferred: what all the checks need takes a moment to import.
    from airnub_prefect_starter.control.doctor import examination, platforms
    from airnub_prefect_starter.control.doctor.context import Context
    from airnub_prefect_starter.control.doctor.findings import examine

    if release is not None:
        require_tools(["kubectl"])
        ports.enter_context(terminable())
        # Nothing of another server, or of the person's own profile, is for this one.
        use_cluster(own_environment(settings), os.environ)
        checks, platform = examination.ON_CLUSTER, platforms.on_cluster(release, ports)
    elif settings.environment.get("PREFECT_API_URL"):
        os.environ.update(settings.environment)
        checks, platform = examination.NAMED, platforms.named()
    else:
        _use_embedded(settings)
        checks, platform = examination.EMBEDDED, platforms.embedded()
    more_s = _EACH_S * len(catalog.entries)
    return examine(checks, Context(settings, catalog, platform), more_s=more_s)


def _use_embedded(settings: Settings) -> None:
    state = read_state(Layout(settings.home))
    if state is not None:
        use_platform(settings, state, os.environ)


def _facts(name: str, finding: Finding) -> dict[str, object]:
    return {
        "check": name,
        "state": finding.state,
        "what": finding.what,
        "fixes": list(finding.fixes),
    }


def _show(found: Examination) -> None:
    width = max(map(len, found.findings))
    for name, each in found.findings.items():
        say(f"{_WORDS[each.state]:<4}  {name:<{width}}  {each.what}")
        for fix in each.fixes:
            say(f"{'':{width + 8}}{fix}")
