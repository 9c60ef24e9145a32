"""What the process of a run has used so far: CPU and memory, against the container's limits.

Sources: getrusage(2); the kernel's documentation of cgroup v2 (memory.peak, memory.max, cpu.max,
cpu.stat) and v1 (memory.max_usage_in_bytes, memory.limit_in_bytes, cpu.cfs_quota_us, cpu.stat).
"""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

from airnub_prefect_starter.core.manifest_models import ResourceUsage

_V1_UNLIMITED = 1 << 60


def resource_usage(cgroup: Path = Path("/sys/fs/cgroup")) -> ResourceUsage:
    """Read what this process and its ended children have used, and what its container may.

    ``peak_memory_bytes`` is the largest resident set of the process: what counts against the limit.
    ``container_peak_bytes`` also has the container's other processes and the page cache.

    Args:
        cgroup: Where the control group is mounted; files that are not there are left out.
    """
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    seconds = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    unit = 1 if sys.platform == "darwin" else 1024
    return ResourceUsage(
        cpu_ms=round(seconds * 1000),
        peak_memory_bytes=own.ru_maxrss * unit,
        container_peak_bytes=_first(cgroup, "memory.peak", "memory/memory.max_usage_in_bytes"),
        memory_limit_bytes=_first(cgroup, "memory.max", "memory/memory.limit_in_bytes"),
        cpu_limit_millicores=_cpu_limit(cgroup),
        throttled_ms=_throttled_ms(cgroup),
    )


def _first(cgroup: Path, v2: str, v1: str) -> int | None:
    text = _text(cgroup / v2) or _text(cgroup / v1)
    # v2 says `max` where there is no limit, v1 a number near 2^63.
    return int(text) if text.isdecimal() and int(text) < _V1_UNLIMITED else None


def _cpu_limit(cgroup: Path) -> int | None:
    text = _text(cgroup / "cpu.max")
    if not text:
        text = f"{_text(cgroup / 'cpu/cpu.cfs_quota_us')} {_text(cgroup / 'cpu/cpu.cfs_period_us')}"
    numbers = text.split()
    if len(numbers) != 2 or not all(each.isdecimal() for each in numbers):
        return None  # `max 100000`, or -1: no limit
    return round(1000 * int(numbers[0]) / int(numbers[1]))


def _throttled_ms(cgroup: Path) -> int | None:
    text = _text(cgroup / "cpu.stat") or _text(cgroup / "cpu/cpu.stat")
    found = re.search(r"^throttled_(usec|time) (\d+)$", text, re.MULTILINE)
    if not found:
        return None
    return int(found[2]) // (1000 if found[1] == "usec" else 1_000_000)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:  # no such control group, or not ours to read
        return ""
