"""What a range of Git's history touches: files, and the departments that they belong to."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import GENERIC

# Nothing that is registered comes from there. Generated files change with what they are made of.
_NO_MATTER = frozenset({"docs", "tests", "benchmarks", "notebooks", ".github", ".ci"})
_GENERATED = frozenset(
    {"prefect.local.yaml", "prefect.k8s.yaml", "helm/airnub-prefect/files/departments.yaml"}
)
_GENERIC_FLOWS = "configs/generic_flows.yaml"


def changed_files(root: Path, since: str) -> tuple[PurePosixPath, ...]:
    """List what differs from the point where the present commit left ``since``.

    Uncommitted changes and untracked files count; both names of a renamed file do.

    Args:
        root: The project's root, in a Git repository.
        since: A branch, tag or commit.

    Returns:
        Paths from the project's root.

    Raises:
        ConfigError: Git is not there, this is no repository, or it lacks that history. No retry.
    """
    base = _fork_point(root, since)
    changed = _git(root, "diff", "--name-only", "--no-renames", "--relative", "-z", base)
    new = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    names = {name for name in f"{changed}\0{new}".split("\0") if name}
    return tuple(PurePosixPath(name) for name in sorted(names))


def touched_departments(files: Iterable[PurePosixPath]) -> frozenset[str] | None:
    """Find the departments whose registered objects may change with these files.

    Returns:
        Identifiers, also of departments that are gone; None for all: shared code has changed.
    """
    found: set[str] = set()
    for file in files:
        owner = _owner(file)
        if owner is None:
            return None
        found.add(owner)
    return frozenset(found - {""})


def has_commit(root: Path, commit: str) -> bool:
    """Tell whether the history of the present commit, as far as it is here, has another one."""
    done = _run(root, ("merge-base", "--is-ancestor", commit, "HEAD"))
    return done.returncode == 0


def _owner(file: PurePosixPath) -> str | None:
    """Give a file's department, an empty text where it does not matter, None where all depend."""
    if file.parts[0] in _NO_MATTER or file.suffix == ".md" or str(file) in _GENERATED:
        return ""
    match file.parts:
        case ("flows", package, _, *_) | ("configs", "variables", package, _, *_) if (
            package.startswith("dept_")
        ):
            return package.removeprefix("dept_")
        case ("configs", "departments", name) if name.endswith(".yaml"):
            return name.removesuffix(".yaml")
        case ("flows", package, _, *_) if package == GENERIC:
            return GENERIC
    return GENERIC if str(file) == _GENERIC_FLOWS else None


def _fork_point(root: Path, since: str) -> str:
    if _git(root, "rev-parse", "--is-inside-work-tree").strip() != "true":
        raise ConfigError(f"{root} has no files of a Git repository", "Use a clone with files")
    commit = _try_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{since}^0")
    if not commit:
        raise ConfigError(f"There is no commit {since!r}", _fetch(root, since))
    found = _try_git(root, "merge-base", commit, "HEAD")
    if not found:
        raise ConfigError(f"{since!r} and HEAD have no common commit", _fetch(root, since))
    return found


def _fetch(root: Path, since: str) -> str:
    if _git(root, "rev-parse", "--is-shallow-repository").strip() == "true":
        return "This clone is shallow: run `git fetch --unshallow`"
    return f"Name a branch, tag or commit that is here, or fetch {since}"


def _git(root: Path, *arguments: str) -> str:
    done = _run(root, arguments)
    if done.returncode:
        reason = done.stderr.strip().partition("\n")[0] or f"exit code {done.returncode}"
        raise ConfigError(
            f"git {arguments[0]} in {root}: {reason}", "Use a clone of the project's repository"
        )
    return done.stdout


def _try_git(root: Path, *arguments: str) -> str:
    """Ask for something that may not be there; an empty text if it is not."""
    done = _run(root, arguments)
    return "" if done.returncode else done.stdout.strip()


def _run(root: Path, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    command = ["git", "-C", str(root), *arguments]
    try:
        return subprocess.run(  # noqa: S603 - arguments of our own; the reference is no option
            command, capture_output=True, encoding="utf-8", errors="surrogateescape", check=False
        )
    except FileNotFoundError as error:
        raise ConfigError("git is not on the PATH", "Install Git") from error
