"""From trigger to Completed: a flow of five tasks as a Kubernetes Job, by turns in two work pools.

One pool and its worker are Prefect's own: default template, default settings, started as Prefect's
guide says. The other is the release's. Same cluster, server, image and flow, in one run. Times are
the server's own (``created``, ``start_time``, ``end_time`` of the run); CPU is that of the run's
container until its last task ended, as its cgroup counts it.

Needs `airnub k8s up`: ``python benchmarks/cluster_latency.py [--rounds 7]``.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from airnub_prefect_starter.control.pools import default_template
from benchmarks.measuring import machine
from tests.e2e.k8s.kit import Api, Release, eventually, get, kubectl, secret

NAMESPACE = "bench"
FLOW = """
from pathlib import Path

from prefect import flow, get_run_logger, task


def cpu_seconds() -> float:
    usage = Path("/sys/fs/cgroup/cpuacct/cpuacct.usage")
    if usage.exists():
        return int(usage.read_text()) / 1e9
    stat = Path("/sys/fs/cgroup/cpu.stat").read_text().split()
    return int(stat[stat.index("usage_usec") + 1]) / 1e6


@task
def nothing(number: int) -> int:
    return number


@flow(name="Five Tasks")
def five() -> None:
    for number in range(5):
        nothing(number)
    get_run_logger().info(f"cpu {cpu_seconds():.3f}")
"""


@dataclass(frozen=True)
class Measured:
    """One run: seconds from its trigger to Running and to Completed, and its CPU seconds."""

    started: float
    completed: float
    cpu: float


def main() -> int:
    options = _parser().parse_args()
    release = Release()
    print(machine(Path(tempfile.gettempdir())))
    with _default_worker(release), release.api() as api:
        deployments = _register(api, release)
        _rounds(api, deployments, 1)  # the images are on the node and everything is warm
        _report(_rounds(api, deployments, options.rounds))
        for name in deployments.values():
            api.client.delete(f"/deployments/{api.deployment(name)['id']}")
        api.client.delete(f"/work_pools/{NAMESPACE}")
    return 0


def _rounds(api: Api, deployments: dict[str, str], rounds: int) -> dict[str, list[Measured]]:
    found: dict[str, list[Measured]] = {name: [] for name in deployments}
    for _ in range(rounds):
        for name, deployment in deployments.items():
            found[name].append(_measure(api, deployment))
    return found


def _measure(api: Api, deployment: str) -> Measured:
    run_id = api.start(deployment)
    run = api.wait(run_id, "COMPLETED", timeout=120)
    created, started, ended = (
        datetime.fromisoformat(run[field]) for field in ("created", "start_time", "end_time")
    )
    cpu = eventually("its CPU is logged", lambda: _cpu(api.logs(run_id)), timeout=30)
    return Measured((started - created).total_seconds(), (ended - created).total_seconds(), cpu)


def _cpu(log: str) -> float | None:
    return next((float(line[4:]) for line in log.splitlines() if line.startswith("cpu ")), None)


def _report(found: dict[str, list[Measured]]) -> None:
    print(f"\nA flow of five tasks as a Job, median of {len(found['ours'])} rounds, by turns\n")
    print("| | trigger → Running, s | trigger → Completed, s | CPU of the run's pod, s |")
    print("| --- | ---: | ---: | ---: |")
    for name, runs in found.items():
        cells = (
            f"{statistics.median(getattr(each, field) for each in runs):.2f}"
            for field in ("started", "completed", "cpu")
        )
        print(f"| {name} | {' | '.join(cells)} |")
    ours, default = (
        statistics.median(each.completed for each in found[name]) for name in ("ours", "default")
    )
    print(f"\nOurs / default Prefect: {ours / default:.2f} of the time to Completed")


def _register(api: Api, release: Release) -> dict[str, str]:
    """Register the flow in both pools; name → deployment."""
    image = api.deployment("project_beta.ingestion")["job_variables"]["image"]
    flow = api.post("/flows/", {"name": "Five Tasks"})["id"]
    api.client.delete(f"/work_pools/{NAMESPACE}")
    api.post(
        "/work_pools/",
        {
            "name": NAMESPACE,
            "type": "kubernetes",
            "base_job_template": default_template("kubernetes"),
        },
    )
    pools = {
        "default": (NAMESPACE, NAMESPACE),
        "ours": ("airnub", release.department("project_beta")),
    }
    for name, (pool, namespace) in pools.items():
        body = {
            "name": f"bench.{name}",
            "flow_id": flow,
            "entrypoint": "five.py:five",
            "work_pool_name": pool,
            "pull_steps": _pull_steps(),
            "job_variables": {"image": image, "namespace": namespace},
        }
        if name == "ours":
            body["job_variables"]["service_account_name"] = "flow-run"
        api.post("/deployments/", body)
    return {name: f"bench.{name}" for name in pools}


def _pull_steps() -> list[dict[str, Any]]:
    """Write the flow's file where it runs: it is no part of the image."""
    code = base64.b64encode(FLOW.encode()).decode()
    write = (
        "import base64, pathlib; folder = pathlib.Path('/tmp/bench'); folder.mkdir(); "
        f"(folder / 'five.py').write_bytes(base64.b64decode('{code}'))"
    )
    steps = "prefect.deployments.steps"
    return [
        {f"{steps}.run_shell_script": {"script": f'python -c "{write}"'}},
        {f"{steps}.set_working_directory": {"directory": "/tmp/bench"}},  # noqa: S108 - in the pod
    ]


