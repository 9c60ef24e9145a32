"""What it costs to put bytes into a bucket: ours, boto3's defaults, and obstore.

Measured in one run, the rivals by turns in an order that is drawn anew for each round, against a
server that discards everything (so it is the client that is measured) and, if a ``minio`` program
is on the PATH, against MinIO. The servers run in processes of their own; their cost is not counted.

- CPU seconds per GB of one large file whose SHA-256 is known, as it is when a store publishes what
  it has received. The rivals know none; a row tells what ours costs with the hashing.
- The peak of the resident set while that file is put, in a process of its own.
- CPU per object of 16 KiB.

Run it on a quiet machine: ``python benchmarks/store_s3.py [--mib 512] [--rounds 7]``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import boto3
import obstore
from obstore.store import S3Store

from airnub_prefect_starter.core.store.bodies import BytesBody, FileBody
from airnub_prefect_starter.core.store.digest import ALGORITHM, Digest
from airnub_prefect_starter.core.store.layout import Key
from airnub_prefect_starter.core.store.s3 import S3Backend
from airnub_prefect_starter.core.store.s3_abilities import abilities
from airnub_prefect_starter.core.store.s3_address import S3Address
from airnub_prefect_starter.core.store.s3_bucket import S3Bucket
from airnub_prefect_starter.core.store.s3_client import S3Connection, ensure_bucket
from benchmarks.measuring import machine, peak_rss, timed
from benchmarks.null_s3 import running_null_s3
from tests.s3_kit import PASSWORD, USER, running_minio

MIB = 1 << 20
SMALL_BYTES = 16 << 10
BUCKET = "bench"
UPLOAD_BAR = 5.0
OBSTORE_BAR = 1.5
SMALL_BAR_MS = 1.3
OURS, UPLOAD_FILE, OBSTORE = "ours", "boto3 upload_file, default", "obstore put, default"

T = TypeVar("T")
Put = Callable[[Path, str], None]
PutSmall = Callable[[bytes, str], None]


class Rivals:
    """Clients of one server, made once: that is paid once per process."""

    def __init__(self, endpoint: str) -> None:
        bucket = S3Bucket(S3Address(BUCKET, "store"), S3Connection(endpoint_url=endpoint))
        ensure_bucket(bucket.address, bucket.connection)
        abilities(bucket)
        self._ours = S3Backend(bucket)
        self._boto3: Any = boto3.session.Session().client("s3", endpoint_url=endpoint)
        self._obstore = S3Store(
            BUCKET,
            endpoint=endpoint,
            region="us-east-1",
            access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
            secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
            client_options={"allow_http": True},
        )

    def large(self, digest: Digest) -> dict[str, Put]:
        """Ways to put a file that has this digest."""
        return {
            OURS: partial(self._put_ours, digest),
            "ours, hashed first": self._hash_and_put_ours,
            "boto3 put_object, default": self._put_boto3,
            UPLOAD_FILE: self._upload_boto3,
            OBSTORE: self._put_obstore,
        }

    def small(self) -> dict[str, PutSmall]:
        """Ways to put bytes."""
        return {
            OURS: self._put_small_ours,
            "boto3 put_object, default": self._put_small_boto3,
            OBSTORE: self._put_small_obstore,
        }

    def _put_ours(self, digest: Digest, path: Path, name: str) -> None:
        body = FileBody(path)
        self._ours.put(Key(f"bench/{name}"), body, sha256=digest, size=body.size, if_absent=True)

    def _hash_and_put_ours(self, path: Path, name: str) -> None:
        self._put_ours(digest_of(path), path, name)

    def _put_boto3(self, path: Path, name: str) -> None:
        with path.open("rb") as body:
            self._boto3.put_object(Bucket=BUCKET, Key=name, Body=body)

    def _upload_boto3(self, path: Path, name: str) -> None:
        self._boto3.upload_file(str(path), BUCKET, name)

    def _put_obstore(self, path: Path, name: str) -> None:
        obstore.put(self._obstore, name, path)

    def _put_small_ours(self, data: bytes, name: str) -> None:
        body, digest = BytesBody(data), Digest.of(data)
        key = Key(f"bench/{name}")
        self._ours.put(key, body, sha256=digest, size=len(data), if_absent=True)

    def _put_small_boto3(self, data: bytes, name: str) -> None:
        self._boto3.put_object(Bucket=BUCKET, Key=name, Body=data)

    def _put_small_obstore(self, data: bytes, name: str) -> None:
        obstore.put(self._obstore, name, data)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mib", type=int, default=512, help="size of the large file")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--objects", type=int, default=500, help="small objects per round")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--rss-of", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.update(
        AWS_ACCESS_KEY_ID=USER, AWS_SECRET_ACCESS_KEY=PASSWORD, AWS_REGION="us-east-1"
    )
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    if options.rss_of:
        print_rss_growth(*options.rss_of)
    else:
        measure(options)


def measure(options: argparse.Namespace) -> None:
    print(machine(options.dir), flush=True)
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        path = Path(folder) / "large"
        with path.open("wb") as out:
            for _ in range(options.mib):
                out.write(os.urandom(MIB))
        for title, running in servers(Path(folder)).items():
            with running() as endpoint:
                print(large_table(title, endpoint, path, options.rounds), flush=True)
                print(small_table(title, endpoint, options.objects, options.rounds), flush=True)


def servers(folder: Path) -> dict[str, Callable[[], Any]]:
    found: dict[str, Callable[[], Any]] = {"a server that discards": running_null_s3}
    if program := shutil.which("minio"):
        found["MinIO"] = partial(minio, program, str(folder))
    else:
        print("No minio program is on the PATH: only the server that discards is measured")
    return found


@contextmanager
def minio(program: str, folder: str) -> Iterator[str]:
    with running_minio(program, folder) as port:
        yield f"http://127.0.0.1:{port}"


def digest_of(path: Path) -> Digest:
    with path.open("rb") as stream:
        return Digest(f"{ALGORITHM}:{hashlib.file_digest(stream, ALGORITHM).hexdigest()}")


# One large file


def large_table(title: str, endpoint: str, path: Path, rounds: int) -> str:
    rivals = Rivals(endpoint).large(digest_of(path))
    size = path.stat().st_size
    cpu: dict[str, list[float]] = {name: [] for name in rivals}
    wall: dict[str, list[float]] = {name: [] for name in rivals}
    for number in range(rounds + 1):
        for name, put in shuffled(rivals, number):
            cpu_s, wall_s = timed(put, path, f"large-{number}-{name[:9].replace(' ', '')}")
            if number:  # the first round warms up imports, connections and the page cache
                cpu[name].append(cpu_s / (size / 1e9))
                wall[name].append(wall_s)
    best = {name: min(each) for name, each in cpu.items()}
    grown = {name: rss_growth(endpoint, path, name) for name in rivals}
    rows = [
        f"| {name} | {best[name]:.2f} | {statistics.median(cpu[name]):.2f} |"
        f" {best[name] / best[OURS]:.1f}x | {statistics.median(wall[name]):.2f} |"
        f" {grown[name] / MIB:.0f} |"
        for name in rivals
    ]
    return "\n".join(
        [
            f"\n{size // MIB} MiB to {title}, CPU s/GB in {rounds} rounds\n",
            "| | best | median | best to ours | wall s, median | RSS + MiB |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *rows,
            f"\nupload_file / ours {best[UPLOAD_FILE] / best[OURS]:.1f} (bar >= {UPLOAD_BAR:g});"
            f" obstore / ours {best[OBSTORE] / best[OURS]:.1f} (bar >= {OBSTORE_BAR:g})",
        ]
    )


def rss_growth(endpoint: str, path: Path, name: str) -> int:
    command = [sys.executable, __file__, "--rss-of", endpoint, str(path), name]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_rss_growth(endpoint: str, path: str, name: str) -> None:
    rivals, large = Rivals(endpoint), Path(path)
    small = Path(f"{path}-{os.getpid()}")
    small.write_bytes(b"warm")
    rivals.large(digest_of(small))[name](small, f"warm-{os.getpid()}")
    small.unlink()
    put = rivals.large(digest_of(large))[name]
    before = peak_rss()
    put(large, f"rss-{os.getpid()}")
    print(peak_rss() - before)


# Small objects


def small_table(title: str, endpoint: str, count: int, rounds: int) -> str:
    rivals = Rivals(endpoint).small()
    cpu: dict[str, list[float]] = {name: [] for name in rivals}
    for number in range(rounds + 1):
        for name, put in shuffled(rivals, number):
            cpu_s, _ = timed(put_all, put, f"{number}-{name[:9].replace(' ', '')}", count)
            if number:
                cpu[name].append(cpu_s / count * 1000)
    rows = [
        f"| {name} | {min(each):.2f} | {statistics.median(each):.2f} |"
        for name, each in cpu.items()
    ]
    return "\n".join(
        [
            f"\n{count} objects of 16 KiB to {title}, CPU ms per object in {rounds} rounds\n",
            "| | best | median |",
            "| --- | ---: | ---: |",
            *rows,
            f"\nours {min(cpu[OURS]):.2f} (bar <= {SMALL_BAR_MS})",
        ]
    )


def put_all(put: PutSmall, tag: str, count: int) -> None:
    for number in range(count):
        name = f"small-{tag}-{number}"
        put(name.encode().ljust(SMALL_BYTES, b"."), name)


def shuffled(rivals: dict[str, T], number: int) -> list[tuple[str, T]]:
    """Order the rivals anew in each round: each pays for what the one before it left behind."""
    return Random(number).sample(list(rivals.items()), len(rivals))  # noqa: S311


if __name__ == "__main__":
    main()
