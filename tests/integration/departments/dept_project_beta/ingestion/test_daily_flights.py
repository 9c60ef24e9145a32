"""What a run of the category stores, and how one with a broken source ends."""

from airnub_prefect_starter.core.sources import FileSource
from flows.dept_project_beta.ingestion.daily_flights.config import CATEGORY, DailyFlightsConfig
from flows.dept_project_beta.ingestion.daily_flights.download_daily_flights_flow_dept_project_beta import (  # noqa: E501
    download_daily_flights_flow_dept_project_beta,
)
from tests.fault_server import FaultServer, file, status
from tests.fetch_kit import LOOPBACK
from tests.integration.departments.kit import StoreOf, stored

BODY = b"code,name\nAA,American Airlines Inc.\n"


def _config(url: str) -> DailyFlightsConfig:
    source = FileSource(source_id="sample", url=url, media_type="text/csv", access=LOOPBACK)
    return DailyFlightsConfig(files=(source,))


def test_a_file_is_stored(sources: FaultServer, store_of: StoreOf) -> None:
    store = store_of(CATEGORY.department)
    url = sources.on("/sample.csv", file(BODY, Content_Type="text/csv"))

    state = download_daily_flights_flow_dept_project_beta(_config(url), return_state=True)

    assert state.is_completed(), state.message
    assert stored(store, CATEGORY, "sample") == BODY


def test_a_broken_source_ends_the_run_failed(sources: FaultServer, store_of: StoreOf) -> None:
    store = store_of(CATEGORY.department)
    url = sources.on("/sample.csv", status(404))

    state = download_daily_flights_flow_dept_project_beta(_config(url), return_state=True)

    assert state.is_failed()
    assert "sample: SourceRejectedError" in (state.message or "")
    assert stored(store, CATEGORY, "sample") is None
