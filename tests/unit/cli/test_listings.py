from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from airnub_prefect_starter.core.manifest_models import RunReport, SourceFailure
from tests.unit.cli.kit import Project

KINDS = ("refs", "manifests", "blobs", "pins", "runs")
LONG = "monthly-flights-from-new-york-2013"


@pytest.fixture
def digest(project: Project) -> str:
    digest = project.fetched(LONG, b"AA\n", filename="airlines.csv")
    project.fetched("same-bytes", b"AA\n")
    project.fetched("once-more", b"AA\n")
    project.derived("flights", [LONG], {"part-1": b"1", "part-2": b"2"})
    project.store.pin("audit", digest)
    project.store.put_bytes(b"nobody's")
    project.store.write_report(_report())
    return digest


def _report() -> RunReport:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    failure = SourceFailure(
        source_id="a",
        namespace="ingestion.files",
        error="TooSlowError",
        message="m",
        transient=True,
        exit_code=13,
    )
    return RunReport(
        run_id="0f8fad5b-d9cb-469f-a165-70867728950e",
        flow="Download Scheduled Files Flow (Project Alpha)",
        started_at=moment,
        finished_at=moment,
        failures=(failure,),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_tables_fit_in_100_columns_and_have_short_digests(
    project: Project, digest: str, kind: str
) -> None:
    done = project.run("store", "ls", kind)

    assert done.code == 0
    assert max(len(line.rstrip()) for line in done.text.splitlines()) <= 100
    assert "sha256:" not in done.text
    assert not re.search(r"[0-9a-f]{13}", done.text)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_store_lists_nothing(project: Project, kind: str) -> None:
    assert project.store.ref("a", "b") is None

    done = project.run("store", "ls", kind, "--json")

    assert (done.code, done.json) == (0, [])
    assert project.run("store", "ls", kind).code == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_only_read_is_not_made(project: Project, kind: str) -> None:
    done = project.run("store", "ls", kind)

    assert (done.code, len(done.errors)) == (22, 1)
    assert "There is no store at" in done.errors[0]
    assert not project.store_folder.exists()


def test_refs(project: Project, digest: str) -> None:
    listed = project.run("store", "ls", "--json").json
    table = project.run("store", "ls", "refs").text

    assert [each["ref"] for each in listed] == [
        f"ingestion.files/{LONG}",
        "ingestion.files/once-more",
        "ingestion.files/same-bytes",
        "processing.tables/flights",
    ]
    assert (listed[0]["kind"], listed[0]["blob"], listed[0]["size"]) == ("fetched", digest, 3)
    assert (listed[3]["kind"], listed[3]["blob"], listed[3]["size"]) == ("derived", None, None)
    for each in listed:
        assert each["ref"] in table
        assert each["manifest"].removeprefix("sha256:")[:12] in table


def test_manifests(project: Project, digest: str) -> None:
    listed = project.run("store", "ls", "manifests", "--json").json

    assert sorted((each["kind"], each["ref"], len(each["blobs"])) for each in listed) == [
        ("derived", "processing.tables/flights", 2),
        ("fetched", f"ingestion.files/{LONG}", 1),
        ("fetched", "ingestion.files/once-more", 1),
        ("fetched", "ingestion.files/same-bytes", 1),
    ]


def test_blobs_say_what_they_are(project: Project, digest: str) -> None:
    listed = project.run("store", "ls", "blobs", "--json").json
    table = project.run("store", "ls", "blobs").text

    named = {each["blob"]: each["names"] for each in listed}
    assert len(named) == 4
    assert named[digest] == [
        f"ingestion.files/{LONG}: airlines.csv",
        "ingestion.files/once-more: once-more",
        "ingestion.files/same-bytes: same-bytes",
    ]
    assert sum(each["size"] for each in listed) == 3 + 1 + 1 + 8
    assert "no manifest names it" in table
    assert "and 1 more" in table


def test_runs(project: Project, digest: str) -> None:
    listed = project.run("store", "ls", "runs", "--json").json
    table = project.run("store", "ls", "runs").text

    assert [(each["run"][:8], each["sources"], each["failed"]) for each in listed] == [
        ("0f8fad5b", 0, 1)
    ]
    assert "0f8fad5b " in table
    assert "2026-01-02T03:04Z" in table


def test_short_digests_of_tables_are_taken_everywhere(project: Project, digest: str) -> None:
    short = project.run("store", "ls", "pins").text.split()[-1]

    assert project.run("store", "get", short).stdout == b"AA\n"
    assert project.run("trace", short).code == 0


def test_trace_walks_both_ways(project: Project, digest: str) -> None:
    done = project.run("trace", f"ingestion.files/{LONG}")
    facts = project.run("trace", "processing.tables/flights", "--json").json

    assert done.code == 0
    assert f"http://example.com/{LONG}" in done.text
    assert "part-1" in done.text
    assert [each["kind"] for each in facts["made_of"]] == ["manifest"]
    assert sorted(each["label"] for each in facts["made_into"]) == ["part-1", "part-2"]


@pytest.mark.parametrize(
    ("target", "code"),
    [("ingestion.files/nothing", 22), ("0" * 64, 22), ("abc", 5)],
    ids=["ref", "digest", "short"],
)
def test_trace_of_nothing_is_told(project: Project, digest: str, target: str, code: int) -> None:
    done = project.run("trace", target)

    assert (done.code, len(done.errors)) == (code, 1)
