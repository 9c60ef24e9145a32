"""This machine: the embedded platform's processes, its ports, its sources, disks and files."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests

from airnub_prefect_starter.common.utils import human_bytes
from airnub_prefect_starter.control import platform
from airnub_prefect_starter.control.doctor.context import Context, Thresholds
from airnub_prefect_starter.control.doctor.findings import Finding, fail, listed, ok, warn
from airnub_prefect_starter.control.environment import Layout, read_state
from airnub_prefect_starter.control.probes import is_free
from airnub_prefect_starter.control.render import render_files, stale_files

_TIMEOUT_S = 5


def processes(context: Context) -> Finding:
    """Look whether each process of the embedded platform is the one that was started."""
    found = platform.status(context.settings).processes
    gone = [each.name for each in found if each.pid is None]
    if gone:
        told = [f"{name} {_fate(context, name)}" for name in gone]
        return fail(listed(told), context.commands.start)
    return ok(", ".join(f"{each.name} {each.pid}" for each in found))


def _fate(context: Context, name: str) -> str:
    layout = Layout(context.settings.home)
    if (layout.processes / f"{name}.json").exists():
        return f"has ended by itself (see {layout.logs / name}.log)"
    return "does not run"


def port(context: Context) -> Finding:
    """Look whether somebody else has taken the port that the server had."""
    state = read_state(Layout(context.settings.home))
    if state is None:
        return ok("none is taken yet")
    runs = {each.name: each.pid for each in platform.status(context.settings).processes}
    if runs[platform.SERVER] is None and not is_free(state.port):
        return warn(f"{state.port} is another process's now", "airnub up   # takes another port")
    return ok(f"{state.port}")


def sources(context: Context) -> Finding:
    """Look whether the sources' address answers."""
    url = context.server.settings.environment.get("SOURCES_URL")
    if not url:
        return ok("no SOURCES_URL is set, and none is needed")
    try:
        with requests.Session() as session:
            session.trust_env = False
            code = session.get(url, timeout=_TIMEOUT_S).status_code
    except requests.RequestException as error:
        return fail(f"{url}: {error}", "airnub up   # or correct SOURCES_URL")
    if code >= 500:
        return fail(f"{url} answers {code}", "airnub up   # or correct SOURCES_URL")
    return ok(url)


def disk(context: Context) -> Finding:
    """Look how full the disks of the platform's files and of the stores are."""
    folders = {existing(context.settings.home)}
    url = urlsplit(context.settings.store_url)
    if url.scheme == "file":
        folders.add(existing(Path(unquote(url.path))))
    by_disk = {folder.stat().st_dev: folder for folder in sorted(folders)}
    used = {str(folder): _used(folder) for folder in by_disk.values()}
    free = ", ".join(
        f"{human_bytes(shutil.disk_usage(folder).free)} free in {folder}" for folder in used
    )
    fix = "airnub store gc --mark, then --apply   # or another disk: AIRNUB_HOME, AIRNUB_STORE_URL"
    return by_fill(max(used.values()), free, fix, context.thresholds)


def existing(folder: Path) -> Path:
    """Give the nearest folder that is there."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _used(folder: Path) -> float:
    usage = shutil.disk_usage(folder)
    # As df counts: what is kept back for root is neither used nor free.
    return usage.used / (usage.used + usage.free)


def by_fill(used: float, told: str, fix: str, thresholds: Thresholds) -> Finding:
    """Judge how full something is."""
    if used < thresholds.nearly_full:
        return ok(told)
    judge = fail if used >= thresholds.full else warn
    return judge(f"{used:.0%} full: {told}", fix)


def rendered(context: Context) -> Finding:
    """Look whether the generated files are those of the departments' files."""
    files = render_files(context.catalog)
    stale = list(stale_files(files, context.settings.project_root))
    if stale:
        return fail(f"stale: {listed(stale)}", "airnub render")
    return ok(f"{len(files)} up to date")
