"""``airnub k8s up | down | status | exec``: a local cluster with the release in it."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from airnub_prefect_starter.cli.context import settings_and_catalog
from airnub_prefect_starter.cli.output import (
    JsonOption,
    patience,
    progress,
    say,
    show_json,
    show_table,
)
from airnub_prefect_starter.cli.remote import (
    ContextOption,
    NamespaceOption,
    ReleaseOption,
    chosen_release,
    environment_on,
    on_cluster,
)
from airnub_prefect_starter.cli.run import as_dict, execute, named_flow, show_finished
from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings, load_settings
from airnub_prefect_starter.control.environment import Layout
from airnub_prefect_starter.control.k8s import cluster
from airnub_prefect_starter.control.k8s.access import api_environment
from airnub_prefect_starter.control.k8s.install import images_of_others, install
from airnub_prefect_starter.control.k8s.last_runs import Run, last_runs
from airnub_prefect_starter.control.k8s.programs import (
    WHERE_TO_GET,
    hand_over,
    require_tools,
    terminable,
)
from airnub_prefect_starter.control.k8s.release import Release
from airnub_prefect_starter.control.k8s.status import ClusterStatus, read_status
from airnub_prefect_starter.control.locking import locked
from airnub_prefect_starter.core.departments import Catalog

app = typer.Typer(no_args_is_help=True, help="A local Kubernetes cluster with everything in it.")

_PROOF = ("project_beta", "ingestion")
_LOCAL = Release()
_UI_URL = "http://localhost:4200"
_RUNS = 10
_TURN_S = 1800
_TAG = 28


@app.command()
def up(
    no_run: Annotated[
        bool, typer.Option("--no-run", help="Do not run a flow as proof that it works.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Create a kind cluster and a registry, build the images, install the release, run a flow.

    What is already there is left alone, and only what has changed is built and rolled out. The
    context kind-airnub is used; the current context of your kubeconfig stays what it is.

    Example: airnub k8s up
    """
    begun = time.monotonic()
    settings, catalog = settings_and_catalog()
    require_tools(WHERE_TO_GET)
    # Of its own: the embedded platform may be started meanwhile.
    with terminable(), locked(Layout(settings.home / "k8s"), _TURN_S, progress):
        cluster.create(settings, images_of_others(settings), progress)
        progress("Building and installing the release; the first time takes minutes")
        install(settings, _LOCAL, progress)
    runs = [] if no_run else _prove(settings, catalog, as_json=as_json)
    if as_json:
        show_json({"context": _LOCAL.context, "ui": _UI_URL, "runs": runs})
        return
    forward = _LOCAL.kubectl(
        "port-forward", "--namespace", _LOCAL.namespace, "service/airnub-server", "4200"
    )
    say(f"ready in {time.monotonic() - begun:.0f} s")
    say(f"UI   {_UI_URL} while this runs: {' '.join(forward)}")
    say(f"run  airnub run {' '.join(_PROOF)} --on k8s")


def _prove(settings: Settings, catalog: Catalog, *, as_json: bool) -> list[dict[str, str]]:
    entry = catalog.department(_PROOF[0])
    progress(f"Running {' '.join(_PROOF)} as proof")
    with on_cluster(settings, _LOCAL, entry) as connected:
        finished = execute(entry, named_flow(entry, _PROOF[1]), {}, connected, logging.WARNING)
    if not as_json:
        show_finished(finished)
    finished.require_completed()
    return [as_dict(summary) for summary in finished.summaries]


