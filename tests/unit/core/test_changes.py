"""What a range of Git's history touches, in real repositories."""

import os
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.changes import changed_files, touched_departments


def git(root: Path, *arguments: str) -> str:
    own = {
        "HOME": str(root),
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_NOSYSTEM": "1",
        **{
            f"GIT_{who}_{what}": "x@x"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }
    done = subprocess.run(
        ["git", *arguments], cwd=root, env=own, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def write(root: Path, *names: str, text: str = "x\n") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def commit(root: Path) -> str:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Change")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    repository = tmp_path / "project"
    repository.mkdir()
    git(repository, "init", "--quiet", "--initial-branch", "main")
    write(repository, "README.md", "flows/dept_a/x.py", "configs/departments/gone.yaml")
    commit(repository)
    return repository


def names(root: Path, since: str) -> list[str]:
    return [str(each) for each in changed_files(root, since)]


def test_what_was_committed_changed_and_added_since_counts(root: Path) -> None:
    write(root, "committed.txt")
    commit(root)
    write(root, "flows/dept_a/x.py", text="changed\n")
    write(root, "staged.txt", "nëw file.txt")
    git(root, "add", "staged.txt")

    assert names(root, "HEAD~1") == [
        "committed.txt",
        "flows/dept_a/x.py",
        "nëw file.txt",
        "staged.txt",
    ]
    assert names(root, "HEAD") == ["flows/dept_a/x.py", "nëw file.txt", "staged.txt"]


def test_what_happened_on_the_other_branch_does_not_count(root: Path) -> None:
    git(root, "switch", "--quiet", "--create", "topic")
    write(root, "mine.txt")
    commit(root)
    git(root, "switch", "--quiet", "main")
    write(root, "theirs.txt")
    commit(root)
    git(root, "switch", "--quiet", "topic")

    assert names(root, "main") == ["mine.txt"]


def test_both_names_of_a_renamed_file_and_a_deleted_file_count(root: Path) -> None:
    git(root, "mv", "flows/dept_a", "flows/dept_b")
    git(root, "rm", "--quiet", "configs/departments/gone.yaml")
    commit(root)

    assert touched_departments(changed_files(root, "HEAD~1")) == frozenset({"a", "b", "gone"})


def test_ignored_files_do_not_count(root: Path) -> None:
    write(root, ".gitignore", text="data/\n")
    commit(root)
    write(root, "data/blob")

    assert names(root, "HEAD") == []


def test_a_project_in_a_folder_of_a_repository_sees_its_own_files(root: Path) -> None:
    write(root, "inner/flows/dept_a/x.py", "outside.txt")
    commit(root)

    assert names(root / "inner", "HEAD~1") == ["flows/dept_a/x.py"]


@pytest.mark.parametrize("since", ["nowhere", "--help", "HEAD~9", "", "HEAD:README.md"])
def test_a_commit_that_is_not_there_is_named(root: Path, since: str) -> None:
    with pytest.raises(ConfigError, match="There is no commit") as failure:
        changed_files(root, since)

    assert repr(since) in failure.value.message


def test_a_shallow_clone_says_how_to_get_the_rest(root: Path, tmp_path: Path) -> None:
    first = git(root, "rev-parse", "HEAD")
    write(root, "more.txt")
    commit(root)
    clone = tmp_path / "clone"
    git(root, "clone", "--quiet", "--depth", "1", root.as_uri(), str(clone))

    with pytest.raises(ConfigError, match="git fetch --unshallow"):
        changed_files(clone, first)


def test_histories_without_a_common_commit_are_refused(root: Path) -> None:
    git(root, "switch", "--quiet", "--orphan", "other")
    write(root, "alone.txt")
    commit(root)

    with pytest.raises(ConfigError, match="'main' and HEAD have no common commit"):
        changed_files(root, "main")


def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a git repository") as failure:
        changed_files(tmp_path, "main")

    assert failure.value.remedy == "Use a clone of the project's repository"


def test_without_git_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigError, match="git is not on the PATH"):
        changed_files(tmp_path, "main")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], set()),
        (["README.md", "docs/x.md", "tests/unit/test_x.py", "benchmarks/b.py"], set()),
        ([".github/CODEOWNERS", "flows/README.md", "prefect.k8s.yaml"], set()),
        (["helm/airnub-prefect/files/departments.yaml"], set()),
        (["flows/dept_a/ingestion/x/config.py", "docs/x.md"], {"a"}),
        (["configs/departments/b.yaml", "configs/variables/dept_a/i/c.yaml"], {"a", "b"}),
        (["flows/generic/report_drift_flow.py", "configs/generic_flows.yaml"], {"generic"}),
        # What all depend on.
        (["flows/dept_a/x.py", "src/airnub_prefect_starter/core/html.py"], None),
        (["requirements/base.lock"], None),
        (["Dockerfile"], None),
        (["configs/department_mapping.yaml"], None),
        (["flows/__init__.py"], None),
        (["helm/airnub-prefect/values.yaml"], None),
        (["something/new"], None),
    ],
)
def test_whose_objects_files_may_change(files: list[str], expected: set[str] | None) -> None:
    assert touched_departments(map(PurePosixPath, files)) == expected
