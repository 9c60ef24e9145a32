from __future__ import annotations

import json
import subprocess

import pytest

from tests.unit.cli.kit import Project, require_one_line

NEW = f"registry.example/airnub-flows:{'b' * 40}"


@pytest.fixture
def head(project: Project) -> str:
    """Commit the project; give the commit."""
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "All"]):
        subprocess.run(["git", *who, *arguments], cwd=project.root, check=True)
    found = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=project.root, text=True)
    return found.strip()


def test_without_a_release_every_department_gets_the_image(project: Project) -> None:
    done = project.run("deploy", "values", "--image", NEW)

    assert (done.code, done.stderr) == (0, f"sample gets {NEW}\n")
    assert done.json == {"images": {"flows": {"ref": NEW}}, "departments": {}}


def test_an_unchanged_department_keeps_the_image_of_the_release(
    project: Project, head: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    old = f"registry.example/airnub-flows:{head}"
    # Outside the project: a new file in it would be a change.
    file = tmp_path_factory.mktemp("previous") / "values.json"
    file.write_text(json.dumps({"images": {"flows": {"ref": old}}}))

    kept = project.run("deploy", "values", "--image", NEW, "--previous", file)
    project.write("flows/dept_sample/ingestion/files/more.py", "")
    changed = project.run("deploy", "values", "--image", NEW, "--previous", file)

    assert kept.stderr == f"sample keeps {old}\n"
    assert kept.json == {
        "images": {"flows": {"ref": NEW}},
        "departments": {"sample": {"image": old}},
    }
    assert changed.json["departments"] == {}


def test_a_wrong_image_or_file_is_told(project: Project) -> None:
    project.write("list.json", "[1]")

    require_one_line(project.run("deploy", "values", "--image", "f:dev"), 3, "is not a commit")
    for file, message in (("none.json", "cannot be read"), ("list.json", "does not hold")):
        path = project.root / file
        done = project.run("deploy", "values", "--image", NEW, "--previous", path)
        require_one_line(done, 3, message)
