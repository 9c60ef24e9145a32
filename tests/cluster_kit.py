"""The file that the Helm chart writes for bootstrap, and the Secret beside it, in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CLUSTER: Mapping[str, Any] = {
    "release": "airnub",
    "api_url": "http://airnub-server.airnub.svc.cluster.local:4200/api",
    "api_embedded": True,
    "flows_image": "registry.example/airnub-flows:1.2.3",
    "image_pull_policy": "IfNotPresent",
    "image_pull_secrets": [],
    "s3": {
        "endpoint_url": "http://airnub-object-store.airnub.svc.cluster.local:9000",
        "region": "us-east-1",
        "secret_name": "airnub-s3",
        "embedded": False,
    },
    "department_secret_name": "airnub-secrets",
    "job": {
        "cpu_request": "250m",
        "memory_request": "512Mi",
        "memory_limit": "1Gi",
        "scratch_size_limit": "2Gi",
        "ttl_seconds_after_finished": 3600,
        "active_deadline_seconds": 14400,
        "termination_grace_period_seconds": 90,
        "backoff_limit": 0,
        "priority_class_name": "airnub-flows-default",
        "env": {},
    },
    "pools": {"airnub": {"concurrency_limit": 20}},
    "self_healing": {"heartbeat_seconds": 60, "zombie_seconds": 180, "stuck_start_seconds": 900},
    "generic": {
        "work_pool": "airnub",
        "namespace": "airnub",
        "service_account": "airnub-generic",
        "config_map": "airnub-cluster",
        "labels": {
            "app.kubernetes.io/name": "airnub-prefect",
            "app.kubernetes.io/instance": "airnub",
            "app.kubernetes.io/component": "generic",
        },
        "env": {"SOURCES_URL": "http://airnub-sources:8080"},
    },
}


def write_cluster(folder: Path, **changes: Any) -> Path:
    """Write ``cluster.yaml`` with some of its keys changed; a mapping changes those it has."""
    merged = {
        key: {**value, **changes.get(key, {})} if isinstance(value, dict) else value
        for key, value in CLUSTER.items()
    }
    rest = {key: value for key, value in changes.items() if not isinstance(merged.get(key), dict)}
    file = folder / "cluster.yaml"
    file.write_text(yaml.safe_dump({**merged, **rest}, sort_keys=False))
    return file


def write_users(folder: Path, *departments: str) -> None:
    """Write the keys of some departments as the mounted Secret has them."""
    users = folder / "s3-users"
    users.mkdir()
    for name in departments:
        (users / f"{name}.access-key-id").write_text(f"{name}-key")
        (users / f"{name}.secret-access-key").write_text(f"secret-of-{name}")
