"""scripts/chart_readme.py: one description of each value, in three places."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helm.kit import CHART, ROOT

BEFORE = "  # -- Region.\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    chart = tmp_path / "helm" / "airnub-prefect"
    chart.mkdir(parents=True)
    for name in ("values.yaml", "values.schema.json", "README.md"):
        shutil.copy(CHART / name, chart)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "chart_readme.py", tmp_path / "scripts")
    return tmp_path


def write(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = project / "scripts" / "chart_readme.py"
    return subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, check=False
    )


def replace(project: Path, before: str, after: str) -> None:
    values = project / "helm" / "airnub-prefect" / "values.yaml"
    assert before in values.read_text()
    values.write_text(values.read_text().replace(before, after))


def test_a_changed_description_reaches_readme_and_schema(project: Path) -> None:
    chart = project / "helm" / "airnub-prefect"
    replace(project, BEFORE, "  # -- Region of the bucket.\n")

    checked = write(project, "--check")
    assert checked.returncode == 1
    assert "README.md is stale" in checked.stdout
    assert "values.schema.json is stale" in checked.stdout
    assert write(project).returncode == 0
    assert write(project, "--check").returncode == 0
    assert (
        '| `s3.region` | `"us-east-1"` | Region of the bucket. |'
        in (chart / "README.md").read_text()
    )
    schema = json.loads((chart / "values.schema.json").read_text())
    assert schema["properties"]["s3"]["properties"]["region"]["description"] == (
        "Region of the bucket."
    )


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ("", "s3.region has no comment"),
        (f"  # -- A zone.\n  zone: a\n{BEFORE}", "KeyError: 'zone'"),
    ],
)
def test_a_value_that_is_not_described_or_not_in_the_schema_is_an_error(
    project: Path, after: str, says: str
) -> None:
    replace(project, BEFORE, after)
    done = write(project)

    assert done.returncode == 1
    assert says in done.stderr
