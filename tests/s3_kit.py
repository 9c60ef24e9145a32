"""A real S3 server for tests: the one that is named, else a MinIO of their own, else a skip.

``AIRNUB_TEST_S3_URL=s3://bucket/prefix`` with ``AWS_*`` names one; its bucket must exist. A
``minio`` program on the PATH is started once per test process, on a free port of loopback and in
a folder of its own, and ended by its process id.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import pytest
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider

from airnub_prefect_starter.core.store.s3 import S3Backend
from airnub_prefect_starter.core.store.s3_abilities import forget_abilities
from airnub_prefect_starter.core.store.s3_address import parse_s3_url
from airnub_prefect_starter.core.store.s3_bucket import S3Bucket, S3Sizes
from airnub_prefect_starter.core.store.s3_client import S3Connection, close_clients, ensure_bucket
from airnub_prefect_starter.core.store.s3_opening import prepare
from airnub_prefect_starter.core.store.s3_policy import department_policy

NAMED = "AIRNUB_TEST_S3_URL"
USER, PASSWORD = "test-root", "test-root-password"
_START_S = 60


@dataclass(frozen=True)
class S3Server:
    """A server and the environment that leads to it; ``root`` is an address in it.

    ``ours`` says that it was started for the tests, so that users may be made.
    """

    root: str
    environment: dict[str, str]
    ours: bool

    def url(self) -> str:
        """Give the address of a new store."""
        return f"{self.root}/{uuid.uuid4().hex}"

    def of_department(self) -> S3Server:
        """Give a user who may do below a new address what a department may in its store.

        On a server that the tests have not started, no users are made: the given key is used.
        """
        if not self.ours:
            return replace(self, root=self.url())
        address = parse_s3_url(self.url())
        user, password = uuid.uuid4().hex[:20], uuid.uuid4().hex
        admin = MinioAdmin(
            endpoint=urlsplit(self.environment["AWS_ENDPOINT_URL"]).netloc,
            credentials=StaticProvider(USER, PASSWORD),
            secure=False,
        )
        admin.policy_add(user, policy=department_policy(address.bucket, address.prefix))
        admin.user_add(user, password)
        admin.attach_policy([user], user=user)
        keys = {"AWS_ACCESS_KEY_ID": user, "AWS_SECRET_ACCESS_KEY": password}
        return replace(self, root=address.url, environment={**self.environment, **keys})

    @contextmanager
    def reachable(self) -> Iterator[None]:
        """Let this process and its children find the server."""
        with reaching(self.environment):
            yield


@contextmanager
def reaching(environment: dict[str, str]) -> Iterator[None]:
    """Let this process and its children find a server, and forget it afterwards."""
    close_clients()
    forget_abilities()
    with mock.patch.dict(os.environ, environment):
        try:
            yield
        finally:
            close_clients()
            forget_abilities()


def bucket_of(url: str, *, retries: int = 5, sizes: S3Sizes | None = None) -> S3Bucket:
    return S3Bucket(parse_s3_url(url), S3Connection(retries=retries), sizes or S3Sizes())


def s3_backend(url: str, *, sizes: S3Sizes | None = None) -> S3Backend:
    """Open the store at an address, making it if needed."""
    backend = S3Backend(bucket_of(url, sizes=sizes))
    prepare(backend, create=True)
    return backend


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Give a server, or skip and say why."""
    if named := os.environ.get(NAMED):
        yield S3Server(named.rstrip("/"), {}, ours=False)
        return
    program = shutil.which("minio")
    if program is None:
        pytest.skip(f"No {NAMED} is set and no minio program is on the PATH")
    with (
        tempfile.TemporaryDirectory(prefix="minio-") as folder,
        running_minio(program, folder) as port,
    ):
        server = S3Server("s3://airnub-test/stores", _environment(port), ours=True)
        with server.reachable():
            ensure_bucket(parse_s3_url(server.root), S3Connection())
        yield server


def _environment(port: int) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": USER,
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
        # A person's own profile or session must not be used.
        "AWS_SESSION_TOKEN": "",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def running_minio(program: str, folder: str) -> Iterator[int]:
    """Run a MinIO with its data in a folder, and give its port."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": folder,
        "MINIO_ROOT_USER": USER,
        "MINIO_ROOT_PASSWORD": PASSWORD,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
    }
    command = [program, "server", "--quiet", "--address", f"127.0.0.1:{port}", f"{folder}/data"]
    with Path(folder, "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _await(f"http://127.0.0.1:{port}/minio/health/live", process, Path(folder, "log"))
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - loopback
                return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"minio did not start: {log.read_text()[-2000:]}")
            time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
