from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fault_server import FaultServer, file, status
from tests.unit.cli.kit import NAMESPACE, Project

DATA = b"carrier,name\nAA,American\n"
LOOPBACK = ("--allow-network", "127.0.0.0/8")
OLD = timedelta(days=20)


@pytest.fixture
def digest(project: Project) -> str:
    return project.fetched("airlines", DATA)


# verify


@pytest.mark.parametrize("level", ["meta", "checksum", "deep"])
def test_a_sound_store_is_said_to_be(project: Project, digest: str, level: str) -> None:
    done = project.run("store", "verify", "--level", level)
    facts = project.run("store", "verify", "--level", level, "--json").json

    assert done.code == 0
    assert done.text.startswith(f"1 ref, 1 manifest and 1 blob checked ({level}), ")
    assert (facts["ok"], facts["violations"]) == (True, [])
    assert facts["bytes_read"] == (len(DATA) if level == "deep" else 0)


def test_a_flipped_bit_is_found_and_put_aside(project: Project, digest: str) -> None:
    project.damage(digest)

    shallow = project.run("store", "verify")
    deep = project.run("store", "verify", "--level", "deep")

    assert shallow.code == 0
    assert (deep.code, len(deep.errors)) == (21, 1)
    key = project.blob_file(digest).relative_to(project.store_folder).as_posix()
    assert f"CorruptBlob {key}" in deep.errors[0]
    assert f"CorruptBlob  {key}" in deep.text
    assert not project.blob_file(digest).exists()
    (aside,) = (project.store_folder / "quarantine").iterdir()
    assert digest.removeprefix("sha256:") in aside.name


def test_every_violation_is_told(project: Project, digest: str) -> None:
    other = project.fetched("planes", b"N1\n")
    project.blob_file(digest).unlink()
    project.blob_file(other).unlink()

    done = project.run("store", "verify", "--json")

    assert done.code == 21
    assert [each["kind"] for each in done.json["violations"]] == ["MissingBlob", "MissingBlob"]
    assert not done.json["ok"]
    (error,) = done.error_records
    assert error["exit_code"] == 21
    assert error["message"].endswith("and 1 more")


def test_what_is_no_violation_is_told_too(project: Project, digest: str) -> None:
    project.store.put_bytes(b"nobody's")
    (project.store_folder / "tmp" / "left").write_bytes(b"")
    (project.store_folder / "blobs" / "notes.txt").write_bytes(b"")

    done = project.run("store", "verify")

    assert done.code == 0
    assert "1 blob that no manifest names" in done.text
    assert "1 unfinished file" in done.text
    assert "strange  blobs/notes.txt" in done.text


def test_samples_cover_everything_once(project: Project) -> None:
    for number in range(8):
        project.fetched(f"s{number}", b"%d" % number)

    parts = [project.run("store", "verify", "--sample", f"{n}/3", "--json").json for n in (1, 2, 3)]

    assert sum(each["blobs"] for each in parts) == 8
    assert sum(each["manifests"] for each in parts) == 8


