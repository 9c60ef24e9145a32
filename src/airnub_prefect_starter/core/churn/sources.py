"""The sources of the churn table as rows: read from the store, and the parts put together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import pandas as pd

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.churn.columns import KEY, NAMES, columns_of
from airnub_prefect_starter.core.churn.telco import text_schema
from airnub_prefect_starter.core.data_cleaning import content_of
from airnub_prefect_starter.core.manifest_models import DerivedInput
from airnub_prefect_starter.core.readers import read_csv_bytes
from airnub_prefect_starter.core.store import Store


def read_source(store: Store, given: DerivedInput) -> pd.DataFrame:
    """Read a source as text, the columns that its name stands for.

    Raises:
        PayloadError: It is no CSV, or a column is missing; the message names both. No retry.
        StoreError: The store cannot be read.
    """
    columns = columns_of(given.source_id)
    return read_columns(content_of(store, given), columns, f"{given.namespace}/{given.source_id}")


def read_columns(raw: bytes, columns: tuple[str, ...], name: str) -> pd.DataFrame:
    """Read some columns of a CSV as text, values as received.

    Args:
        raw: CSV with a header.
        columns: Which to read, in this order.
        name: How messages call it.

    Raises:
        PayloadError: It is no CSV, or a column is missing; the message names both. No retry.
    """
    try:
        return read_csv_bytes(raw, text_schema(columns))
    except PayloadError as error:
        raise PayloadError(f"{name}: {error.message}", error.remedy) from error


def merge_parts(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Join the parts by customer into the whole table, its columns in the published order.

    Only customers that all parts have are in it.
    """
    joined = reduce(lambda left, right: left.merge(right, on=KEY), parts.values())
    return joined[list(NAMES)]
