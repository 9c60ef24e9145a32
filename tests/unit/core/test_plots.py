from __future__ import annotations

import io

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from airnub_prefect_starter.core import summaries
from airnub_prefect_starter.core.plots import PLOTS
from airnub_prefect_starter.core.steps import PLOT_SUMMARIES, SUMMARY_TABLES
from airnub_prefect_starter.core.summaries import Tables

MONTHS = ["2013-01", "2013-01", "2013-02"]
SUMMARIES: Tables = {
    "flights_by_month_and_origin": pd.DataFrame(
        {"month": MONTHS, "origin": ["EWR", "JFK", "EWR"], "flights": [3, 2, 4]}
    ),
    "delays_by_hour": pd.DataFrame(
        {
            "hour": [1, 5, 6],
            "mean_delay_min": [np.nan, 1.5, 2.5],
            "median_delay_min": [np.nan, -1.0, 0.0],
        }
    ),
}


def test_configuration_knows_every_summary_and_plot() -> None:
    assert set(PLOT_SUMMARIES) == set(PLOTS)
    assert set(SUMMARY_TABLES) == set(summaries.SUMMARIES)


@pytest.mark.parametrize("name", PLOTS)
def test_plot_is_a_small_png_with_something_on_it(name: str) -> None:
    png = PLOTS[name](SUMMARIES)

    pixels = matplotlib.image.imread(io.BytesIO(png))
    assert pixels.shape == (462, 880, 4)
    assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 10
    assert len(png) < 100_000


@pytest.mark.parametrize("name", PLOTS)
def test_equal_tables_give_equal_bytes_without_dates_or_versions(name: str) -> None:
    first, second = PLOTS[name](SUMMARIES), PLOTS[name](SUMMARIES)

    assert first == second
    assert b"tEXt" not in first
    assert b"tIME" not in first


@pytest.mark.parametrize("name", PLOTS)
def test_nothing_to_show_is_still_a_plot(name: str) -> None:
    empty = {each: frame.iloc[:0] for each, frame in SUMMARIES.items()}

    assert PLOTS[name](empty).startswith(b"\x89PNG")
