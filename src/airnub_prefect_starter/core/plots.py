"""Plots as PNG bytes; equal tables give equal bytes wherever the same lock is installed."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from airnub_prefect_starter.core.summaries import Tables

PNG = "image/png"
# Okabe and Ito's colours, which people with colour blindness can tell apart.
# Source: https://jfly.uni-koeln.de/color/
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_SETTINGS = threading.Lock()
# Any: matplotlib's stubs want the keys as one literal type of three hundred names.
_STYLE: dict[Any, object] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same glyphs on every machine
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
}


def plot_flights_by_month(tables: Tables) -> bytes:
    """Draw stacked bars of flights per month by origin, from ``flights_by_month_and_origin``."""
    summary = tables["flights_by_month_and_origin"]
    wide = summary.pivot_table(index="month", columns="origin", values="flights", fill_value=0)

    def draw(axes: Axes) -> None:
        below = pd.Series(0.0, index=wide.index)
        for colour, origin in zip(_cycle(len(wide.columns)), wide.columns, strict=True):
            axes.bar(list(wide.index), wide[origin], 0.75, below, label=str(origin), color=colour)
            below = below + wide[origin]
        axes.set_title("Flights from New York per month")
        axes.set_ylabel("flights")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.tick_params(axis="x", rotation=45)
        if len(wide):
            axes.legend(frameon=False, ncols=len(wide.columns), loc="upper right")
        axes.margins(x=0.03, y=0.18)

    return draw_png(draw)


def plot_delay_by_hour(tables: Tables) -> bytes:
    """Draw mean and median delay over the scheduled hour, from ``delays_by_hour``."""
    summary = tables["delays_by_hour"].dropna(subset="mean_delay_min")
    hours = summary["hour"].astype("int64")

    def draw(axes: Axes) -> None:
        axes.fill_between(hours, summary["mean_delay_min"], color=COLOURS[0], alpha=0.12)
        axes.plot(hours, summary["mean_delay_min"], "o-", color=COLOURS[0], label="mean")
        axes.plot(hours, summary["median_delay_min"], "s--", color=COLOURS[5], label="median")
        axes.set_title("Departure delay by scheduled hour")
        axes.set_xlabel("scheduled hour of departure, local time")
        axes.set_xticks(range(0, 25, 3))
        axes.set_ylabel("departure delay, minutes")
        axes.legend(frameon=False, loc="upper left")

    return draw_png(draw)


PLOTS: Mapping[str, Callable[[Tables], bytes]] = {
    "flights_by_month": plot_flights_by_month,
    "delay_by_hour": plot_delay_by_hour,
}


def _cycle(count: int) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(count)]


def draw_png(draw: Callable[[Axes], None]) -> bytes:
    """Give what a function draws on the axes of an empty figure, in this project's style."""
    # matplotlib's settings are global. The default ones first: a user's own file must not matter.
    with _SETTINGS, style.context(["default", _STYLE]):
        figure = Figure(figsize=(8, 4.2), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure.subplots())
        sink = io.BytesIO()
        # Without these, matplotlib writes its version into the file.
        figure.savefig(sink, format="png", metadata={"Software": None})
    return sink.getvalue()
