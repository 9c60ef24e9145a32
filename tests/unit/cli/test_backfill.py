from __future__ import annotations

import datetime as dt

import pytest

from tests.project_kit import DEPARTMENT, VALUES
from tests.unit.cli.kit import Project, require_one_line

RANGE = ("--from", "2013-01-01", "--to", "2013-01-30")


@pytest.fixture
def dated(project: Project) -> Project:
    project.write(DEPARTMENT, "backfill: {concurrency_limit: 2}\n" + _read(project, DEPARTMENT))
    project.write(
        VALUES,
        "files: [{source_id: 'flights-{date}', url: 'https://h.example/{date}.csv'}]\n",
    )
    return project


def _read(project: Project, name: str) -> str:
    return (project.root / name).read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("sample", *RANGE), 3, "'sample' is not DEPT/STAGE[/CATEGORY]"),
        (("sampl/ingestion", *RANGE), 5, "Did you mean 'sample'?"),
        (("sample/ingest", *RANGE), 5, "Did you mean 'ingestion'?"),
        (("sample/ingestion/fils", *RANGE), 5, "Did you mean 'files'?"),
        (
            ("sample/ingestion", "--from", "2013-02-01", "--to", "2013-01-01"),
            3,
            "--from 2013-02-01 is after --to 2013-01-01",
        ),
        (
            ("sample/ingestion", "--from", "2013-01-01", "--to", "2999-01-01"),
            3,
            "--to 2999-01-01 is in the future",
        ),
        (
            ("sample/ingestion", "--from", "2013-01-01", "--to", "2015-12-31"),
            3,
            "are 1,095 dates, more than 1,000",
        ),
        (("sample/processing", *RANGE), 3, "stores nothing by date"),
        (("sample/ingestion", *RANGE, "--release", "x"), 3, "Add --on k8s"),
        (
            ("sample/ingestion", *RANGE, "--no-wait", "--concurrency", "2"),
            3,
            "--concurrency needs somebody who waits",
        ),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_started(
    dated: Project, arguments: tuple[str, ...], code: int, message: str
) -> None:
    require_one_line(dated.run("backfill", *arguments), code, message)

    assert not (dated.root / ".airnub").exists()


@pytest.mark.parametrize("text", ["2013-13-01", "yesterday", "2013-02-30"])
def test_what_is_no_date_is_an_error_of_usage(dated: Project, text: str) -> None:
    done = dated.run("backfill", "sample/ingestion", "--from", text, "--to", "2013-03-01")

    assert done.code == 2
    assert text in done.stderr
    assert dated.run("run", "sample", "ingestion", "--date", text).code == 2


def test_a_department_without_a_queue_for_backfills_says_what_to_add(project: Project) -> None:
    done = project.run("backfill", "sample/ingestion", *RANGE)

    require_one_line(done, 3, "sample.yaml: the department has no queue for backfills")
    assert "backfill: {concurrency_limit: 2}" in done.stderr


def test_a_whole_department_has_no_date(project: Project) -> None:
    done = project.run("run", "sample", "--date", dt.date(2013, 1, 1))

    require_one_line(done, 3, "--date needs a stage or a category")


def test_dates_that_would_overwrite_each_other_are_found_by_config_check(dated: Project) -> None:
    dated.environ(SOURCES_URL="http://127.0.0.1:1")
    dated.write(VALUES, "files:\n  - source_id: flights\n    url: 'https://h.example/{date}.csv'\n")

    done = dated.run("config", "check")

    assert done.code == 3
    (error,) = done.errors
    assert f"{VALUES}:2:5: files.0: " in error
    assert "its address has a {date} and source_id has none: use it in both" in error
