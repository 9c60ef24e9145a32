"""What a process used and may use, from files as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from airnub_prefect_starter.core.monitoring.usage import resource_usage

V2 = {
    "memory.peak": "314572800\n",
    "memory.max": "536870912\n",
    "cpu.max": "150000 100000\n",
    "cpu.stat": "usage_usec 5000000\nnr_throttled 3\nthrottled_usec 250000\n",
}
V1 = {
    "memory/memory.max_usage_in_bytes": "314572800\n",
    "memory/memory.limit_in_bytes": "536870912\n",
    "cpu/cpu.cfs_quota_us": "150000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "cpu/cpu.stat": "nr_periods 9\nthrottled_time 250000000\n",
}
NO_LIMITS_V2 = {"memory.max": "max\n", "cpu.max": "max 100000\n"}
NO_LIMITS_V1 = {
    "memory/memory.limit_in_bytes": "9223372036854771712\n",
    "cpu/cpu.cfs_quota_us": "-1\n",
    "cpu/cpu.cfs_period_us": "100000\n",
}


def _cgroup(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize("files", [V2, V1], ids=["v2", "v1"])
def test_both_versions_of_control_groups_are_read(files: dict[str, str], tmp_path: Path) -> None:
    found = resource_usage(_cgroup(tmp_path, files))

    assert found.memory_limit_bytes == 512 << 20
    assert found.container_peak_bytes == 300 << 20
    assert found.cpu_limit_millicores == 1500
    assert found.throttled_ms == 250


@pytest.mark.parametrize(
    "files", [{}, NO_LIMITS_V2, NO_LIMITS_V1], ids=["no cgroup", "v2 without", "v1 without"]
)
def test_no_limit_is_none(files: dict[str, str], tmp_path: Path) -> None:
    found = resource_usage(_cgroup(tmp_path, files))

    assert (found.memory_limit_bytes, found.cpu_limit_millicores) == (None, None)


def test_memory_that_was_touched_counts(tmp_path: Path) -> None:
    size = 64 << 20
    held = b"x" * size

    found = resource_usage(tmp_path)

    assert found.peak_memory_bytes > len(held)
    assert found.cpu_ms > 0
