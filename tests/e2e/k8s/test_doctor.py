"""`airnub doctor --k8s`: a release is broken in one way after another, and mended again."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.k8s.kit import Api, Release, clean_environment, eventually, get, kubectl, run

DEPARTMENT = "project_beta"
POOL = "airnub"


@dataclass(frozen=True)
class Examined:
    """How the doctor ended, and what it found."""

    code: int
    checks: dict[str, Any]

    @property
    def wrong(self) -> dict[str, Any]:
        return {name: each for name, each in self.checks.items() if each["state"] == "fail"}


def doctor() -> Examined:
    program = Path(sys.executable).with_name("airnub")
    done = run(program, "doctor", "--k8s", "--json", check=False, env=clean_environment())
    assert done.stdout, done.stderr
    found = {each["check"]: each for each in json.loads(done.stdout)["checks"]}
    return Examined(done.returncode, found)


@pytest.fixture(scope="module", autouse=True)
def healthy(release: Release) -> Examined:
    """Require a healthy release first: a failure below is then of what was broken there."""
    found = doctor()
    assert found.wrong == {}
    return found


def test_a_healthy_release(healthy: Examined) -> None:
    assert healthy.code == 0
    # What others have left in the cluster may be worth a warning, and nothing is skipped.
    assert {each["state"] for each in healthy.checks.values()} <= {"ok", "warn"}


@contextmanager
def no_binding(release: Release) -> Iterator[None]:
    place = ("-n", release.department(DEPARTMENT))
    name = f"{release.name}-worker-{POOL}"
    binding = kubectl("get", "rolebinding", name, *place, "-o", "json")
    kubectl("delete", "rolebinding", name, *place)
    try:
        yield
    finally:
        _restore(binding)


@contextmanager
def no_worker(release: Release) -> Iterator[None]:
    worker = f"deployment/{release.name}-worker-{POOL}"
    kubectl("scale", worker, "-n", release.namespace, "--replicas=0")
    try:
        yield
    finally:
        kubectl("scale", worker, "-n", release.namespace, "--replicas=1")
        kubectl("rollout", "status", worker, "-n", release.namespace, timeout=180)


@contextmanager
def no_key(release: Release) -> Iterator[None]:
    place = ("secret", f"{release.name}-s3", "-n", release.department(DEPARTMENT))
    value = get(*place)["data"]["secret-access-key"]
    kubectl("patch", *place, "--type=json", "-p", _patch("remove", "/data/secret-access-key"))
    try:
        yield
    finally:
        kubectl(
            "patch", *place, "--type=json", "-p", _patch("add", "/data/secret-access-key", value)
        )


@contextmanager
def wrong_key(release: Release) -> Iterator[None]:
    place = ("secret", f"{release.name}-s3", "-n", release.department(DEPARTMENT))
    value = get(*place)["data"]["secret-access-key"]
    other = base64.b64encode(b"of-another-department").decode()
    kubectl("patch", *place, "--type=json", "-p", _patch("add", "/data/secret-access-key", other))
    try:
        yield
    finally:
        kubectl(
            "patch", *place, "--type=json", "-p", _patch("add", "/data/secret-access-key", value)
        )


@contextmanager
def no_quota(release: Release) -> Iterator[None]:
    place = ("-n", release.department(DEPARTMENT))
    name = f"{release.name}-department"
    quota = kubectl("get", "resourcequota", name, *place, "-o", "json")
    kubectl("delete", "resourcequota", name, *place)
    try:
        yield
    finally:
        _restore(quota)


@contextmanager
def edited_template(release: Release) -> Iterator[None]:
    with release.api() as api:
        before = _template(api)
        changed = json.loads(json.dumps(before))
        changed["variables"]["properties"]["image"]["default"] = "of-somebody:1"
        _set_pool(api, base_job_template=changed)
        try:
            yield
        finally:
            _set_pool(api, base_job_template=before)


@contextmanager
def paused_pool(release: Release) -> Iterator[None]:
    with release.api() as api:
        _set_pool(api, is_paused=True)
        try:
            yield
        finally:
            _set_pool(api, is_paused=False)


@contextmanager
def unpullable_image(release: Release) -> Iterator[None]:
    place = ("-n", release.department(DEPARTMENT))
    kubectl("apply", "-f", "-", stdin=json.dumps(_pod(release)))
    eventually("the pull fails", _waits, timeout=120)
    try:
        yield
    finally:
        kubectl("delete", "pod", "doctor-probe", *place)


Break = Callable[[Release], Any]


@pytest.mark.parametrize(
    ("break_it", "check", "what", "fix"),
    [
        (no_binding, "worker rights", "airnub-worker-airnub may not create jobs", "helm upgrade"),
        (no_worker, "pods", "airnub-worker-airnub is scaled to 0", "--replicas=1"),
        (no_key, "secrets", "airnub-s3 has no key secret-access-key", "patch secret airnub-s3"),
        (wrong_key, "stores", "project_beta: ", ""),
        (no_quota, "quota", "airnub-dept-project-beta has no quota", "helm upgrade"),
        (edited_template, "pool settings", "base_job_template", "helm upgrade"),
        (paused_pool, "work pool", "airnub is paused", "helm upgrade"),
        (unpullable_image, "flows image", "doctor-probe: ", "docker push localhost:5001/airnub"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_is_broken_is_named_with_its_fix(
    release: Release, break_it: Break, check: str, what: str, fix: str
) -> None:
    with break_it(release):
        broken = doctor()

    assert broken.code == 6
    assert what in broken.wrong[check]["what"]
    assert any(fix in each for each in broken.wrong[check]["fixes"])


def test_everything_is_mended(release: Release) -> None:
    eventually("the release is healthy", lambda: doctor().code == 0, timeout=120, every=5)


def test_another_release_is_not_there(release: Release) -> None:
    program = Path(sys.executable).with_name("airnub")

    done = run(program, "doctor", "--k8s", "--release", "nobody", "--json", check=False)

    found = {each["check"]: each for each in json.loads(done.stdout)["checks"]}
    assert done.returncode == 6
    assert found["cluster"]["state"] == "ok"
    assert "There is no release nobody" in found["release"]["what"]
    assert found["api"]["what"] == "skipped: it needs release"


def _template(api: Api) -> Any:
    return api.get(f"/work_pools/{POOL}")["base_job_template"]


def _set_pool(api: Api, **fields: Any) -> None:
    answer = api.client.patch(f"/work_pools/{POOL}", json=fields)
    assert answer.is_success, answer.text


def _patch(act: str, path: str, value: str | None = None) -> str:
    return json.dumps([{"op": act, "path": path, **({"value": value} if value else {})}])


def _restore(text: str) -> None:
    """Create an object again, as Helm's: the next upgrade would refuse to take it from another."""
    found = json.loads(text)
    kept = ("name", "namespace", "labels", "annotations")
    found["metadata"] = {
        name: found["metadata"][name] for name in kept if name in found["metadata"]
    }
    found.pop("status", None)
    kubectl("apply", "--server-side", "--field-manager=helm", "-f", "-", stdin=json.dumps(found))


def _pod(release: Release) -> dict[str, Any]:
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    resources = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}}
    container = {
        "name": "probe",
        # The local registry says at once that it has none; the public one may be out of reach.
        "image": "localhost:5001/airnub-does-not-exist:1",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": security,
        "resources": resources,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "doctor-probe", "namespace": release.department(DEPARTMENT)},
        "spec": {"containers": [container], "automountServiceAccountToken": False},
    }


def _waits() -> bool:
    found = get("pods", "-A", "--field-selector", "metadata.name=doctor-probe")["items"]
    statuses = found[0]["status"].get("containerStatuses", []) if found else []
    return any("ImagePull" in str(each["state"].get("waiting")) for each in statuses)
