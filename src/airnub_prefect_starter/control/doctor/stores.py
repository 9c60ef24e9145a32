"""Each department's store: written, read, verified, and raced for, with the department's key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from airnub_prefect_starter.common.errors import ObjectNotFoundError, PlatformError
from airnub_prefect_starter.control.doctor.context import Context
from airnub_prefect_starter.control.doctor.findings import Finding, fail, listed, ok, warn
from airnub_prefect_starter.control.k8s.access import use_cluster

LIMIT_S = 60.0
_ONE_S = LIMIT_S - 5
_PARALLEL = 4


@dataclass(frozen=True)
class _Answer:
    """What a department's store said: nothing where all is well."""

    department: str
    code: int = 0
    problem: str = ""
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.department}: {self.problem}"


def store(context: Context) -> Finding:
    """Examine the store of every department."""
    with ThreadPoolExecutor(_PARALLEL) as threads:
        answers = list(threads.map(partial(_ask, context), context.catalog.entries))
    broken = [each for each in answers if each.code not in {0, ObjectNotFoundError.exit_code}]
    if broken:
        return fail(listed(broken), *(each.fix for each in broken))
    lacking = [each for each in answers if each.problem]
    if lacking:
        return warn(listed(lacking), *(each.fix for each in lacking))
    return ok(f"{len(answers)} written, read and verified")


def _environment(context: Context, department: str) -> Mapping[str, str]:
    """Give what a process needs to reach the store with the department's key."""
    environ = dict(os.environ)
    if context.on_cluster:
        entry = context.catalog.department(department)
        use_cluster(context.access.store(entry), environ)
    settings = context.settings
    return {
        **environ,
        **({} if context.on_cluster else {"AIRNUB_STORE_URL": settings.store_url}),
        "AIRNUB_PROJECT_ROOT": str(settings.project_root),
        "AIRNUB_HOME": str(settings.home),
    }


def _ask(context: Context, department: str) -> _Answer:
    """Ask in a process of its own: keys are read from the environment, and S3 waits for long."""
    words = ["store", "doctor", "--department", department, "--json"]
    try:
        environ = _environment(context, department)
        done = subprocess.run(  # noqa: S603 - this program
            [sys.executable, "-m", "airnub_prefect_starter", *words],
            env=environ,
            capture_output=True,
            text=True,
            timeout=_ONE_S,
            check=False,
        )
    except PlatformError as error:
        return _Answer(department, error.exit_code, error.message, error.remedy)
    except subprocess.TimeoutExpired:
        again = f"airnub {' '.join(words[:-1])}"
        return _Answer(department, 1, f"no answer in {_ONE_S:.0f} s", again)
    if done.returncode:
        return _error(department, done)
    return _lacking(department, done.stdout)


def _error(department: str, done: subprocess.CompletedProcess[str]) -> _Answer:
    try:
        error = json.loads(done.stderr.splitlines()[-1])
        message, remedy = error["message"], error["remedy"]
    except (IndexError, KeyError, ValueError) as exc:
        said = " | ".join(done.stderr.splitlines()[-3:])
        raise PlatformError(f"`airnub store doctor -d {department}` failed: {said}") from exc
    if done.returncode == ObjectNotFoundError.exit_code:
        remedy = f"airnub run {department}"
    return _Answer(department, done.returncode, message, remedy)


def _lacking(department: str, text: str) -> _Answer:
    findings = [each for each in json.loads(text)["findings"] if each["state"] == "degraded"]
    if not findings:
        return _Answer(department)
    problem = ", ".join(f"{each['what']}: {each['detail']}" for each in findings)
    return _Answer(department, problem=problem, fix=findings[0]["follows"])
