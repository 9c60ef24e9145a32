"""What we want changed in the base job template of Prefect's Kubernetes worker.

How the worker treats the parts decides where each setting stands:

- Plain settings are the default of the job variable ``env``. There they win over what the worker
  passes on of its own settings, and a deployment's ``env`` is merged over them.
- References to Secrets stand in the container's ``env`` list, where Prefect leaves them.
- Whatever a deployment may change is a job variable; the server checks it against the schema here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from airnub_prefect_starter.control.environment import RUN_ENVIRONMENT
from airnub_prefect_starter.core.cluster import IMAGE_ROOT, ClusterConfig

Json = Mapping[str, Any]

USER_ID = 10001
SCRATCH = "/tmp"  # noqa: S108 - in the pod, where nobody else is

# Where runs that compare with Git find the cluster's file.
CLUSTER_FOLDER = "/etc/airnub"

# The code in the worker that read them is gone.
_DEAD = ("job_watch_timeout_seconds", "pod_watch_timeout_seconds", "stream_output")

_RUN_SETTINGS: Mapping[str, str] = {
    **RUN_ENVIRONMENT,
    # The root file system is read-only.
    "HOME": f"{SCRATCH}/home",
    "PREFECT_HOME": f"{SCRATCH}/prefect",
    "AIRNUB_PROJECT_ROOT": str(IMAGE_ROOT),
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LOG_PRINTS": "true",
    # About 8 minutes: an update of the server takes less.
    "PREFECT_CLIENT_MAX_RETRIES": "8",
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
}


# Prefect's client repeats a request only after one that succeeded: a run whose pod starts while the
# server restarts would be Crashed. Eight minutes, as the client itself waits later.
_WAIT_FOR_API = """
import socket, sys, time
host, port = sys.argv[1], int(sys.argv[2])
for attempt in range(240):
    try:
        socket.create_connection((host, port), 5).close()
        sys.exit()
    except OSError as error:
        print(f"waiting for the API at {host}:{port}: {error}", flush=True)
        time.sleep(2)
sys.exit(f"no API at {host}:{port} after eight minutes")
"""


_CONFINED: Json = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def template_patch(cluster: ClusterConfig, store_url: str) -> dict[str, Any]:
    """Give the JSON merge patch over the worker's default template: None removes.

    Args:
        cluster: The chart's settings.
        store_url: Root of the content stores.
    """
    dead = dict.fromkeys(_DEAD)
    return {
        "job_configuration": {**dead, "job_manifest": _manifest(cluster)},
        "variables": {
            "properties": {**dead, **_variables(cluster, store_url)},
            # Without it a run would go to the namespace `default`.
            "required": ["namespace"],
        },
    }


def _manifest(cluster: ClusterConfig) -> Json:
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": "{{ termination_grace_period_seconds }}",
        "priorityClassName": "{{ priority_class_name }}",
        "imagePullSecrets": [{"name": name} for name in cluster.image_pull_secrets] or None,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # One outside may be behind a proxy, which a bare connection would not take.
        "initContainers": [_wait_for_api(cluster.api_url)] if cluster.api_embedded else None,
        "containers": [_container(cluster)],
        # Prefect leaves out what has no value: only flows of no department have one.
        "volumes": [
            {"name": "scratch", "emptyDir": {"sizeLimit": "{{ scratch_size_limit }}"}},
            "{{ cluster_volume }}",
        ],
    }
    return {
        "spec": {
            "activeDeadlineSeconds": "{{ active_deadline_seconds }}",
            "template": {"spec": pod},
        }
    }


def _wait_for_api(api_url: str) -> Json:
    address = urlsplit(api_url)
    port = address.port or {"http": 80, "https": 443}[address.scheme]
    return {
        "name": "wait-for-api",
        "image": "{{ image }}",
        "imagePullPolicy": "{{ image_pull_policy }}",
        "args": ["python", "-I", "-S", "-c", _WAIT_FOR_API, address.hostname, str(port)],
        "securityContext": _CONFINED,
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"memory": "64Mi"},
        },
    }


def _container(cluster: ClusterConfig) -> Json:
    return {
        "name": "prefect-job",
        "image": "{{ image }}",
        "imagePullPolicy": "{{ image_pull_policy }}",
        "args": "{{ command }}",
        "env": [
            _from_secret("AWS_ACCESS_KEY_ID", cluster.s3.secret_name, "access-key-id"),
            _from_secret("AWS_SECRET_ACCESS_KEY", cluster.s3.secret_name, "secret-access-key"),
        ],
        "envFrom": [{"secretRef": {"name": cluster.department_secret_name, "optional": True}}],
        "securityContext": _CONFINED,
        # No CPU limit: starting is bound by the CPU, and a limit would slow it for nothing.
        "resources": {
            "requests": {"cpu": "{{ cpu_request }}", "memory": "{{ memory_request }}"},
            "limits": {"memory": "{{ memory_limit }}"},
        },
        "volumeMounts": [{"name": "scratch", "mountPath": SCRATCH}, "{{ cluster_mount }}"],
    }


def _from_secret(variable: str, secret: str, key: str) -> Json:
    reference = {"name": secret, "key": key, "optional": "{{ store_key_optional }}"}
    return {"name": variable, "valueFrom": {"secretKeyRef": reference}}


def _variables(cluster: ClusterConfig, store_url: str) -> dict[str, Json | None]:
    """Give the job variables: new ones, other defaults, and None for those that are gone."""
    job = cluster.job
    return {
        "env": {"default": _environment(cluster, store_url)},
        "image": {"default": cluster.flows_image},
        "image_pull_policy": {"default": cluster.image_pull_policy},
        "namespace": {"default": None},
        "backoff_limit": {"default": job.backoff_limit},
        "finished_job_ttl": {"default": job.ttl_seconds_after_finished},
        "cpu_limit": None,
        "cpu_request": {"default": job.cpu_request},
        "memory_request": {"default": job.memory_request},
        "memory_limit": {"default": job.memory_limit},
        "scratch_size_limit": _text("Most that a run may write to /tmp", job.scratch_size_limit),
        "priority_class_name": _text("PriorityClass of the pod", job.priority_class_name),
        "active_deadline_seconds": _seconds(
            "Longest life of the Job, waiting for its image included", job.active_deadline_seconds
        ),
        "termination_grace_period_seconds": _seconds(
            "From SIGTERM to SIGKILL", job.termination_grace_period_seconds
        ),
        "store_key_optional": {
            "type": "boolean",
            "description": "Start without a key to the object store too",
            "default": False,
        },
        "cluster_volume": {"type": "object", "description": "Volume with the cluster's file"},
        "cluster_mount": {"type": "object", "description": "Where that volume is"},
    }


def _text(description: str, default: str | None) -> Json:
    schema = {"type": "string", "description": description}
    return schema if default is None else {**schema, "default": default}


def _seconds(description: str, default: int) -> Json:
    return {"type": "integer", "minimum": 0, "description": description, "default": default}


def _environment(cluster: ClusterConfig, store_url: str) -> dict[str, str]:
    endpoint = cluster.s3.endpoint_url
    return {
        **_RUN_SETTINGS,
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(cluster.self_healing.heartbeat_seconds),
        "AIRNUB_STORE_URL": store_url,
        "AWS_REGION": cluster.s3.region,
        **({"AWS_ENDPOINT_URL": endpoint} if endpoint else {}),
        **cluster.job.env,
    }
