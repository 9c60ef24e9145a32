"""A real PostgreSQL for tests: the one that is named, else one of their own, else a skip.

``AIRNUB_TEST_POSTGRES_URL=postgresql://user@host/database`` names one, with the password in
``AIRNUB_TEST_POSTGRES_PASSWORD``; each test makes a schema of its own in it. Else ``initdb`` and
``postgres`` of the PATH are started once per test process, on a free port of loopback and in a
folder of their own, and ended by process id; as root they run as ``nobody``, since they refuse it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from tests.s3_kit import free_port

NAMED, NAMED_PASSWORD = "AIRNUB_TEST_POSTGRES_URL", "AIRNUB_TEST_POSTGRES_PASSWORD"
USER, PASSWORD, DATABASE = "tester", "test-password", "postgres"
_START_S = 60


@dataclass(frozen=True)
class Postgres:
    """A server, and how to be let in.

    ``ours`` says that it was started for the tests, so that databases and users may be made.
    """

    url: str
    password: SecretStr
    ours: bool

    def connect(self) -> psycopg.Connection:
        """Open a connection whose every statement counts at once."""
        return psycopg.connect(self.url, password=self.password.get_secret_value(), autocommit=True)

    @contextmanager
    def schema(self) -> Iterator[str]:
        """Make a schema, and drop it afterwards."""
        name = f"test_{uuid.uuid4().hex}"
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        try:
            yield name
        finally:
            with self.connect() as connection:
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Give a server, or skip and say why."""
    if named := os.environ.get(NAMED):
        yield Postgres(named, SecretStr(os.environ.get(NAMED_PASSWORD, "")), ours=False)
        return
    programs = [shutil.which("initdb"), shutil.which("postgres")]
    if None in programs:
        pytest.skip(f"No {NAMED} is set and no initdb and postgres are on the PATH")
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder, _running(Path(folder)) as port:
        url = f"postgresql://{USER}@127.0.0.1:{port}/{DATABASE}"
        yield Postgres(url, SecretStr(PASSWORD), ours=True)


@contextmanager
def _running(folder: Path) -> Iterator[int]:
    user = _unprivileged()
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    data, port, password = folder / "data", free_port(), folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    subprocess.run(
        [
            *("initdb", "-D", data, "-U", USER, "-E", "UTF8", "--no-locale", "--no-sync"),
            *("--auth=scram-sha-256", f"--pwfile={password}"),
        ],
        check=True,
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *("postgres", "-D", data, "-p", str(port), "-k", folder),
                *("-c", "fsync=off", "-c", "listen_addresses=127.0.0.1"),
            ],
            user=user,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        _wait(process, port, folder / "log")
        yield port
    finally:
        process.send_signal(signal.SIGINT)  # SIGTERM would wait for every client
        process.wait()


def _unprivileged() -> str | None:
    return "nobody" if os.geteuid() == 0 else None


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            psycopg.connect(
                host="127.0.0.1", port=port, user=USER, password=PASSWORD, dbname=DATABASE
            ).close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start: {log.read_text()}") from error
            time.sleep(0.1)
        else:
            return
