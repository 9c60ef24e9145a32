"""What a run of the category makes of articles, and how one of bad articles ends."""

from collections.abc import Iterator

import pytest

from airnub_prefect_starter.core.features.articles import FeatureModel
from airnub_prefect_starter.core.features.step import ENCODERS, METADATA
from airnub_prefect_starter.core.features.steps import FeatureStep
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.table_step import limit_of
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.sources import FileSource
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.demo.articles import articles_csv
from flows.dept_data_lake.ingestion.article_files.config import ArticleFilesConfig
from flows.dept_data_lake.ingestion.article_files.ingest_article_files_flow_dept_data_lake import (
    ingest_article_files_flow_dept_data_lake,
)
from flows.dept_data_lake.ml.feature_engineering.config import CATEGORY, FeatureEngineeringConfig
from flows.dept_data_lake.ml.feature_engineering.engineer_features_flow_dept_data_lake import (
    engineer_features_flow_dept_data_lake,
)
from tests.fault_server import FaultServer, file
from tests.fetch_kit import LOOPBACK
from tests.integration.departments.kit import StoreOf, limits_of

STEP = FeatureStep(source_id="features.articles", inputs=("ingestion.article_files/articles",))
CONFIG = FeatureEngineeringConfig(features=(STEP,))


@pytest.fixture(autouse=True)
def _limit(prefect_server: None) -> Iterator[None]:
    """Register the limit that the department's file states."""
    with limits_of(CATEGORY.department, limit_of(STEP.table)):
        yield


def _ingest(sources: FaultServer, body: bytes) -> None:
    url = sources.on("/articles.csv", file(body, Content_Type="text/csv"))
    source = FileSource(source_id="articles", url=url, media_type="text/csv", access=LOOPBACK)
    ingest_article_files_flow_dept_data_lake(ArticleFilesConfig(files=(source,)))


def _blob(store: Store, result: DerivedResult, name: str) -> bytes:
    digest = next(each.blob.digest for each in result.outputs if each.name == name)
    return store.read_blob(digest)


def test_articles_become_a_table_with_its_encoders(sources: FaultServer, store_of: StoreOf) -> None:
    store = store_of(CATEGORY.department)
    _ingest(sources, articles_csv())

    (first,) = engineer_features_flow_dept_data_lake(CONFIG)
    (second,) = engineer_features_flow_dept_data_lake(CONFIG)

    assert (first.outcome, second.outcome) == ("stored", "not_modified")
    table = Lake.of(store).read("features/articles")
    assert len(table) == 1000
    assert int(table["is_training"].sum()) == 800
    assert FeatureModel.from_json(_blob(store, first, ENCODERS)).trained_rows == 800
    assert first.table_digest is not None
    assert first.table_digest.encode() in _blob(store, first, METADATA)


def test_too_many_bad_rows_end_the_run_failed_and_make_no_table(
    sources: FaultServer, store_of: StoreOf
) -> None:
    store = store_of(CATEGORY.department)
    _ingest(sources, articles_csv().replace(b",true,", b",perhaps,"))

    state = engineer_features_flow_dept_data_lake(CONFIG, return_state=True)

    assert state.is_failed()
    assert "of 1000 rows are rejected" in (state.message or "")
    assert Lake.of(store).tables() == []


def test_articles_that_are_not_there_are_named(store_of: StoreOf) -> None:
    store_of(CATEGORY.department)

    state = engineer_features_flow_dept_data_lake(CONFIG, return_state=True)

    assert state.is_failed()
    assert "ingestion.article_files/articles is not in the store" in (state.message or "")
