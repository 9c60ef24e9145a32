"""A store with features of 600 made-up customers, a champion, and the limits of writers."""

from collections.abc import Iterator

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate

from airnub_prefect_starter.core.store import Store
from flows.dept_customer_churn import DEPARTMENT
from tests.integration.departments.kit import StoreOf
from tests.model_kit import prepared, put_champion, put_features, with_features

LIMITS = ("gold_churn_scores", "ops_alerts")


@pytest.fixture
def limits(prefect_server: None) -> Iterator[None]:
    names = [f"{DEPARTMENT.id}.{name}" for name in LIMITS]
    with get_client(sync_client=True) as client:
        for name in names:
            client.create_global_concurrency_limit(
                GlobalConcurrencyLimitCreate(name=name, limit=1, active=True)
            )
        yield
        for name in names:
            client.delete_global_concurrency_limit_by_name(name)


@pytest.fixture
def store(limits: None, store_of: StoreOf) -> Store:
    store = store_of(DEPARTMENT)
    features = with_features(prepared(600))
    put_features(store, features)
    put_champion(store, features)
    return store