@pytest.mark.parametrize("sample", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3", ""])
def test_samples_that_are_none(project: Project, digest: str, sample: str) -> None:
    done = project.run("store", "verify", f"--sample={sample}")

    assert (done.code, len(done.errors)) == (3, 1)
    assert "Write 1/30" in done.errors[0]


# verify --repair


@pytest.mark.parametrize("harm", ["damaged", "missing", "cut"])
def test_a_repair_fetches_the_same_bytes_again(
    project: Project, faults: FaultServer, harm: str
) -> None:
    url = faults.on("/airlines.csv", file(DATA))
    digest = project.fetched("airlines", DATA, url=url)
    if harm == "damaged":
        project.damage(digest)
    else:
        project.blob_file(digest).unlink()
    if harm == "cut":
        project.blob_file(digest).write_bytes(DATA[:5])

    done = project.run("store", "verify", "--level", "deep", "--repair", *LOOPBACK)

    assert (done.code, done.errors) == (0, [])
    assert "repaired  " in done.text
    assert project.store.read_blob(digest) == DATA
    assert project.run("store", "verify", "--level", "deep").code == 0


def test_a_repair_accepts_only_the_same_bytes(project: Project, faults: FaultServer) -> None:
    changed = faults.on("/changed", file(DATA + b"more"))
    gone = faults.on("/gone", status(410))
    digests = [
        project.fetched("changed", DATA, url=changed),
        project.fetched("gone", b"x", url=gone),
    ]
    for digest in digests:
        project.blob_file(digest).unlink()
    before = project.files()

    done = project.run("store", "verify", "--repair", *LOOPBACK)

    assert (done.code, len(done.errors)) == (21, 1)
    assert "the source has changed" in done.text
    assert "answered 410" in done.text
    assert project.files() == before


def test_a_repair_goes_only_where_it_may(project: Project, faults: FaultServer) -> None:
    url = faults.on("/airlines.csv", file(DATA))
    project.blob_file(project.fetched("airlines", DATA, url=url)).unlink()

    done = project.run("store", "verify", "--repair")

    assert done.code == 21
    assert "not repaired" in done.text
    assert faults.requests == []


@pytest.mark.parametrize(
    "options", [LOOPBACK, ("--repair", "--allow-network", "x")], ids=["no-repair", "no-network"]
)
def test_wrong_options_of_a_repair(project: Project, digest: str, options: tuple[str, ...]) -> None:
    done = project.run("store", "verify", *options)

    assert (done.code, len(done.errors)) == (3, 1)


# gc


def _age(project: Project) -> None:
    moment = (datetime.now(UTC) - OLD).timestamp()
    for path in project.store_folder.rglob("*"):
        if path.is_file():
            os.utime(path, (moment, moment))


def _ripen(project: Project) -> None:
    """Date the list of candidates back, as if the first phase had been days ago."""
    (listed,) = (project.store_folder / "gc").iterdir()
    moment = datetime.now(UTC) - timedelta(days=5)
    listed.rename(listed.with_name(f"{moment:%Y%m%dT%H%M%SZ}.jsonl"))


@pytest.fixture
def orphan(project: Project, digest: str) -> Path:
    """A blob that nothing refers to and an expired task result."""
    descriptor, _ = project.store.put_bytes(b"nobody's")
    project.store.write_result("run/task", b"old")
    _age(project)
    return project.blob_file(descriptor.digest)


def test_nothing_to_collect(project: Project, digest: str) -> None:
    done = project.run("store", "gc", "--mark")

    assert (done.code, done.text) == (0, "Nothing to collect\n")


def test_gc_takes_two_phases(project: Project, digest: str, orphan: Path) -> None:
    marked = project.run("store", "gc", "--mark")
    young = project.run("store", "gc", "--apply", "--json")

    assert marked.text.startswith("0 manifests and 1 blob (8 B) listed in gc/")
    assert "collect them in 3.5 days" in marked.text
    assert (young.json["blobs"], young.json["waiting"]) == (0, 1)
    assert young.json["results"]["results"] == 1
    assert orphan.exists()

    _ripen(project)
    dry = project.run("store", "gc")
    assert dry.code == 0
    assert dry.text.startswith("Would remove: 0 manifests, 1 blob (8 B)")
    assert "Nothing was changed" in dry.text
    assert orphan.exists()

    swept = project.run("store", "gc", "--apply")
    assert swept.text.startswith("Removed: 0 manifests, 1 blob (8 B)")
    assert not orphan.exists()
    assert project.run("store", "get", digest).stdout == DATA


def test_gc_can_move_to_trash(project: Project, digest: str, orphan: Path) -> None:
    project.run("store", "gc", "--mark")
    _ripen(project)

    done = project.run("store", "gc", "--apply", "--trash")

    assert done.text.startswith("Moved to trash/: 0 manifests, 1 blob")
    key = orphan.relative_to(project.store_folder)
    assert (project.store_folder / "trash" / key).read_bytes() == b"nobody's"


def test_gc_spares_what_is_in_use_again(project: Project, digest: str, orphan: Path) -> None:
    project.run("store", "gc", "--mark", "--json")
    project.store.pin("audit", f"sha256:{orphan.name}")
    _ripen(project)

    done = project.run("store", "gc", "--apply")

    assert "Kept: 1" in done.text
    assert orphan.exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--mark", "--apply"), 3),
        (("--mark", "--trash"), 3),
        (("--trash",), 3),
        (("--min-age-days", "0.5"), 2),
        (("--keep-last", "0"), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_options_of_gc(
    project: Project, digest: str, options: tuple[str, ...], code: int
) -> None:
    assert project.run("store", "gc", *options).code == code


# cp


def test_a_store_is_copied_once(project: Project, digest: str, tmp_path: Path) -> None:
    project.derived("flights", ["airlines"], {"part": b"1"})
    project.store.pin("audit", digest)
    source, target = project.store_folder.as_uri(), (tmp_path / "copy").as_uri()

    first = project.run("store", "cp", source, target)
    again = project.run("store", "cp", source, target, "--json")

    assert first.code == 0
    assert re.fullmatch(
        r"Copied: 2 blobs, 2 manifests \(.*\), 2 refs, 1 pin, 0 run reports\n", first.text
    )
    assert again.code == 0
    assert set(again.json.values()) == {0}
    assert project.run("store", "verify", "--level", "deep", "--url", target).code == 0
    assert project.run("store", "get", f"{NAMESPACE}/airlines", "--url", target).stdout == DATA


def test_a_damaged_object_is_not_copied(project: Project, digest: str, tmp_path: Path) -> None:
    project.damage(digest)

    done = project.run("store", "cp", project.store_folder.as_uri(), (tmp_path / "copy").as_uri())

    assert (done.code, len(done.errors)) == (21, 1)
    assert not [path for path in (tmp_path / "copy" / "refs").rglob("*") if path.is_file()]


def test_a_store_that_is_not_there_is_not_copied(project: Project, tmp_path: Path) -> None:
    source, target = tmp_path / "tpyo", tmp_path / "copy"

    done = project.run("store", "cp", source.as_uri(), target.as_uri())

    assert (done.code, len(done.errors)) == (22, 1)
    assert not source.exists()
    assert not target.exists()
