"""The first minutes of a new user: a fresh clone and the README's commands, exactly."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 600
SOURCES = 19


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("fresh") / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True, timeout=60)
    yield folder
    subprocess.run(["make", "down"], cwd=folder, check=False, timeout=60)
    shutil.rmtree(folder)


def make(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(
            ("AIRNUB_", "MLFLOW_", "PREFECT_", "SOURCES_", "TELCO_", "VIRTUAL_ENV")
        )
    }
    return subprocess.run(
        ["make", *arguments],
        cwd=clone,
        env=clean,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def stored(clone: Path) -> dict[str, int]:
    folder = clone / "data" / "store" / "project_alpha"
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for kind in ("blobs", "manifests", "refs")
        for path in (folder / kind).rglob("*")
        if path.is_file()
    }


def test_the_demo_stores_everything_then_nothing_then_fails_by_name(clone: Path) -> None:
    first = make(clone, "demo")

    assert first.returncode == 0, first.stderr[-3000:]
    assert f"Sources: {SOURCES} stored" in first.stdout
    assert re.search(
        r"scheduled_file_downloads/airports +stored .* 3 *$", first.stdout, re.MULTILINE
    )
    assert "every byte verified" in first.stdout
    objects = stored(clone)

    again = make(clone, "demo")

    assert again.returncode == 0, again.stderr[-3000:]
    assert f"Sources: {SOURCES} not modified" in again.stdout
    assert stored(clone) == objects

    broken = make(clone, "demo", "BREAK=1", "ONCE=1")

    assert broken.returncode != 0
    assert "scheduled_file_downloads/weather" in broken.stdout
    assert f"Sources: {SOURCES - 1} not modified, 1 failed" in broken.stdout
    assert "error: " in broken.stderr
    assert "Traceback" not in broken.stderr
    assert stored(clone) == objects
    assert make(clone, "status").returncode != 0  # ONCE=1 stopped everything
