"""What a run of the category stores, and how one with a broken source ends."""

import pytest

from airnub_prefect_starter.core.churn.columns import SPLITS
from airnub_prefect_starter.core.churn.sources import read_columns
from airnub_prefect_starter.core.churn.splits import to_csv
from airnub_prefect_starter.core.churn.steps import SplitStep
from airnub_prefect_starter.core.churn.synthetic import customers_csv
from airnub_prefect_starter.core.derivation import read_inputs
from airnub_prefect_starter.core.sources import FileSource
from flows.dept_customer_churn.ingestion.customer_data.config import CATEGORY, CustomerDataConfig
from flows.dept_customer_churn.ingestion.customer_data.ingest_customer_data_flow_dept_customer_churn import (  # noqa: E501
    ingest_customer_data_flow_dept_customer_churn,
)
from tests.fault_server import FaultServer, file, status
from tests.fetch_kit import LOOPBACK
from tests.integration.departments.kit import StoreOf, stored

TABLE = customers_csv(count=20)


def _config(url: str) -> CustomerDataConfig:
    return CustomerDataConfig(
        files=tuple(
            FileSource(source_id=name, url=url, media_type="text/csv", access=LOOPBACK)
            for name in ("telco", "partner_feed")
        ),
        splits=tuple(
            SplitStep(source_id=name, input=f"{CATEGORY.namespace}/telco") for name in SPLITS
        ),
    )


def test_a_table_is_stored_and_split(sources: FaultServer, store_of: StoreOf) -> None:
    store = store_of(CATEGORY.department)
    url = sources.on("/telco.csv", file(TABLE, Content_Type="text/csv"))

    state = ingest_customer_data_flow_dept_customer_churn(_config(url), return_state=True)

    assert state.is_completed(), state.message
    assert stored(store, CATEGORY, "telco") == stored(store, CATEGORY, "partner_feed") == TABLE
    for name, columns in SPLITS.items():
        (found,) = read_inputs(store, [f"{CATEGORY.namespace}/{name}"])
        assert store.read_blob(found.blob) == to_csv(read_columns(TABLE, columns, name))


@pytest.mark.parametrize(
    ("body", "said"),
    [(None, "telco: SourceRejectedError"), (b"a,b\n1,2\n", "customers: PayloadError")],
)
def test_a_broken_source_ends_the_run_failed(
    body: bytes | None, said: str, sources: FaultServer, store_of: StoreOf
) -> None:
    store = store_of(CATEGORY.department)
    answer = status(404) if body is None else file(body, Content_Type="text/csv")
    url = sources.on("/telco.csv", answer)

    state = ingest_customer_data_flow_dept_customer_churn(_config(url), return_state=True)

    assert state.is_failed()
    assert said in (state.message or "")
    assert store.ref(CATEGORY.namespace, "customers") is None
