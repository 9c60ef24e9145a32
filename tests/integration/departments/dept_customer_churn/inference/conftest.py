"""A store with features of 600 made-up customers, a champion, and the limits of writers."""

from collections.abc import Iterator

import pytest

from airnub_prefect_starter.core.store import Store
from flows.dept_customer_churn import DEPARTMENT
from tests.integration.departments.kit import StoreOf, limits_of
from tests.model_kit import prepared, put_champion, put_features, with_features

LIMITS = ("gold_churn_scores", "ops_alerts")


@pytest.fixture
def limits(prefect_server: None) -> Iterator[None]:
    with limits_of(DEPARTMENT, *LIMITS):
        yield


@pytest.fixture
def store(limits: None, store_of: StoreOf) -> Store:
    store = store_of(DEPARTMENT)
    features = with_features(prepared(600))
    put_features(store, features)
    put_champion(store, features)
    return store
