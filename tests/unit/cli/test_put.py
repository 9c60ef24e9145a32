from __future__ import annotations

import hashlib

import pytest

from airnub_prefect_starter.core.manifest_models import FetchManifest
from tests.fault_server import FaultServer, file, ok
from tests.unit.cli.kit import Project

DATA = b"carrier,name\nAA,American\n"
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
LOOPBACK = ("--allow-network", "127.0.0.0/8")


def test_a_file_becomes_a_blob(project: Project) -> None:
    path = project.write("airlines.csv", DATA)

    done = project.run("store", "put", path)

    assert (done.code, done.text) == (0, f"stored  {DIGEST}  25 B\n")
    assert project.store.read_blob(DIGEST) == DATA


def test_standard_input_becomes_the_same_blob(project: Project) -> None:
    project.run("store", "put", project.write("airlines.csv", DATA))

    done = project.run("store", "put", "-", "--json", stdin=DATA)

    assert done.code == 0
    assert done.json == {
        "outcome": "deduplicated",
        "digest": DIGEST,
        "size": 25,
        "media_type": "application/octet-stream",
    }


def test_a_url_becomes_a_ref_that_is_not_fetched_again(
    project: Project, faults: FaultServer
) -> None:
    url = faults.on("/airlines.csv", file(DATA, Content_Type="text/csv"))
    arguments = ("store", "put", url, "--id", "airlines", *LOOPBACK)

    first = project.run(*arguments)
    before = project.files()
    second = project.run(*arguments, "--json")

    assert (first.code, first.text) == (0, f"stored  {DIGEST}  25 B  manual/airlines\n")
    assert second.code == 0
    assert second.json["outcome"] == "not_modified"
    assert (second.json["ref"], second.json["bytes_in"]) == ("manual/airlines", 0)
    manifest = project.store.manifest(second.json["manifest"])
    assert isinstance(manifest, FetchManifest)
    assert manifest.blob.media_type == "text/csv"
    assert project.files() == before


def test_options_of_a_url_are_obeyed(project: Project, faults: FaultServer) -> None:
    url = faults.on("/a", ok(DATA, Content_Type="application/octet-stream"))
    options = ("--namespace", "audit", "--media-type", "text/csv", "--expect", DIGEST)

    done = project.run("store", "put", url, "--id", "a", *options, *LOOPBACK, "--json")

    assert done.code == 0
    assert (done.json["ref"], done.json["media_type"]) == ("audit/a", "text/csv")


WRONG = {
    "url without a name": (("http://example.com/a",), 3, "A URL needs a name"),
    "file with a name": (("FILE", "--id", "a"), 3, "--id is for URLs"),
    "file with a network": (("FILE", *LOOPBACK), 3, "--allow-network is for URLs"),
    "no such file": (("none.csv",), 3, "none.csv: No such file or directory"),
    "folder": (("/",), 3, "/: Is a directory"),
    "another digest": (("FILE", "--expect", f"sha256:{'0' * 64}"), 20, "expected was sha256:000"),
    "no digest": (("FILE", "--expect", "md5:0"), 3, "'md5:0' is not a digest"),
    "too large": (("FILE", "--max-bytes", "24"), 12, "larger than 24 bytes"),
    "no such scheme": (("ftp://h/a", "--id", "a"), 3, "neither http nor https"),
    "credentials": (("http://u:p@h/a", "--id", "a"), 3, "credentials"),
    "hostile id": (("http://h/a", "--id", "../a"), 3, "source_id"),
    "hostile namespace": (("http://h/a", "--id", "a", "--namespace", "../x"), 3, "namespace"),
    "no network": (("http://h/a", "--id", "a", "--allow-network", "x"), 3, "allow_networks"),
    "private": (("http://127.0.0.1:9/a", "--id", "a"), 10, "127.0.0.1"),
    "two stores": (("FILE", "-d", "sample", "--url", "file:///s"), 3, "both given"),
    "unknown department": (("FILE", "-d", "sampel"), 5, "Did you mean 'sample'?"),
    "no store": (("FILE", "--url", "sample"), 3, "is not the address of a store"),
}


@pytest.mark.parametrize("case", WRONG)
def test_nothing_is_stored_of_what_is_refused(project: Project, case: str) -> None:
    arguments, code, message = WRONG[case]
    path = str(project.write("airlines.csv", DATA))

    done = project.run("store", "put", *(path if each == "FILE" else each for each in arguments))

    assert (done.code, len(done.errors)) == (code, 1), done.stderr
    assert message in done.errors[0]
    assert project.files() == set()


def test_secrets_of_addresses_are_not_repeated(project: Project) -> None:
    done = project.run("store", "put", "http://user:hunter2@h/a", "--id", "a")

    assert "hunter2" not in done.stderr


def test_endless_standard_input_ends_at_the_limit(project: Project) -> None:
    done = project.run("store", "put", "-", "--max-bytes", 1000, stdin=b"x" * 1001)

    assert done.code == 12
    assert project.files() == set()


def test_errors_are_json_if_the_output_is(project: Project) -> None:
    done = project.run("store", "put", "none.csv", "--json")

    assert done.stdout == b""
    assert done.error_records == [
        {
            "error": "ConfigError",
            "exit_code": 3,
            "message": "none.csv: No such file or directory",
            "remedy": "Give a file that can be read, a URL, or -",
        }
    ]
