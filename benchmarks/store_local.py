"""What it costs to store bytes on local disk: ours, the floor, and the original starter's pattern.

Three measurements, each with its rivals by turns in one run, in an order that is drawn anew for
each round. Of CPU there is the median of the rounds and the best one, which the ratios are of:
noise only adds, and in a virtual machine it adds much (memory that the host has to find first
costs up to 3 s/GB, to whoever asks for it).

- CPU seconds per GB from a loopback HTTP server into the store. The floor receives into one
  buffer, hashes and writes, and nothing else. The original's pattern is asynchronous httpx in
  32 KiB chunks with blocking writes, then a second pass of 4 KiB reads that hashes.
- Small files per second that survive a power cut, against one fsync after the other.
- The growth of the resident set while a large body is stored.

The server runs in a process of its own; its cost is not counted. Needs about 2 minutes and 3 GB
of disk in ``--dir``, which is cleaned up.

Run it on a quiet machine: ``python benchmarks/store_local.py [--mib 256] [--rounds 11]``.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import http.client
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeVar

import httpx

from airnub_prefect_starter.core.file_handlers import core_download_hash_store_and_manifest
from airnub_prefect_starter.core.http.policy import AccessPolicy
from airnub_prefect_starter.core.sources import FileSource
from airnub_prefect_starter.core.store import open_store
from airnub_prefect_starter.core.store.local import Durability
from benchmarks.loopback import running_server
from benchmarks.measuring import machine, peak_rss, timed

MIB = 1 << 20
SMALL_BYTES = 16 << 10
THREADS = 16
FLOOR_BAR = 1.1
ORIGINAL_BAR = 3.0
NAIVE_BAR = 8.0
RSS_BAR_MIB = 32

T = TypeVar("T")
Ingest = Callable[[str, Path], None]
PutFiles = Callable[[Path, list[bytes]], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mib", type=int, default=256, help="body of the CPU measurement")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--files", type=int, default=1000, help="small files per round")
    parser.add_argument("--size", type=int, default=2048, help="body of the RSS measurement, MiB")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--rss-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rss_of:
        print_rss_growth(options.rss_of, options.dir)
    else:
        measure(options)


def measure(options: argparse.Namespace) -> None:
    print(machine(options.dir), flush=True)
    with running_server() as url, tempfile.TemporaryDirectory(dir=options.dir) as folder:
        root = Path(folder)
        print(ingest_table(url, root, options.mib * MIB, options.rounds), flush=True)
        print(small_files_table(root, options.files, options.rounds), flush=True)
        print(rss_line(f"{url}/{options.size * MIB}/rss", root, options.size), flush=True)


# Into the store over HTTP


def ingest_floor(url: str, folder: Path, *, sync: bool = False) -> None:
    """Receive, hash and write: what no program can do without."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host)
    connection.request("GET", f"/{path}")
    buffer = memoryview(bytearray(MIB))
    digest = hashlib.sha256()
    with connection.getresponse() as response, (folder / "body").open("wb", buffering=0) as out:
        while count := response.readinto(buffer):
            digest.update(buffer[:count])
            out.write(buffer[:count])
        if sync:
            os.fsync(out.fileno())
    connection.close()


def ingest_original(url: str, folder: Path) -> None:
    """Download and hash as the starter did that this one replaces."""
    asyncio.run(_download(url, folder / "part"))
    digest = hashlib.sha256()
    with (folder / "part").open("rb") as stream:
        for block in iter(lambda: stream.read(4096), b""):
            digest.update(block)
    shutil.move(folder / "part", folder / digest.hexdigest())


async def _download(url: str, path: Path) -> None:
    async with httpx.AsyncClient() as client, client.stream("GET", url) as response:
        with path.open("wb") as out:
            async for chunk in response.aiter_bytes(chunk_size=32 << 10):
                out.write(chunk)


def ingest_ours(durability: Durability) -> Ingest:
    """Make the way through this project: guarded HTTP, spool, blob, manifest, ref."""

    def ingest(url: str, folder: Path) -> None:
        access = AccessPolicy.model_validate({"allow_networks": ["127.0.0.0/8"]})
        source = FileSource(source_id="body", url=url, access=access)
        store = open_store(folder.as_uri(), durability=durability)
        core_download_hash_store_and_manifest(store, source, namespace="bench")

    return ingest


