"""A small lake to monitor: one gold table, runs that fail or do not, and the limits of writers."""

from collections.abc import Iterator

import pandas as pd
import pytest

from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.writing import WriteInfo, overwrite
from airnub_prefect_starter.core.manifest_models import RunInfo
from airnub_prefect_starter.core.store import Store
from flows.dept_data_lake import DEPARTMENT
from tests.integration.departments.kit import StoreOf, limits_of

LIMITS = ("ops_alerts", "ops_flow_runs", "ops_health")
INFO = WriteInfo(run=RunInfo(), inputs=f"sha256:{'0' * 64}")


@pytest.fixture
def limits(prefect_server: None) -> Iterator[None]:
    with limits_of(DEPARTMENT, *LIMITS):
        yield


@pytest.fixture
def store(limits: None, store_of: StoreOf) -> Store:
    """Give a store with the table ``gold/days``: nine days with nearly equal numbers of flights."""
    store = store_of(DEPARTMENT)
    put_days(store, [900, 910, 905, 890, 915, 900, 908, 903, 899])
    return store


def put_days(store: Store, flights: list[int]) -> None:
    days = pd.DataFrame({"day": range(len(flights)), "flights": flights})
    overwrite(Lake.of(store), "gold/days", days, INFO)
