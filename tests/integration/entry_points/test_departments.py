"""Entry points to the data lake's own stages, without any server: on the YAML files."""

import json
from pathlib import Path

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.store import open_store
from airnub_prefect_starter.demo import SourceServer
from tests.integration.entry_points.conftest import errors, start


def test_features_are_made_of_ingested_articles(alone: dict[str, str], tmp_path: Path) -> None:
    file = "ml/feature_engineering_pipeline.py"
    with SourceServer() as server:
        environment = {**alone, "SOURCES_URL": server.url}
        first = start(file, "--ingest", cwd=tmp_path, env=environment)
    second = start(file, cwd=tmp_path, env=alone)

    assert first.returncode == 0, first.stderr[-2000:]
    assert second.returncode == 0, second.stderr[-2000:]
    ((before,), (after,)) = json.loads(first.stdout), json.loads(second.stdout)
    assert (before["outcome"], after["outcome"]) == ("stored", "not_modified")
    assert {"encoders.json", "metadata.json"} <= {*before["outputs"]}
    store = open_store((tmp_path / "store" / "data_lake").as_uri(), create=False)
    assert len(Lake.of(store).read("features/articles")) == 1000


def test_monitoring_an_empty_lake_is_critical(alone: dict[str, str], tmp_path: Path) -> None:
    done = start("monitoring/data_quality_monitor.py", cwd=tmp_path, env=alone)

    assert done.returncode != 0
    assert errors(done)
