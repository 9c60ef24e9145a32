from __future__ import annotations

import pytest

from tests.unit.cli.kit import Project


def test_what_does_not_run_is_said(project: Project) -> None:
    done = project.run("status")
    facts = project.run("status", "--json")

    assert (done.code, done.errors) == (
        6,
        ["error: The embedded platform is not running. Run `airnub up`"],
    )
    assert "not running" in done.text
    assert facts.code == 6
    assert facts.json["ui"] is None
    assert set(facts.json["processes"].values()) == {None}


def test_nothing_to_stop(project: Project) -> None:
    assert project.run("down").text == "nothing was running\n"
    assert project.run("down", "--json").json == {"stopped": []}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("sampel",), 5, "There is no department 'sampel'. Did you mean 'sample'?"),
        (("sample", "ingstion"), 5, "There is no stage of sample 'ingstion'"),
        (("sample", "ingestion/file"), 5, "Did you mean 'files'?"),
        (("sample", "--set", "a=1"), 3, "--set needs a stage or a category"),
    ],
    ids=["department", "stage", "category", "set"],
)
def test_nothing_is_started_for_what_cannot_be_run(
    project: Project, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = project.run("run", *arguments)

    assert (done.code, len(done.errors)) == (code, 1)
    assert message in done.errors[0]
    assert not (project.root / ".airnub").exists()


def test_a_state_file_of_something_else_is_told(project: Project) -> None:
    project.write(".airnub/platform.json", '{"a": 1}')

    done = project.run("status")

    assert (done.code, len(done.errors)) == (6, 1)
    assert "is not what `airnub up` wrote. Remove the file" in done.errors[0]


def test_the_demo_is_of_project_alpha(project: Project) -> None:
    done = project.run("demo")

    assert (done.code, len(done.errors)) == (5, 1)
    assert "There is no department 'project_alpha'" in done.errors[0]
