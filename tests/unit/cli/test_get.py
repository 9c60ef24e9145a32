from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from airnub_prefect_starter.common.utils import generate_sha256_hash
from airnub_prefect_starter.core.database_handlers import core_fetch_table
from airnub_prefect_starter.core.sources import DatabaseSource
from tests.unit.cli.kit import NAMESPACE, Project

BINARY = bytes(range(256)) * 9


@pytest.fixture
def digest(project: Project) -> str:
    return project.fetched("airlines", BINARY, filename="airlines.bin")


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:8]


@pytest.mark.parametrize("form", ["ref", "digest", "hex", "beginning", "manifest"])
def test_bytes_come_back_by_every_name(project: Project, digest: str, form: str) -> None:
    ref = project.store.ref(NAMESPACE, "airlines")
    assert ref is not None
    target = {
        "ref": f"{NAMESPACE}/airlines",
        "digest": digest,
        "hex": digest.removeprefix("sha256:"),
        "beginning": _short(digest),
        "manifest": _short(ref.manifest.digest),
    }[form]

    done = project.run("store", "get", target)

    assert (done.code, done.stdout) == (0, BINARY)


@pytest.mark.parametrize("link", ["reflink", "hard", "copy"])
def test_a_file_is_written(project: Project, digest: str, tmp_path: Path, link: str) -> None:
    target = tmp_path / "new" / "a.bin"

    done = project.run("store", "get", digest, "-o", target, "--link", link)

    assert (done.code, done.text) == (0, f"{digest}  {target}\n")
    assert target.read_bytes() == BINARY


def test_increments_are_written_in_their_order(project: Project, tmp_path: Path) -> None:
    for name, watermark in (("one", 1), ("two", 2)):
        with sqlite3.connect(tmp_path / "shop.db") as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS items (id TEXT, w INTEGER)")
            connection.execute("INSERT INTO items VALUES (?, ?)", (name, watermark))
        connection.close()
        url = f"sqlite:///{tmp_path / 'shop.db'}"
        source = DatabaseSource(
            source_id="items", url=url, table="items", key=("id",), watermark="w"
        )
        core_fetch_table(project.store, source, namespace="ingestion.shop")

    alone = project.run("store", "get", "ingestion.shop/items")
    done = project.run("store", "get", "ingestion.shop/items", "--to", tmp_path / "out")

    assert "has 2 outputs" in alone.stderr
    assert done.code == 0
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {
        "0001-items.ndjson": '{"id":"one","w":1}\n',
        "0002-items.ndjson": '{"id":"two","w":2}\n',
    }


def test_every_output_is_written_to_a_folder(project: Project, digest: str, tmp_path: Path) -> None:
    outputs = {"month=1/part.parquet": b"1", "month=2/part.parquet": b"2", "plot.png": b"3"}
    project.derived("flights", ["airlines"], outputs)

    done = project.run(
        "store", "get", "processing.tables/flights", "--to", tmp_path / "out", "--json"
    )

    assert done.code == 0
    assert {
        Path(name).relative_to(tmp_path / "out").as_posix(): Path(name).read_bytes()
        for name in done.json
    } == outputs
    assert all(
        digest == f"sha256:{generate_sha256_hash(Path(name))}" for name, digest in done.json.items()
    )


HOSTILE = [
    "../../etc/passwd",
    "/etc/passwd",
    "..\\..\\boot.ini",
    "a/../../b",
    "...",
    "CON",
    "x\u202egpj.exe",
    "line\nbreak",
    "-rf",
    "n" * 500,
]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_hostile_names_stay_in_the_folder(
    project: Project, digest: str, tmp_path: Path, name: str
) -> None:
    project.derived("hostile", ["airlines"], {name: b"payload"})
    folder = tmp_path / "out"

    done = project.run("store", "get", "processing.tables/hostile", "--to", folder)

    assert done.code == 0, done.stderr
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in written] == [b"payload"]
    assert all(path.name.isprintable() and path.name[0] != "." for path in written)
    outside = {path for path in tmp_path.rglob("*") if path.is_file()} - set(written)
    assert all(path.is_relative_to(project.root) for path in outside)


