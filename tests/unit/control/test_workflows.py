from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from airnub_prefect_starter.cli import run_command
from airnub_prefect_starter.control.workflows import (
    DEPLOYED,
    ENVIRONMENTS,
    FOLDER,
    render_workflows,
)

ROOT = Path(__file__).parents[3]
TEXTS = {path.name: text for path, text in render_workflows().items()}
WORKFLOWS: dict[str, dict[Any, Any]] = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
ACTIONLINT = shutil.which("actionlint")
SECRET = re.compile(r"\$\{\{\s*(secrets\.|github\.token)")


def jobs(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = WORKFLOWS[name]["jobs"]
    return found


def steps() -> Iterator[dict[str, Any]]:
    for name in WORKFLOWS:
        for job in jobs(name).values():
            yield from job["steps"]


def commands() -> str:
    return "\n".join(step["run"] for step in steps() if "run" in step)


@pytest.mark.skipif(ACTIONLINT is None, reason="actionlint is not on PATH")
@pytest.mark.parametrize("name", TEXTS)
def test_actionlint_finds_nothing(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(TEXTS[name])

    done = subprocess.run([str(ACTIONLINT), str(file)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = set(re.findall(r"\bmake ([a-z0-9-]+)", commands()))

    assert used == {"check", "setup", "test", "unit"}
    assert used <= targets


def test_every_verb_of_airnub_exists(capfd: pytest.CaptureFixture[str]) -> None:
    verbs = re.findall(r"airnub ((?:[a-z]+ )+)(--[a-z]+)", commands())

    assert verbs
    for verb, option in verbs:
        assert run_command([*verb.split(), "--help"]) == 0
        assert option in capfd.readouterr().out


def test_every_file_that_is_named_exists() -> None:
    text = "\n".join(TEXTS.values())
    scripts = re.findall(r"\./(scripts/\S+)", text)
    hashed = [
        each for found in re.findall(r"hashFiles\(([^)]*)\)", text) for each in found.split(",")
    ]

    for name in (*scripts, "Dockerfile.platform", "k8s/namespaces", "helm/airnub-prefect"):
        assert (ROOT / name).exists(), name
    for pattern in hashed:
        assert list(ROOT.glob(pattern.strip(" '"))), pattern
    for environment in ENVIRONMENTS:
        assert (ROOT / f"helm/airnub-prefect/values-{environment}.yaml").is_file()


def test_every_path_that_starts_a_deploy_has_files() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("about what git tracks")
    files = listed.stdout.splitlines()

    for pattern in DEPLOYED:
        assert any(fnmatchcase(file, pattern) for file in files), pattern


def test_what_an_image_holds_starts_a_deploy() -> None:
    text = (ROOT / "Dockerfile").read_text() + (ROOT / "Dockerfile.platform").read_text()
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE)
        for source in line.split()[:-1]
    }

    covered = {
        source
        for source in copied
        if any(fnmatchcase(f"{source}/x", each) or fnmatchcase(source, each) for each in DEPLOYED)
    }
    assert copied - covered == {"LICENSE"}


def test_permissions_are_the_least() -> None:
    for name, workflow in WORKFLOWS.items():
        assert workflow["permissions"] == {"contents": "read"}
        granted = {
            job: each["permissions"] for job, each in jobs(name).items() if "permissions" in each
        }
        expected = {"images": {"contents": "read", "packages": "write"}}
        assert granted == (expected if name == "deploy.yaml" else {})


def test_every_job_ends_some_time() -> None:
    for name in WORKFLOWS:
        assert all(job["timeout-minutes"] <= 60 for job in jobs(name).values())


def test_actions_are_pinned_to_commits() -> None:
    used = re.findall(r"uses: (\S+)( # v[0-9.]+)?$", "\n".join(TEXTS.values()), re.MULTILINE)

    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) and tag for action, tag in used)


def test_no_credential_stays_in_the_clone() -> None:
    clones = [step for step in steps() if "actions/checkout" in step.get("uses", "")]

    assert clones
    assert all(step["with"]["persist-credentials"] is False for step in clones)


def test_secrets_reach_commands_by_the_environment_alone_and_are_not_printed() -> None:
    # GitHub puts an expression in a command before the shell reads it.
    assert "${{" not in commands()
    for step in steps():
        names = [key for key, value in step.get("env", {}).items() if SECRET.search(str(value))]
        for name in names:
            printed = [line for line in step["run"].splitlines() if f"printenv {name}" in line]
            assert printed
            assert all(re.search(r"\| docker login|> \"\$RUNNER_TEMP/", line) for line in printed)
            assert not re.search(rf"(echo|printf).*\${name}", step["run"])
    secrets = {found for text in TEXTS.values() for found in re.findall(r"secrets\.(\w+)", text)}
    assert secrets == {"GITHUB_TOKEN", "KUBECONFIG"}


def test_pull_requests_get_no_secret_and_deploy_nothing() -> None:
    assert not SECRET.search(TEXTS["checks.yaml"])
    # PyYAML reads the key `on` as true.
    assert set(WORKFLOWS["deploy.yaml"][True]) == {"push", "workflow_dispatch"}
    assert WORKFLOWS["deploy.yaml"][True]["push"]["branches"] == ["main"]


def test_one_deploy_of_an_environment_at_a_time_and_none_is_cut_off() -> None:
    concurrency = WORKFLOWS["deploy.yaml"]["concurrency"]

    assert concurrency["cancel-in-progress"] is False
    assert "inputs.environment || 'staging'" in concurrency["group"]
    assert jobs("deploy.yaml")["deploy"]["environment"] == "${{ inputs.environment || 'staging' }}"


def test_the_repositorys_workflows_are_these() -> None:
    assert {path.name for path in (ROOT / FOLDER).glob("*.y*ml")} == set(TEXTS)


DOCKER = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in
  *inspect*)
    if test -e "$CALLS.away"; then echo "ERROR: 401 Unauthorized" >&2; exit 1; fi
    if test -e "$CALLS.pushed"; then echo sha256:1234; exit; fi
    echo "ERROR: $4: not found" >&2; exit 1 ;;
  *build*) echo "building"; test ! -e "$CALLS.broken" && touch "$CALLS.pushed" ;;
esac
"""


class Registry:
    """A docker that knows one image."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.calls = folder / "calls"
        program = folder / "bin" / "docker"
        program.parent.mkdir()
        program.write_text(DOCKER)
        program.chmod(0o755)
        patch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        patch.setenv("CALLS", str(self.calls))

    def push(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(ROOT / "scripts" / "push_image.sh"), "r/flows:abc", "--target", "flows"],
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    return Registry(tmp_path, monkeypatch)


def test_an_image_is_built_once(registry: Registry) -> None:
    first, second = registry.push(), registry.push()

    assert (first.stdout, second.stdout) == ("r/flows:abc@sha256:1234\n",) * 2
    built = [line for line in registry.calls.read_text().splitlines() if "build " in line]
    assert built == [
        "buildx build --push --tag r/flows:abc --build-arg VERSION=abc --target flows ."
    ]


def test_an_image_that_cannot_be_built_ends_the_job(registry: Registry) -> None:
    registry.calls.with_name("calls.broken").touch()

    done = registry.push()

    assert (done.returncode != 0, done.stdout) == (True, "")


def test_an_image_of_which_nothing_is_known_is_not_built(registry: Registry) -> None:
    registry.calls.with_name("calls.away").touch()

    done = registry.push()

    assert (done.returncode, done.stdout) == (1, "")
    assert "401 Unauthorized" in done.stderr
    assert "build " not in registry.calls.read_text()