@contextmanager
def _default_worker(release: Release) -> Iterator[None]:
    """Run a worker with Prefect's defaults in a namespace of its own."""
    objects = "\n---\n".join(map(json.dumps, _objects(release)))
    kubectl("apply", "-f", "-", stdin=objects)
    try:
        kubectl(
            "rollout", "status", "deployment/worker", "-n", NAMESPACE, "--timeout=120s", timeout=130
        )
        yield
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _objects(release: Release) -> list[dict[str, Any]]:
    worker = get("deployment", f"{release.name}-worker-airnub", "-n", release.namespace)
    image = worker["spec"]["template"]["spec"]["containers"][0]["image"]
    labels = get("namespace", release.department("project_beta"))["metadata"]["labels"]
    shared = {
        name: value for name, value in labels.items() if name.startswith(("airnub.io/", "app."))
    }
    server = f"http://{release.name}-server.{release.namespace}.svc.cluster.local:4200/api"
    auth = secret(release.namespace, release.credentials)["auth-string"]
    pod = {"app": "worker"}
    text = f"""
- apiVersion: v1
  kind: Namespace
  metadata: {{name: {NAMESPACE}, labels: {json.dumps(shared)}}}
- apiVersion: v1
  kind: Secret
  metadata: {{name: auth, namespace: {NAMESPACE}}}
  stringData: {{auth-string: "{auth}"}}
- apiVersion: rbac.authorization.k8s.io/v1
  kind: RoleBinding
  metadata: {{name: worker, namespace: {NAMESPACE}}}
  roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}}
  subjects: [{{kind: ServiceAccount, name: default, namespace: {NAMESPACE}}}]
- apiVersion: apps/v1
  kind: Deployment
  metadata: {{name: worker, namespace: {NAMESPACE}}}
  spec:
    selector: {{matchLabels: {json.dumps(pod)}}}
    template:
      metadata: {{labels: {json.dumps(pod)}}}
      spec:
        containers:
        - name: worker
          image: {image}
          args: [prefect, worker, start, --pool, {NAMESPACE}, --type, kubernetes]
          env:
          - {{name: PREFECT_API_URL, value: "{server}"}}
          - {{name: PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES, value: {NAMESPACE}}}
          - name: PREFECT_API_AUTH_STRING
            valueFrom: {{secretKeyRef: {{name: auth, key: auth-string}}}}
"""
    found: list[dict[str, Any]] = yaml.safe_load(text)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="measured rounds (default 7)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
