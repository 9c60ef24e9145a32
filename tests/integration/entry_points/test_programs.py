"""What every program has in common."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.entry_points.conftest import ROOT, TIMEOUT_S

PROGRAMS = [
    "examples/basic_etl_pipeline.py",
    "examples/example_data_pipeline.py",
    "examples/aws_integration_example.py",
    "etl/s3_data_pipeline.py",
    "ml/feature_engineering_pipeline.py",
    "monitoring/data_quality_monitor.py",
]


def test_they_are_all_of_them() -> None:
    found = {
        path.relative_to(ROOT / "flows").as_posix()
        for folder in ("examples", "etl", "ml", "monitoring")
        for path in (ROOT / "flows" / folder).glob("*.py")
    }

    assert found - {f"{Path(name).parent}/__init__.py" for name in found} == {*PROGRAMS}


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_has_examples_that_are_there(name: str, alone: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, Path(name).name, "--help"],
        cwd=(ROOT / "flows" / name).parent,
        env=alone,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )

    assert f"python flows/{name}" in done.stdout
    assert name in (ROOT / "flows" / "README.md").read_text()
