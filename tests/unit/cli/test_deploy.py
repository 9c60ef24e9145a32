"""What `airnub deploy` and `airnub config plan` refuse before they ask a server."""

from __future__ import annotations

import pytest

from tests.unit.cli.kit import Project

VERBS = (
    "config plan",
    "config drift",
    "config apply",
    "deploy plan",
    "deploy drift",
    "deploy apply",
    "deploy prune",
)


@pytest.mark.parametrize("verb", VERBS)
def test_without_a_server_it_is_said_what_to_start(project: Project, verb: str) -> None:
    done = project.run(*verb.split(), "-d", "sample", "-d", "generic")

    assert done.code == 6
    assert "Run `airnub up`" in done.stderr


@pytest.mark.parametrize("verb", ["plan", "apply", "prune"])
def test_departments_are_named_or_found_in_git_but_not_both(project: Project, verb: str) -> None:
    done = project.run("deploy", verb, "-d", "sample", "--changed-since", "main")

    assert done.code == 3
    assert "--department and --changed-since are both given" in done.stderr


def test_the_docker_pool_is_no_department_s(project: Project) -> None:
    done = project.run("config", "apply", "-d", "sample", "--with-docker")

    assert done.code == 3
    assert "--department and --with-docker are both given" in done.stderr


# An empty variable of CI must not mean everything.
@pytest.mark.parametrize("since", ["main", ""])
def test_a_folder_without_git_cannot_tell_what_has_changed(project: Project, since: str) -> None:
    done = project.run("deploy", "apply", "--changed-since", since, "--json")

    assert done.code == 3
    assert "not a git repository" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 3, "No generic flow is named. Known: none"),
        (("report_drift",), 5, "There is no generic flow 'report_drift'"),
    ],
)
def test_a_flow_of_no_department_must_be_there(
    project: Project, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = project.run("run", "generic", *arguments)

    assert done.code == code
    assert message in done.stderr
