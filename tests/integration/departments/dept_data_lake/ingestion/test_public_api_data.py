"""What a run of the category stores, and how one with a broken source ends."""

from airnub_prefect_starter.core.sources import ApiSource
from flows.dept_data_lake.ingestion.public_api_data.config import CATEGORY, PublicApiDataConfig
from flows.dept_data_lake.ingestion.public_api_data.ingest_public_api_data_flow_dept_data_lake import (  # noqa: E501
    ingest_public_api_data_flow_dept_data_lake,
)
from tests.fault_server import FaultServer, file, status
from tests.fetch_kit import LOOPBACK
from tests.integration.departments.kit import StoreOf, stored

ANSWER = b'{"items": [{"code": "AA"}, {"code": "B6"}], "total": TOTAL}'
LINES = b'{"code":"AA"}\n{"code":"B6"}\n'


def _config(url: str) -> PublicApiDataConfig:
    source = ApiSource(
        source_id="sample", url=url, items_path="items", total_path="total", access=LOOPBACK
    )
    return PublicApiDataConfig(apis=(source,))


def test_items_are_stored_one_a_line(sources: FaultServer, store_of: StoreOf) -> None:
    store = store_of(CATEGORY.department)
    answer = file(ANSWER.replace(b"TOTAL", b"2"), Content_Type="application/json")

    state = ingest_public_api_data_flow_dept_data_lake(
        _config(sources.on("/sample", answer)), return_state=True
    )

    assert state.is_completed(), state.message
    assert stored(store, CATEGORY, "sample") == LINES


def test_a_broken_source_ends_the_run_failed(sources: FaultServer, store_of: StoreOf) -> None:
    store = store_of(CATEGORY.department)
    url = sources.on("/sample", status(404))

    state = ingest_public_api_data_flow_dept_data_lake(_config(url), return_state=True)

    assert state.is_failed()
    assert "sample: SourceRejectedError" in (state.message or "")
    assert stored(store, CATEGORY, "sample") is None


def test_items_that_are_missing_end_the_run_failed(sources: FaultServer, store_of: StoreOf) -> None:
    store = store_of(CATEGORY.department)
    answer = file(ANSWER.replace(b"TOTAL", b"3"), Content_Type="application/json")

    state = ingest_public_api_data_flow_dept_data_lake(
        _config(sources.on("/sample", answer)), return_state=True
    )

    assert state.is_failed()
    assert stored(store, CATEGORY, "sample") is None
