"""The verbs of a store that is in a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airnub_prefect_starter.core.store import open_store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import blob_key
from tests.broken_s3 import BrokenS3, always
from tests.fake_s3 import error
from tests.s3_kit import reaching
from tests.store_conformance import derive, fetch
from tests.unit.cli.kit import Project, require_one_line

DATA = b"carrier,name\nAA,American\n"
DIGEST = Digest.of(DATA)
URL = "s3://bucket/stores/sample"


@pytest.fixture
def broken(project: Project) -> Iterator[BrokenS3]:
    with BrokenS3() as server, reaching(server.environment):
        project.environ(AIRNUB_STORE_URL="s3://bucket/stores")
        yield server


def test_bytes_go_in_and_come_out(project: Project, broken: BrokenS3, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"

    assert project.run("store", "put", "-", stdin=DATA).text.startswith("stored  ")
    assert project.run("store", "put", "-", stdin=DATA).text.startswith("deduplicated  ")
    assert project.run("store", "get", DIGEST.hex[:8], "-o", out, "--link", "hard").code == 0
    assert out.read_bytes() == DATA
    assert DIGEST.text in project.run("store", "ls", "blobs", "--json").stdout.decode()


def test_records_are_shown_pinned_and_traced(project: Project, broken: BrokenS3) -> None:
    store = open_store(URL)
    fetch(store, DATA)
    derive(store, b"table", "airports")

    assert project.run("store", "show", "alpha/airports").json["blob"]["digest"] == DIGEST.text
    assert project.run("store", "pin", "audit", DIGEST.hex).code == 0
    assert list(store.pins()) == [("audit", DIGEST.text)]
    assert project.run("store", "unpin", "audit").code == 0
    assert "alpha/airports" in project.run("trace", "alpha/table").text


def test_digests_of_the_server_prove_blobs(project: Project, broken: BrokenS3) -> None:
    fetch(open_store(URL), DATA)

    sound = project.run("store", "verify", "--level", "checksum", "--json").json
    key = f"stores/sample/{blob_key(DIGEST)}"
    broken.s3.objects[key].digest = broken.s3.objects["stores/sample/cas.json"].digest
    rotten = project.run("store", "verify", "--level", "checksum")

    assert (sound["ok"], sound["unproven"], sound["bytes_read"]) == (True, 0, 0)
    assert rotten.code == 21
    assert "CorruptBlob" in rotten.text


def test_gc_counts_what_is_there(project: Project, broken: BrokenS3) -> None:
    fetch(open_store(URL), DATA)

    assert project.run("store", "gc", "--mark").text == "Nothing to collect\n"
    assert project.run("store", "gc", "--apply").text.startswith("Removed: 0 manifests, 0 blobs")


def test_a_store_moves_to_a_bucket_and_back(
    project: Project, broken: BrokenS3, tmp_path: Path
) -> None:
    start, end = (tmp_path / "start").as_uri(), (tmp_path / "end").as_uri()
    store = open_store(start, durability="none")
    fetch(store, DATA)
    derive(store, b"table" * 1000, "airports")
    store.pin("audit", DIGEST.text)

    there = project.run("store", "cp", start, URL, "--json")
    back = project.run("store", "cp", URL, end, "--json")
    again = project.run("store", "cp", start, URL, "--json")

    assert (there.code, back.code, again.code) == (0, 0, 0)
    assert there.json == back.json
    assert (there.json["blobs"], there.json["manifests"], there.json["refs"]) == (2, 2, 2)
    assert set(again.json.values()) == {0}
    assert files(tmp_path / "start") == files(tmp_path / "end")
    names = {name.removeprefix("stores/sample/") for name in broken.s3.objects}
    assert names == files(tmp_path / "start").keys()


def files(folder: Path) -> dict[str, bytes]:
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {str(name): path.read_bytes() for name, path in found.items()}


@pytest.mark.parametrize(
    ("status", "code", "exit_code", "remedy"),
    [
        (403, "AccessDenied", 25, "docs/store.md"),
        (404, "NoSuchBucket", 3, "--create-bucket"),
        (507, "XMinioStorageFull", 26, "space"),
        (400, "BadDigest", 27, "again"),
    ],
)
def test_a_server_that_refuses_is_one_line(
    project: Project, broken: BrokenS3, status: int, code: str, exit_code: int, remedy: str
) -> None:
    open_store(URL)
    broken.rules.append(always("PUT Object", error(status, code)))

    done = project.run("store", "put", "-", stdin=DATA)

    require_one_line(done, exit_code, code)
    assert remedy in done.errors[0]


def test_a_reader_makes_no_store(project: Project, broken: BrokenS3) -> None:
    require_one_line(project.run("store", "ls"), 22, f"There is no store at {URL}")
    assert broken.s3.objects == {}