@pytest.mark.parametrize(
    "names", [("a?b", "ab"), ("part", "part/1")], ids=["same-name", "file-and-folder"]
)
def test_outputs_never_overwrite_each_other(
    project: Project, digest: str, tmp_path: Path, names: tuple[str, str]
) -> None:
    project.derived("clash", ["airlines"], dict.fromkeys(names, b"x"))

    done = project.run("store", "get", "processing.tables/clash", "--to", tmp_path / "out")

    assert (done.code, len(done.errors)) == (3, 1)
    assert not (tmp_path / "out").exists()


WRONG = {
    "unknown ref": (("ingestion.files/airline",), 22, "Did you mean ingestion.files/airlines?"),
    "unknown digest": (("0" * 64,), 22, "No blob or manifest"),
    "too short": (("abc",), 3, "neither a digest nor NAMESPACE/SOURCE"),
    "hostile ref": (("../../etc/passwd",), 3, "'../../etc/passwd'"),
    "hostile namespace": (("../passwd",), 3, "cannot be a namespace"),
    "both": (("REF", "-o", "a", "--to", "b"), 3, "both given"),
    "folder": (("REF", "-o", "/"), 3, "is a folder"),
    "below a file": (("REF", "-o", "FILE/a"), 3, "is not a folder"),
    "into a file": (("REF", "--to", "FILE"), 3, "is not a folder"),
    "several outputs": (("processing.tables/two",), 3, "has 2 outputs. Name a folder"),
    "no store": (("REF", "--url", "file:///nowhere/at/all"), 22, "There is no store"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_had_is_told(
    project: Project, digest: str, tmp_path: Path, case: str
) -> None:
    arguments, code, message = WRONG[case]
    project.derived("two", ["airlines"], {"a": b"1", "b": b"2"})
    names = {"REF": f"{NAMESPACE}/airlines"}
    blocking = project.write("blocking", "")

    done = project.run(
        "store", "get", *(names.get(a, a.replace("FILE", str(blocking))) for a in arguments)
    )

    assert (done.code, len(done.errors)) == (code, 1), done.stderr
    assert message in done.errors[0]
    assert not Path("/nowhere").exists()


def test_json_and_bytes_do_not_mix(project: Project, digest: str) -> None:
    done = project.run("store", "get", digest, "--json")

    assert (done.code, done.stdout) == (3, b"")
    assert "would mix" in done.error_records[0]["message"]


def test_damaged_bytes_never_get_their_name(project: Project, digest: str, tmp_path: Path) -> None:
    project.damage(digest)

    done = project.run("store", "get", digest, "-o", tmp_path / "a.bin")

    assert (done.code, len(done.errors)) == (21, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


def test_show_prints_a_manifest(project: Project, digest: str) -> None:
    done = project.run("store", "show", f"{NAMESPACE}/airlines")

    assert done.code == 0
    assert done.json["blob"]["digest"] == digest
    ref = project.store.ref(NAMESPACE, "airlines")
    assert ref is not None
    again = project.run("store", "show", _short(ref.manifest.digest), "--json")
    assert again.json == done.json


def test_show_of_a_blob_is_told(project: Project, digest: str) -> None:
    done = project.run("store", "show", digest)

    assert (done.code, len(done.errors)) == (22, 1)
    assert "No manifest" in done.errors[0]


def test_an_ambiguous_beginning_lists_what_it_may_mean(project: Project) -> None:
    folder = project.store_folder / "blobs" / "sha256" / "ab"
    names = [f"{'ab' * 5}{digit}".ljust(64, "0") for digit in "12"]
    project.fetched("airlines", b"x")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")

    done = project.run("store", "get", "ab" * 5)

    assert (done.code, len(done.errors)) == (5, 1)
    assert all(name in done.errors[0] for name in names)


def test_pins_come_and_go(project: Project, digest: str) -> None:
    pinned = project.run("store", "pin", "audit", _short(digest))
    listed = project.run("store", "ls", "pins", "--json")
    unpinned = project.run("store", "unpin", "audit", "--json")
    again = project.run("store", "unpin", "audit")

    assert (pinned.code, pinned.text) == (0, f"pinned  audit  {digest}\n")
    assert listed.json == [{"pin": "audit", "digest": digest}]
    assert (unpinned.code, unpinned.json) == (0, {"unpinned": "audit"})
    assert (again.code, len(again.errors)) == (22, 1)


def test_what_is_not_there_cannot_be_pinned(project: Project, digest: str) -> None:
    assert project.run("store", "pin", "audit", "0" * 64).code == 22
    assert project.run("store", "pin", "../audit", digest, "--json").code == 3
