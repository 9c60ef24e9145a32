from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.release_images import (
    ReleaseValues,
    kept_images,
    parse_release_values,
    require_commit,
)

DEPARTMENTS = ("alpha", "beta")
REPOSITORY = "registry.example/airnub-flows"


class Repository:
    """A project of two departments in Git."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "--quiet", "--initial-branch", "main")
        self.first = self.commit(
            "flows/dept_alpha/a.py", "flows/dept_beta/b.py", "src/shared.py", "README.md"
        )

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
        done = subprocess.run(
            ["git", "-C", str(self.root), *who, *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, *files: str) -> str:
        """Change some files; give the commit."""
        for name in files:
            file = self.root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a") as opened:
                opened.write("more\n")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def image(commit: str) -> str:
    return f"{REPOSITORY}:{commit}@sha256:{'0' * 64}"


def release(flows: str, **departments: str) -> ReleaseValues:
    return ReleaseValues.model_validate(
        {
            "images": {"flows": {"ref": flows}},
            "departments": {name: {"image": each} for name, each in departments.items()},
        }
    )


@pytest.mark.parametrize(
    ("files", "kept"),
    [
        (["flows/dept_alpha/a.py"], ["beta"]),
        (["configs/variables/dept_alpha/ingestion/files.yaml"], ["beta"]),
        (["configs/departments/beta.yaml"], ["alpha"]),
        (["flows/dept_alpha/a.py", "flows/dept_beta/b.py"], []),
        (["src/shared.py"], []),
        (["requirements/base.lock"], []),
        (["helm/airnub-prefect/values.yaml"], []),
        (["flows/dept_alpha/a.py", "configs/department_mapping.yaml"], []),
        (["docs/page.md", "tests/unit/test_a.py"], ["alpha", "beta"]),
        (["flows/generic/report.py"], ["alpha", "beta"]),
    ],
    ids="+".join,
)
def test_a_department_keeps_its_image_until_what_it_runs_changes(
    repository: Repository, files: list[str], kept: list[str]
) -> None:
    repository.commit(*files)
    before = image(repository.first)

    found = kept_images(repository.root, DEPARTMENTS, release(before))

    assert found == dict.fromkeys(kept, before)


def test_every_department_is_compared_with_its_own_image(repository: Repository) -> None:
    second = repository.commit("flows/dept_alpha/a.py")
    third = repository.commit("flows/dept_beta/b.py")
    repository.commit("docs/page.md")
    before = release(image(third), alpha=image(second))

    found = kept_images(repository.root, DEPARTMENTS, before)

    assert found == {"alpha": image(second), "beta": image(third)}


def test_a_deploy_that_was_skipped_is_made_up_for(repository: Repository) -> None:
    repository.commit("flows/dept_alpha/a.py")
    repository.commit("docs/page.md")
    before = release("", alpha=image(repository.first), beta=image(repository.first))

    found = kept_images(repository.root, DEPARTMENTS, before)

    assert found == {"beta": image(repository.first)}


def test_going_back_to_an_older_commit_takes_its_image(repository: Repository) -> None:
    newer = repository.commit("flows/dept_alpha/a.py")
    repository.git("checkout", "--quiet", repository.first)

    assert kept_images(repository.root, DEPARTMENTS, release(image(newer))) == {}


@pytest.mark.parametrize(
    "before",
    ["", "airnub-flows:dev", f"{REPOSITORY}@sha256:{'0' * 64}", image("f" * 40)],
    ids=["none", "a tag", "a digest", "a commit that is not here"],
)
def test_who_has_an_image_of_no_known_commit_gets_the_new_one(
    repository: Repository, before: str
) -> None:
    assert kept_images(repository.root, DEPARTMENTS, release(before)) == {}


def test_a_new_department_gets_the_new_image(repository: Repository) -> None:
    repository.commit("configs/department_mapping.yaml", "configs/departments/gamma.yaml")
    before = release(image(repository.first))

    assert kept_images(repository.root, (*DEPARTMENTS, "gamma"), before) == {}


def test_a_release_without_values_of_its_own_names_no_image() -> None:
    assert parse_release_values("null\n", "v.json").image("alpha") == ""


def test_other_values_of_the_release_do_not_matter() -> None:
    text = '{"environment": "prod", "departments": {"alpha": {"quota": {"pods": 3}}}}'

    assert parse_release_values(text, "v.json").image("alpha") == ""


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"departments": 3}', '{"images": []}'])
def test_what_is_not_a_releases_values_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match=r"v\.json does not hold") as caught:
        parse_release_values(text, "v.json")

    assert "helm get values" in caught.value.remedy


@pytest.mark.parametrize("tag", ["dev", "1.2.3", "a" * 39, "A" * 40])
def test_an_image_whose_tag_is_no_commit_is_refused(tag: str) -> None:
    with pytest.raises(ConfigError, match="is not a commit"):
        require_commit(f"{REPOSITORY}:{tag}")

    require_commit(image("a" * 40))
