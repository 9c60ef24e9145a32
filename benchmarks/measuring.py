"""CPU, memory and the machine they were measured on."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec

P = ParamSpec("P")


def timed(work: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> tuple[float, float]:
    """Return the CPU seconds of this process and the wall seconds that some work takes."""
    started, used = time.perf_counter(), cpu_seconds()
    work(*args, **kwargs)
    return cpu_seconds() - used, time.perf_counter() - started


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_rss() -> int:
    """Return the process's peak, in bytes; ``ru_maxrss`` would include that of its parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (found,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(found.split()[1]) * 1024


def machine(folder: Path) -> str:
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = next(
        (line.partition(": ")[2] for line in cpuinfo.splitlines() if line.startswith("model name")),
        platform.machine(),
    )
    sha_ni = "yes" if " sha_ni" in cpuinfo else "no"
    load = ", ".join(f"{each:.2f}" for each in os.getloadavg())
    free_gb = shutil.disk_usage(folder).free / 1e9
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%MZ} · {model} x {os.cpu_count()} · sha_ni {sha_ni}"
        f" · {platform.system()} {platform.release()} · Python {platform.python_version()}"
        f" · load {load} · {free_gb:.0f} GB free in {folder}"
    )