def ingest_table(url: str, root: Path, size: int, rounds: int) -> str:
    rivals: dict[str, Ingest] = {
        "floor: receive, hash, write": ingest_floor,
        "ours, not synced": ingest_ours("none"),
        "floor, then fsync": partial(ingest_floor, sync=True),
        "ours, durable (default)": ingest_ours("full"),
        "original starter's pattern": ingest_original,
    }
    cpu: dict[str, list[float]] = {name: [] for name in rivals}
    wall: dict[str, list[float]] = {name: [] for name in rivals}
    for number in range(rounds + 1):
        body = size if number else 16 * MIB  # the first round warms up imports and caches
        for name, ingest in shuffled(rivals, number):
            folder = new_store(root)
            cpu_s, wall_s = timed(ingest, f"{url}/{body}/{name[:4]}-{number}", folder)
            shutil.rmtree(folder)
            if number:
                cpu[name].append(cpu_s / (size / 1e9))
                wall[name].append(wall_s)
    costs = {name: (statistics.median(each), min(each)) for name, each in cpu.items()}
    floor, loose, synced_floor, synced, original = (best for _, best in costs.values())
    rows = [
        f"| {name} | {best:.2f} | {median:.2f} | {best / floor:.2f}x |"
        f" {statistics.median(wall[name]):.1f} |"
        for name, (median, best) in costs.items()
    ]
    return "\n".join(
        [
            f"\nIngest of {size // MIB} MiB over loopback HTTP, CPU s/GB in {rounds} rounds\n",
            "| | best | median | best to the floor's | wall s, median |",
            "| --- | ---: | ---: | ---: | ---: |",
            *rows,
            f"\nOurs / floor {loose / floor:.2f}, both synced {synced / synced_floor:.2f}"
            f" (bar <= {FLOOR_BAR}); original, which syncs nothing, / ours {original / loose:.2f},"
            f" / ours durable {original / synced:.2f} (bar >= {ORIGINAL_BAR:g});"
            f" original / floor {original / floor:.2f}",
        ]
    )


# Small files


def put_naively(root: Path, files: list[bytes]) -> None:
    """Write, fsync, rename and fsync the folder, one file after the other."""
    folder = os.open(root, os.O_RDONLY)
    for data in files:
        part = root / "part"
        with part.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        part.replace(root / hashlib.sha256(data).hexdigest())
        os.fsync(folder)
    os.close(folder)


def put_ours(durability: Durability) -> PutFiles:
    def put(root: Path, files: list[bytes]) -> None:
        store = open_store(root.as_uri(), durability=durability)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(store.put_bytes, files))
        store.sync()

    return put


def small_files_table(root: Path, count: int, rounds: int) -> str:
    rivals: dict[str, PutFiles] = {
        "naive: one fsync after the other": put_naively,
        f"ours, durable, {THREADS} threads": put_ours("full"),
        f"ours, one sync per batch, {THREADS} threads": put_ours("batch"),
        f"ours, not synced, {THREADS} threads": put_ours("none"),
    }
    rates: dict[str, list[float]] = {name: [] for name in rivals}
    for number in range(rounds):
        for name, put in shuffled(rivals, number):
            files = [f"{name}{number}-{i}".encode().ljust(SMALL_BYTES, b".") for i in range(count)]
            # Nothing is removed in between: the discards of one rival would slow the next.
            _, wall_s = timed(put, new_store(root), files)
            rates[name].append(count / wall_s)
    medians = {name: statistics.median(each) for name, each in rates.items()}
    naive, ours, *_ = medians.values()
    rows = [f"| {name} | {rate:,.0f} | {rate / naive:.1f}x |" for name, rate in medians.items()]
    return "\n".join(
        [
            f"\n{count} files of 16 KiB, median of {rounds} rounds;"
            f" an fsync of one takes {fsync_ms(root):.2f} ms here\n",
            "| | files/s | to naive |",
            "| --- | ---: | ---: |",
            *rows,
            f"\nDurable / naive {ours / naive:.1f}"
            f" (bar >= {NAIVE_BAR:g}, set where an fsync took 3.5 ms)",
        ]
    )


def fsync_ms(root: Path) -> float:
    """Return the median time of an fsync of a new small file, in milliseconds."""
    times = []
    for number in range(50):
        with (root / f"fsync-{number}").open("wb", buffering=0) as out:
            out.write(bytes(SMALL_BYTES))
            started = time.perf_counter()
            os.fsync(out.fileno())
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


# Memory


def rss_line(url: str, root: Path, size_mib: int) -> str:
    command = [sys.executable, __file__, "--rss-of", url, "--dir", str(root)]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return (
        f"\nResident set grows by {grown / MIB:.1f} MiB while {size_mib} MiB are stored"
        f" (bar <= {RSS_BAR_MIB})"
    )


def print_rss_growth(url: str, root: Path) -> None:
    ingest = ingest_ours("full")
    small_url = f"{url.rsplit('/', 2)[0]}/{MIB}/warm"
    ingest(small_url, new_store(root))
    before = peak_rss()
    ingest(url, new_store(root))
    print(peak_rss() - before)


# The rest


def new_store(root: Path) -> Path:
    """Give a new store's folder, with nothing of the last rival left to be written back.

    A store is made once in its life, so that is not measured.
    """
    folder = Path(tempfile.mkdtemp(dir=root))
    open_store(folder.as_uri())
    os.sync()
    return folder


def shuffled(rivals: dict[str, T], number: int) -> list[tuple[str, T]]:
    """Order the rivals anew in each round: each pays for what the one before it left behind."""
    return Random(number).sample(list(rivals.items()), len(rivals))  # noqa: S311


if __name__ == "__main__":
    main()
