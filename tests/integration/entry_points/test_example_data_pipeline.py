"""An API, a file and a database become files and tables; again, nothing is done."""

import json
from pathlib import Path

from airnub_prefect_starter.demo import SourceServer
from airnub_prefect_starter.demo.data import SampleTables
from airnub_prefect_starter.demo.database import fill_database
from tests.integration.entry_points.conftest import Program, errors

FILE = "examples/example_data_pipeline.py"


def test_three_sources_become_tables_once(program: Program, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'sample.db'}"
    fill_database(database, SampleTables())
    with SourceServer() as server:
        arguments = ["--sources-url", server.url, "--database-url", database]
        first, second = program(FILE, *arguments), program(FILE, *arguments)

    assert first.returncode == 0, first.stderr[-2000:]
    before, after = json.loads(first.stdout), json.loads(second.stdout)
    rows = {name: table["rows"] for name, table in before["tables"].items()}
    assert rows == {"airlines": 16, "airports": 1458, "daily-flights": 11_864}
    assert {table["outcome"] for table in after["tables"].values()} == {"not_modified"}
    assert before["posts"]["kept"] == 100
    assert before["files"] == after["files"]


def test_one_source_that_is_away_fails_the_run_and_names_it(
    program: Program, tmp_path: Path
) -> None:
    with SourceServer() as server:
        missing = f"sqlite:///{tmp_path / 'missing.db'}"
        done = program(FILE, "--sources-url", server.url, "--database-url", missing)

    assert done.returncode != 0
    assert len(errors(done)) == 1
    assert "missing.db" in errors(done)[0]