@app.command()
def down(
    keep_registry: Annotated[
        bool, typer.Option("--keep-registry", help="Keep the images, for a faster next start.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete the local cluster with all that it stores, and the registry that `up` made.

    Databases, the object store and the history of runs in the cluster are gone afterwards.

    Example: airnub k8s down --keep-registry
    """
    require_tools(["docker", "kind"])
    with patience("Deleting the cluster"):
        removed = cluster.delete(progress, keep_registry=keep_registry)
    if as_json:
        show_json(asdict(removed))
        return
    gone = [name for name, was in asdict(removed).items() if was]
    say(f"deleted: {', '.join(gone)}" if gone else "there was nothing to delete")


@app.command()
def status(
    context: ContextOption = None,
    release: ReleaseOption = None,
    namespace: NamespaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show nodes, workloads, pods and the last runs; exit 6 if something is not ready.

    Example: airnub k8s status --context my-cluster
    """
    require_tools(["kubectl"])
    chosen = chosen_release(load_settings(), context, release, namespace)
    found = read_status(chosen)
    if not as_json:
        _show(found)
    runs = _last_runs(chosen) if found.ready else []
    if as_json:
        show_json({"ready": found.ready, **asdict(found), "runs": [asdict(each) for each in runs]})
    elif runs:
        _show_runs(runs)
    if not found.ready:
        look = " ".join(chosen.kubectl("describe", "pods", "--namespace", chosen.namespace))
        raise PlatformError(
            f"The release {chosen.name} of {chosen.context} is not ready", f"See `{look}`"
        )


@app.command("exec", context_settings={"allow_interspersed_args": False})
def execute_command(
    department: Annotated[
        str, typer.Argument(metavar="DEPT", help="Department whose store and key are used.")
    ],
    command: Annotated[
        list[str], typer.Argument(metavar="COMMAND...", help="The program and its arguments.")
    ],
    context: ContextOption = None,
    release: ReleaseOption = None,
    namespace: NamespaceOption = None,
    as_json: JsonOption = False,  # noqa: ARG001 - for errors; what is printed is the program's
) -> None:
    """Run a program on this machine against a release: its API, and a department's store.

    It gets PREFECT_API_URL, AIRNUB_STORE_URL, AWS_ENDPOINT_URL and what else it needs as its
    environment, for as long as it runs. Options of airnub stand before DEPT; the exit code is the
    program's.

    Example: airnub k8s exec project_beta airnub store ls -d project_beta
    """
    settings, catalog = settings_and_catalog()
    entry = catalog.department(department)
    chosen = chosen_release(settings, context, release, namespace)
    with environment_on(settings, chosen, entry) as environ:
        code = hand_over(command, _with_own_programs(environ))
    raise typer.Exit(code)


def _with_own_programs(environ: Mapping[str, str]) -> dict[str, str]:
    # `airnub` and `prefect` are beside the interpreter, whether or not .venv is activated.
    own = str(Path(sys.executable).parent)
    return {**environ, "PATH": os.pathsep.join(filter(None, (own, environ.get("PATH"))))}


def _last_runs(release: Release) -> Sequence[Run]:
    with terminable(), api_environment(release) as environment:
        return last_runs(environment, _RUNS)


def _show(found: ClusterStatus) -> None:
    if found.nodes is None:
        say("Nodes are left out: you may not list them")
    else:
        nodes = [(each.name, _yes(ok=each.ready), each.version) for each in found.nodes]
        show_table("Nodes", ("node", "ready", "version"), nodes)
    workloads = [
        (each.name, f"{each.ready}/{each.wanted}", _short(each.image)) for each in found.workloads
    ]
    show_table("Workloads", ("workload", "ready", "image"), workloads)
    pods = [(each.name, each.phase, each.restarts, each.problem) for each in found.pods]
    show_table("Pods", ("pod", "phase", "restarts", "problem"), pods)


def _show_runs(runs: Sequence[Run]) -> None:
    rows = [(each.name, each.flow, each.state, _second(each.started_at), each.job) for each in runs]
    show_table("Last runs", ("run", "flow", "state", "started", "Job"), rows)


def _short(image: str) -> str:
    """Give an image's name and the beginning of its tag or digest."""
    name, _, digest = image.rpartition("/")[2].partition("@sha256:")
    tagged, _, tag = name.partition(":")
    return f"{tagged}:{tag[:_TAG]}" if tag else f"{tagged}@{digest[:_TAG]}"


def _second(moment: str) -> str:
    return f"{moment[:19]}Z"


def _yes(*, ok: bool) -> str:
    return "yes" if ok else "no"
