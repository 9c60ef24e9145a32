"""Everything bad that the command line can meet without a Prefect server: one line, its code."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from airnub_prefect_starter.core.manifest_models import FetchManifest
from tests.fault_server import (
    Behaviour,
    FaultServer,
    cut,
    dripping,
    endless,
    ok,
    raw,
    redirect,
    silent,
    status,
)
from tests.project_kit import VALUES
from tests.unit.cli.kit import Project, require_one_line

DATA = b"carrier,name\nAA,American\n" * 100
HTML = b"<!DOCTYPE html><title>Log in</title>"
LOOPBACK = ("--allow-network", "127.0.0.0/8", "--allow-network", "::1/128")
SOUND_HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


# Sources


@dataclass(frozen=True)
class Bad:
    """A source's answers, options of the command, and how it must end."""

    answers: tuple[Behaviour, ...]
    code: int
    message: str
    options: tuple[str, ...] = ()


SOURCES = {
    "wrong digest": Bad((ok(DATA),), 20, "expected was", ("--expect", f"sha256:{'0' * 64}")),
    "wrong claimed digest": Bad(
        (ok(DATA, Repr_Digest="sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"),),
        20,
        "expected was",
    ),
    "truncated body": Bad((cut(DATA, 100, etag=None),), 16, "broke off after 100 bytes"),
    "truncated again and again": Bad(
        (cut(DATA, 0, etag='"v1"'),), 16, "broke off", ("--timeout-s", "2")
    ),
    "truncated head": Bad((raw(b"HTTP/1.1 200 OK\r\nContent-"),), 17, "is empty"),
    "connection reset": Bad((raw(b"", then_reset=True),), 15, "cannot be reached"),
    "no HTTP": Bad((raw(b"SSH-2.0-OpenSSH_9.2\r\n"),), 17, "valid HTTP"),
    "HTML for CSV": Bad(
        (ok(HTML, Content_Type="text/html"),), 17, "sent HTML", ("--media-type", "text/csv")
    ),
    "HTML for JSON, said to be JSON": Bad(
        (ok(HTML, Content_Type="application/json"),),
        17,
        "sent HTML",
        ("--media-type", "application/json"),
    ),
    "empty": Bad((ok(b""),), 17, "is empty"),
    "no content": Bad((status(204),), 17, "no content"),
    "part that was not asked for": Bad((status(206, DATA),), 17, "a part"),
    "announced as too large": Bad((ok(DATA),), 12, "larger than 99", ("--max-bytes", "99")),
    "endless": Bad((endless(),), 12, "larger than 200,000 bytes", ("--max-bytes", "200000")),
    "endless in chunks": Bad((endless(chunked=True),), 12, "larger", ("--max-bytes", "200000")),
    "dripping": Bad((dripping(SOUND_HEAD),), 13, "", ("--timeout-s", "0.2")),
    "dripping head": Bad((dripping(b"HTTP/1.1 200 OK\r\nX: "),), 13, "", ("--timeout-s", "0.2")),
    "silent": Bad((silent(),), 13, "", ("--timeout-s", "0.2")),
    "redirect loop": Bad((redirect("/source"),), 11, "in a circle"),
    "redirect without end": Bad(tuple(redirect(f"/source?{n}") for n in range(9)), 11, "redirects"),
    "redirect to nowhere": Bad((status(302),), 11, "to nowhere"),
    "redirect to a private address": Bad((redirect("http://10.0.0.1/"),), 10, "10.0.0.1"),
    "redirect to link-local": Bad((redirect("http://169.254.169.254/latest/"),), 10, "169.254"),
    "redirect to a file": Bad((redirect("file:///etc/passwd"),), 10, "neither http nor https"),
    "redirect with credentials": Bad((redirect("http://u:p@h/"),), 10, "credentials"),
    "client error": Bad((status(404),), 14, "answered 404"),
    "forbidden": Bad((status(403),), 14, "answered 403"),
    "server error": Bad((status(500),), 15, "answered 500"),
    "too many requests": Bad((status(429),), 15, "answered 429"),
}


@pytest.mark.parametrize("case", SOURCES)
def test_a_bad_source_stores_nothing(project: Project, faults: FaultServer, case: str) -> None:
    bad = SOURCES[case]
    url = faults.on("/source", *bad.answers)

    done = project.run("store", "put", url, "--id", "a", *LOOPBACK, *bad.options)

    require_one_line(done, bad.code, bad.message)
    assert project.files() == set()


