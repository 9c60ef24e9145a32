"""What a run of the category stores, and how one with a broken source ends."""

from airnub_prefect_starter.core.sources import FileSource
from flows.dept_data_lake.ingestion.article_files.config import CATEGORY, ArticleFilesConfig
from flows.dept_data_lake.ingestion.article_files.ingest_article_files_flow_dept_data_lake import (
    ingest_article_files_flow_dept_data_lake,
)
from tests.fault_server import FaultServer, file, status
from tests.fetch_kit import LOOPBACK
from tests.integration.departments.kit import StoreOf, stored

BODY = b"code,name\nAA,American Airlines Inc.\n"


def _config(url: str) -> ArticleFilesConfig:
    source = FileSource(source_id="sample", url=url, media_type="text/csv", access=LOOPBACK)
    return ArticleFilesConfig(files=(source,))


def test_a_file_is_stored(sources: FaultServer, store_of: StoreOf) -> None:
    store = store_of(CATEGORY.department)
    url = sources.on("/sample.csv", file(BODY, Content_Type="text/csv"))

    state = ingest_article_files_flow_dept_data_lake(_config(url), return_state=True)

    assert state.is_completed(), state.message
    assert stored(store, CATEGORY, "sample") == BODY


def test_a_broken_source_ends_the_run_failed(sources: FaultServer, store_of: StoreOf) -> None:
    store = store_of(CATEGORY.department)
    url = sources.on("/sample.csv", status(404))

    state = ingest_article_files_flow_dept_data_lake(_config(url), return_state=True)

    assert state.is_failed()
    assert "sample: SourceRejectedError" in (state.message or "")
    assert stored(store, CATEGORY, "sample") is None
