from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from airnub_prefect_starter.core.data_cleaning import clean
from airnub_prefect_starter.core.features.articles import ARTICLES, split
from airnub_prefect_starter.core.readers import read_csv_bytes
from airnub_prefect_starter.demo.articles import articles_csv


@pytest.fixture(scope="session")
def articles() -> pd.DataFrame:
    """Give a thousand articles as cleaning leaves them."""
    return clean(read_csv_bytes(articles_csv(), ARTICLES), ARTICLES).accepted


@pytest.fixture(scope="session")
def training(articles: pd.DataFrame) -> pd.Series[Any]:
    return split(articles, 80)