@pytest.mark.parametrize("case", ["truncated body", "wrong digest", "HTML for CSV", "server error"])
def test_a_source_that_turns_bad_leaves_what_was_stored(
    project: Project, faults: FaultServer, case: str
) -> None:
    bad = SOURCES[case]
    url = faults.on("/source", ok(b"good\n"))
    assert project.run("store", "put", url, "--id", "a", *LOOPBACK).code == 0
    before = project.files()
    faults.on("/source", *bad.answers)

    done = project.run("store", "put", url, "--id", "a", *LOOPBACK, *bad.options)

    require_one_line(done, bad.code, bad.message)
    assert project.files() == before
    assert project.run("store", "get", "manual/a").stdout == b"good\n"


def test_private_addresses_are_refused_unless_allowed(
    project: Project, faults: FaultServer
) -> None:
    for url in (faults.on("/a", ok(DATA)), f"{faults.alias}/a"):
        done = project.run("store", "put", url, "--id", "a")

        require_one_line(done, 10, "")
    assert faults.requests == []
    assert project.files() == set()


def test_an_address_that_nobody_listens_on(project: Project, faults: FaultServer) -> None:
    with FaultServer() as gone:
        url = gone.on("/a", ok(DATA))

    done = project.run("store", "put", url, "--id", "a", *LOOPBACK)

    require_one_line(done, 15, "connection refused")


def test_gzip_despite_identity_is_kept_as_sent_and_said_so(
    project: Project, faults: FaultServer
) -> None:
    sent = gzip.compress(DATA, mtime=0)
    url = faults.on("/a", ok(sent, Content_Encoding="gzip", Content_Type="text/csv"))

    done = project.run("store", "put", url, "--id", "a", *LOOPBACK, "--json")

    assert done.code == 0
    assert done.json["digest"] == f"sha256:{hashlib.sha256(sent).hexdigest()}"
    manifest = project.store.manifest(done.json["manifest"])
    assert isinstance(manifest, FetchManifest)
    assert manifest.source.content_encoding == "gzip"


HOSTILE_NAMES = ["../../.bashrc", "/etc/passwd", "..\\x.bat", "a\x00b", "\x1b[31m.csv", "." * 300]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_a_hostile_file_name_is_tamed(project: Project, faults: FaultServer, name: str) -> None:
    header = b'attachment; filename="' + name.encode("latin-1") + b'"'
    url = faults.on("/a", ok(DATA, Content_Disposition=header))
    folder = project.root / "out"

    put = project.run("store", "put", url, "--id", "a", *LOOPBACK)
    done = project.run("store", "get", "manual/a", "--to", folder)

    assert (put.code, done.code) in {(0, 0), (17, 22)}, put.stderr + done.stderr
    written = list(folder.rglob("*"))
    assert [path.read_bytes() for path in written] == [DATA] * (put.code == 0)
    assert all(path.name.isprintable() and path.name[0] != "." for path in written)


# Configuration and names


CONFIGURATION: dict[str, tuple[Callable[[Project], object], tuple[str, ...], int, str]] = {
    "wrong YAML": (
        lambda project: project.write(VALUES, "files: [\n"),
        ("config", "check"),
        3,
        f"{VALUES}:2:1: not valid YAML",
    ),
    "unknown key": (
        lambda project: project.write(VALUES, "fils: []\nfiles: [{source_id: a, url: http://h}]\n"),
        ("config", "check"),
        3,
        "unknown key; did you mean 'files'?",
    ),
    "missing address": (
        lambda project: project.write(VALUES, "files: [{source_id: a, url: '${NO_URL}/a'}]\n"),
        ("config", "check"),
        3,
        f"{VALUES}:1:29: The address ${{NO_URL}} is not set",
    ),
    "unknown setting": (
        lambda project: project.environ(AIRNUB_STOR_URL="file:///s"),
        ("store", "ls"),
        3,
        "Did you mean AIRNUB_STORE_URL?",
    ),
    "unknown department": (lambda _: None, ("run", "sampel"), 5, "Did you mean 'sample'?"),
    "unknown stage": (lambda _: None, ("run", "sample", "ingest"), 5, "'ingestion'"),
    "unknown category": (lambda _: None, ("run", "sample", "ingestion/fils"), 5, "'files'"),
    "unknown department's store": (lambda _: None, ("store", "ls", "-d", "x"), 5, "Known: sample"),
    "no server": (lambda _: None, ("config", "show", "sample.ingestion"), 6, "Run `airnub up`"),
    "stale files": (lambda _: None, ("render", "--check"), 4, "Run `airnub render`"),
}


@pytest.mark.parametrize("case", CONFIGURATION)
def test_bad_configuration(project: Project, case: str) -> None:
    prepare, arguments, code, message = CONFIGURATION[case]
    prepare(project)

    require_one_line(project.run(*arguments), code, message)
