from __future__ import annotations

import pytest

from tests.project_kit import DEPARTMENT
from tests.unit.cli.kit import Project

OWNERS = ".github/CODEOWNERS"
FILES = (
    "prefect.local.yaml",
    "prefect.k8s.yaml",
    "helm/airnub-prefect/files/departments.yaml",
    OWNERS,
    ".github/workflows/checks.yaml",
    ".github/workflows/deploy.yaml",
)


def test_files_are_written_once(project: Project) -> None:
    first = project.run("render")
    times = [(project.root / name).stat().st_mtime_ns for name in FILES]
    second = project.run("render")

    assert (first.code, first.text) == (0, "".join(f"written  {name}\n" for name in FILES))
    assert (second.code, second.text) == (0, "".join(f"unchanged  {name}\n" for name in FILES))
    assert [(project.root / name).stat().st_mtime_ns for name in FILES] == times


def test_check_writes_nothing(project: Project) -> None:
    done = project.run("render", "--check")

    assert (done.code, done.stderr) == (
        4,
        f"error: Stale: {', '.join(FILES)}. Run `airnub render`\n",
    )
    assert not (project.root / FILES[0]).exists()


@pytest.mark.parametrize("text", [b"edited\n", b"\xff\xfe", b""], ids=["edited", "binary", "empty"])
def test_a_file_that_was_changed_is_stale(project: Project, text: bytes) -> None:
    project.run("render")
    assert project.run("render", "--check").code == 0
    project.write(OWNERS, text)

    stale = project.run("render", "--check")
    written = project.run("render", "--json")

    assert stale.code == 4
    assert written.json == {"files": list(FILES), "written": [OWNERS]}
    assert project.run("render", "--check").code == 0


def test_a_changed_department_makes_stale_what_is_made_of_it(project: Project) -> None:
    project.run("render")
    file = project.root / DEPARTMENT
    file.write_text(file.read_text().replace("@airnub/sample", "@airnub/other"))

    done = project.run("render", "--check")

    assert done.errors == ["error: Stale: .github/CODEOWNERS. Run `airnub render`"]


@pytest.mark.parametrize("command", ["render", "config check"])
def test_a_quota_without_room_for_a_run_is_told(project: Project, command: str) -> None:
    file = project.root / DEPARTMENT
    file.write_text(f"{file.read_text()}kubernetes: {{quota: {{memory: 512Mi, cpu: 100m}}}}\n")

    done = project.run(*command.split())

    assert (done.code, done.errors) == (
        3,
        [
            f"error: {DEPARTMENT}: kubernetes.quota.cpu: 100m is less than the 250m of one run. "
            "Raise the quota, or set a lower kubernetes.job.cpu_request",
            f"error: {DEPARTMENT}: kubernetes.quota.memory: 512Mi is less than the 1Gi of one run. "
            "Raise the quota, or set a lower kubernetes.job.memory_limit",
        ],
    )


def test_a_folder_in_the_way_is_told(project: Project) -> None:
    (project.root / FILES[0]).mkdir()

    done = project.run("render")

    assert (done.code, len(done.errors)) == (3, 1)
    assert "cannot be written: Is a directory" in done.errors[0]
