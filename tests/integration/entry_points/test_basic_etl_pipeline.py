"""Posts to files: what is written, what is kept, and how bad input ends."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.fault_server import Behaviour, FaultServer, ok, status
from tests.integration.entry_points.conftest import Program, errors, start

FILE = "examples/basic_etl_pipeline.py"
GOOD = {
    "id": 1,
    "title": "A title that is long enough to be good",
    "body": "Words that go on and on until there are more than ten of them in all. " * 2,
}
POSTS = json.dumps([GOOD, {**GOOD, "id": 2, "title": ""}, {**GOOD, "id": 3, "body": None}]).encode()


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_becomes_three_formats_without_any_server(
    alone: dict[str, str], tmp_path: Path
) -> None:
    posts = tmp_path / "posts.json"
    posts.write_bytes(POSTS)

    done = start(FILE, "--api-url", posts.as_uri(), "--output-dir", "out", cwd=tmp_path, env=alone)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["status"], found["rows_in"], found["rows_out"]) == ("good", 3, 1)
    files = {kind: tmp_path / name for kind, name in found["files"].items()}
    assert [post["id"] for post in json.loads(files["raw"].read_bytes())] == [1, 2, 3]
    processed = pd.read_parquet(files["processed"])
    assert processed["quality_score"].tolist() == [1.0]
    assert pd.read_csv(files["analysis"])["title_length"].tolist() == [len(str(GOOD["title"]))]
    assert json.loads(files["summary"].read_bytes())["recommendations"] == []


def test_a_file_that_changed_is_read_again(program: Program, tmp_path: Path) -> None:
    posts = tmp_path / "posts.json"
    for count in (1, 2):
        posts.write_text(json.dumps([{**GOOD, "id": number} for number in range(count)]))
        done = program(FILE, "--api-url", posts.as_uri())
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["rows_in"] == count


def test_the_source_is_asked_once_an_hour_and_files_stay_the_same(
    program: Program, sources: FaultServer, tmp_path: Path
) -> None:
    url = sources.on("/posts", *[ok(POSTS, Content_Type="application/json")] * 2)

    first = program(FILE, "--api-url", url)
    files = _files(tmp_path / "output")
    second = program(FILE, "--api-url", url)
    assert len(sources.paths()) == 1
    third = program(FILE, "--api-url", url, "--refresh")

    assert (first.returncode, second.returncode, third.returncode) == (0, 0, 0)
    assert len(sources.paths()) == 2
    assert _files(tmp_path / "output") == files
    assert first.stdout == second.stdout == third.stdout


def test_poor_posts_are_a_warning_with_advice(program: Program, sources: FaultServer) -> None:
    poor = json.dumps([{"id": 1, "title": "short", "body": "too"}]).encode()
    url = sources.on("/posts", ok(poor, Content_Type="application/json"))

    done = program(FILE, "--api-url", url)

    found = json.loads(done.stdout)
    assert (done.returncode, found["status"]) == (0, "warning")
    assert len(found["recommendations"]) == 4


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (status(404), 14),
        (ok(b"<html>", Content_Type="application/json"), 17),
        (ok(b'[{"name": "no post"}]', Content_Type="application/json"), 17),
    ],
    ids=["missing", "no JSON", "no posts"],
)
def test_a_bad_source_is_one_line_and_a_code(
    program: Program, sources: FaultServer, tmp_path: Path, behaviour: Behaviour, code: int
) -> None:
    done = program(FILE, "--api-url", sources.on("/posts", behaviour))

    assert done.returncode == code
    assert len(errors(done)) == 1
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("url", ["ftp://host/posts", "file:///not/there.json"])
def test_a_bad_address_is_one_line_and_a_code(program: Program, url: str) -> None:
    done = program(FILE, "--api-url", url)

    assert done.returncode == 3
    assert len(errors(done)) == 1


def test_without_an_address_and_a_platform_it_says_what_to_do(program: Program) -> None:
    done = program(FILE)

    assert done.returncode == 3
    assert "airnub up" in errors(done)[0]
