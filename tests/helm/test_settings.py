"""The settings of server and worker; the only tests here that import Prefect."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
import yaml
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from airnub_prefect_starter.control.environment import SERVER_COST_SETTINGS
from tests.helm.kit import PROFILES, ROOT, find, pods, profile, render

# Importing Prefect creates its home.
with mock.patch.dict(os.environ, {"PREFECT_HOME": tempfile.mkdtemp()}):
    from prefect.settings import get_current_settings
    from prefect.settings.models.root import Settings
    from prefect_kubernetes.settings import (  # type: ignore[import-untyped]
        KubernetesSettings,
    )

# Read by prefect/server/utilities/encryption.py without a setting.
UNLISTED = "PREFECT_SERVER_ENCRYPTION_KEY"


def names_of(model: type[BaseSettings]) -> Iterator[str]:
    """List the environment variables of a settings model and of those inside it."""
    prefix = model.model_config.get("env_prefix", "")
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseSettings):
            yield from names_of(info.annotation)
        elif isinstance(info.validation_alias, AliasChoices):
            yield from (
                each.upper() for each in info.validation_alias.choices if isinstance(each, str)
            )
        else:
            yield f"{prefix}{name}".upper()


def environment(name: str, workload: str, *arguments: str) -> dict[str, Any]:
    manifests = render(*PROFILES[name], *arguments)
    pod = find(manifests, "Deployment", workload)["spec"]["template"]["spec"]
    return {
        each["name"]: each.get("value", each.get("valueFrom"))
        for each in pod["containers"][0]["env"]
    }


def server(*arguments: str, name: str = "local") -> dict[str, Any]:
    return environment(name, "airnub-server", *arguments)


def worker(*arguments: str, name: str = "local") -> dict[str, Any]:
    return environment(name, "airnub-worker-airnub", *arguments)


@pytest.mark.parametrize("name", PROFILES)
def test_prefect_knows_every_setting(name: str) -> None:
    known = {*names_of(Settings), *names_of(KubernetesSettings), UNLISTED}
    used = {
        each["name"]
        for pod in pods(profile(name))
        for container in pod.containers
        for each in container.get("env", ())
        if each["name"].startswith("PREFECT_")
    }

    assert len(known) > 300
    assert used
    assert used <= known


def test_the_server_has_the_settings_that_make_it_cheap() -> None:
    assert server().items() >= SERVER_COST_SETTINGS.items()


def test_prefect_reads_the_settings_of_the_server_as_they_are_meant() -> None:
    settings = read(server()).server

    assert settings.events.retention_period == timedelta(days=3)
    vacuum = settings.services.db_vacuum
    assert vacuum.enabled_vacuum_types == {"events", "flow_runs", "orphans"}
    assert vacuum.retention_period == timedelta(days=30)
    assert vacuum.event_retention_overrides == {"prefect.flow-run.heartbeat": timedelta(days=1)}
    assert settings.services.cancellation_cleanup.cancelling_timeout_seconds == 60
    assert settings.concurrency.lease_storage.endswith(".filesystem")
    assert settings.database.driver == "postgresql+asyncpg"
    assert settings.database.host == "airnub-postgresql.airnub.svc.cluster.local"
    assert settings.database.sqlalchemy.pool_size == 10
    assert not settings.analytics_enabled
    assert settings.ui.api_url == "http://localhost:4200/api"
    assert settings.api.cors_allowed_origins == "http://localhost:4200"


def test_the_password_of_the_database_is_no_part_of_an_address() -> None:
    found = server()

    assert "PREFECT_SERVER_DATABASE_CONNECTION_URL" not in found
    assert found["PREFECT_SERVER_DATABASE_PASSWORD"] == {
        "secretKeyRef": {"name": "airnub-postgresql", "key": "password"}
    }


def test_leases_survive_the_server() -> None:
    deployment = find(profile("local"), "Deployment", "airnub-server")["spec"]
    pod = deployment["template"]["spec"]
    home = server()["PREFECT_HOME"]
    volume = next(
        each["name"] for each in pod["containers"][0]["volumeMounts"] if each["mountPath"] == home
    )
    claim = next(each for each in pod["volumes"] if each["name"] == volume)

    assert claim["persistentVolumeClaim"] == {"claimName": "airnub-server"}
    # Two servers would write the same files.
    assert (deployment["replicas"], deployment["strategy"]["type"]) == (1, "Recreate")


def test_the_certificate_of_an_external_database_can_be_checked() -> None:
    public, own = server(name="prod"), server(name="database with TLS")
    tls = "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS"

    assert public[f"{tls}_ENABLED"] == "true"
    assert f"{tls}_CA_FILE" not in public
    assert read(own).server.database.sqlalchemy.connect_args.tls.enabled
    mounts = find(profile("database with TLS"), "Deployment", "airnub-server")
    assert own[f"{tls}_CA_FILE"].rpartition("/")[0] in str(mounts)


def test_settings_of_ones_own_win() -> None:
    changed = server(
        *("--set-string", "server.env.PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE=7"),
        *("--set-string", "server.env.PREFECT_SERVER_API_DEFAULT_LIMIT=50"),
    )

    assert read(changed).server.services.task_run_recorder.batch_size == 7
    assert read(changed).server.api.default_limit == 50


def test_the_worker_has_no_settings_of_the_server() -> None:
    for name in PROFILES:
        assert not [each for each in worker(name=name) if each.startswith("PREFECT_SERVER_")]


def test_prefect_reads_the_settings_of_the_worker_as_they_are_meant() -> None:
    found = worker()
    settings = read(found).worker
    with mock.patch.dict(os.environ, plain(found)):
        kubernetes = KubernetesSettings()

    assert settings.enable_cancellation
    assert settings.query_seconds == 1
    assert settings.heartbeat_seconds == 10
    assert kubernetes.observer.enabled
    assert kubernetes.observer.namespaces == {
        "airnub-dept-customer-churn",
        "airnub-dept-data-lake",
        "airnub-dept-project-alpha",
        "airnub-dept-project-beta",
        "airnub",
    }
    assert kubernetes.worker.create_job_retry.max_retries == 5
    # One Secret and two requests more per run, and rights on every Secret of the departments: for
    # nothing, while the two secrets that a worker has are replaced by references.
    assert not kubernetes.worker.store_env_as_secret


@pytest.mark.parametrize(
    ("name", "variable", "secret", "key"),
    [
        ("local", "API_AUTH_STRING", "airnub-api-auth", "auth-string"),
        ("cloud", "API_KEY", "prefect-cloud", "api-key"),
    ],
)
def test_no_secret_of_the_worker_stands_in_a_job(
    name: str, variable: str, secret: str, key: str
) -> None:
    found = worker(name=name)
    secrets = {each: value for each, value in found.items() if "secretKeyRef" in value}
    prefix = f"PREFECT_INTEGRATIONS_KUBERNETES_WORKER_{variable}_SECRET"

    # Prefect copies its settings into each Job and replaces this one, if told by what.
    assert secrets == {f"PREFECT_{variable}": {"secretKeyRef": {"name": secret, "key": key}}}
    assert (found[f"{prefix}_NAME"], found[f"{prefix}_KEY"]) == (secret, key)


def test_a_pool_s_workers_can_leave_the_watching_to_others() -> None:
    found = worker("--set", "workPools.airnub.observer=false")
    with mock.patch.dict(os.environ, plain(found)):
        assert not KubernetesSettings().observer.enabled


def test_console_logs_are_json_objects_one_per_line() -> None:
    setting = {"PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json"}
    changed = (*PROFILES["local"], "--set", "logging.json=true,job.env.LEVEL=high")
    cluster = find(render(*changed), "ConfigMap", "airnub-cluster")["data"]["cluster.yaml"]

    assert server(*changed[2:]).items() >= setting.items()
    assert worker(*changed[2:]).items() >= setting.items()
    assert yaml.safe_load(cluster)["job"]["env"] == {**setting, "LEVEL": "high"}
    assert not setting.keys() & server().keys() | setting.keys() & worker().keys()
    lines = logged(setting).splitlines()
    assert [json.loads(line)["msg"] for line in lines] == ["for %s", "w" * 500]


def logged(setting: Mapping[str, str]) -> str:
    """Log two lines as Prefect does, in a process with a setting."""
    script = (
        "import logging; from prefect.logging.configuration import setup_logging\n"
        "setup_logging(); log = logging.getLogger('prefect.server')\n"
        "log.warning('for %s', 'you'); log.warning('w' * 500)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **setting, "PREFECT_HOME": tempfile.mkdtemp()},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def test_the_worker_needs_nothing_that_comes_later() -> None:
    pod = find(profile("local"), "Deployment", "airnub-worker-airnub")["spec"]["template"]["spec"]
    arguments = pod["containers"][0]["args"]

    assert "initContainers" not in pod
    assert "--with-healthcheck" in arguments
    assert arguments[arguments.index("--install-policy") + 1] == "never"
    assert arguments[arguments.index("--type") + 1] == "kubernetes"
    # It does not limit runs but submissions; the pool's limit does.
    assert "--limit" not in arguments


def test_every_image_and_lock_has_the_same_prefect() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    for package in ("prefect", "prefect-kubernetes"):
        pinned = re.findall(rf'"{package}==([^"]+)"', project)
        locked = {
            lock.name: re.findall(rf"^{package}==(\S+)", lock.read_text(), re.MULTILINE)
            for lock in (ROOT / "requirements").glob("*.lock")
            if lock.name in {"base.lock", "platform.lock"}
        }

        assert len(pinned) == 1
        assert locked == {"base.lock": pinned, "platform.lock": pinned}


def plain(variables: Mapping[str, Any]) -> dict[str, str]:
    """Give references to Secrets a value, as Kubernetes does."""
    return {
        name: value if isinstance(value, str) else "from:secret"
        for name, value in variables.items()
    }


def read(variables: Mapping[str, Any]) -> Settings:
    """Read the settings as a process with these variables would."""
    given = plain(variables) | {"PREFECT_HOME": str(get_current_settings().home)}
    with mock.patch.dict(os.environ, given, clear=True):
        return Settings()
