"""The dashboard's plots; equal reports give equal bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from airnub_prefect_starter.core.monitoring.business import Figure
from airnub_prefect_starter.core.monitoring.results import ScoreLimits
from airnub_prefect_starter.core.monitoring.run_metrics import RunFacts, RunSummary
from airnub_prefect_starter.core.plots import COLOURS, draw_png

BLUE, ORANGE, GREEN, RED = COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[5]
_STATES = {"COMPLETED": GREEN, "FAILED": RED, "CRASHED": "#7a1f00", "CANCELLED": "#888888"}
_MOST_TICKS = 7


def score_trend(trend: Sequence[tuple[datetime, int]], limits: ScoreLimits) -> bytes:
    """Draw the health score of the newest runs over the thresholds."""

    def draw(axes: Axes) -> None:
        scores = [score for _, score in trend]
        axes.axhspan(limits.healthy, 103, color=GREEN, alpha=0.10, lw=0)
        axes.axhspan(limits.warning, limits.healthy, color=ORANGE, alpha=0.12, lw=0)
        axes.axhspan(0, limits.warning, color=RED, alpha=0.10, lw=0)
        axes.plot(range(len(scores)), scores, "o-", color=BLUE)
        _ticks(axes, [f"{at:%m-%d %H:%M}" for at, _ in trend])
        axes.set_ylim(0, 103)
        axes.set_title("Health score of the newest runs")

    return draw_png(draw)


def runs_by_day(runs: Sequence[RunFacts]) -> bytes:
    """Draw stacked bars of runs per UTC day by final state."""
    counts = Counter((f"{run.started_at:%Y-%m-%d}", run.state) for run in runs)
    days = sorted({day for day, _ in counts})

    def draw(axes: Axes) -> None:
        below = [0] * len(days)
        for state in sorted({state for _, state in counts}, key=[*_STATES].index):
            heights = [counts[day, state] for day in days]
            axes.bar(
                range(len(days)), heights, 0.6, below, color=_STATES[state], label=state.lower()
            )
            below = [a + b for a, b in zip(below, heights, strict=True)]
        _ticks(axes, days)
        axes.set_xlim(-0.8, max(len(days), 6) - 0.2)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title("Runs per day by how they ended")
        _legend_above(axes)

    return draw_png(draw)


def durations(summaries: Sequence[RunSummary]) -> bytes:
    """Draw the median and the 95th percentile of the duration of completed runs, in seconds."""
    return _pairs(
        "Duration, seconds",
        {
            each.subject: (each.p50_s, each.p95_s)
            for each in summaries
            if each.p50_s is not None and each.p95_s is not None
        },
        ("median", "95th percentile"),
    )


def memory(summaries: Sequence[RunSummary]) -> bytes:
    """Draw the peak memory of runs, and what their containers may use, in MiB."""
    mib = 1 << 20
    return _pairs(
        "Peak memory, MiB",
        {
            each.subject: (each.peak_memory_bytes / mib, (each.memory_limit_bytes or 0) / mib)
            for each in summaries
            if each.peak_memory_bytes
        },
        ("peak", "limit"),
    )


def business(figure: Figure) -> bytes:
    """Draw a series as a line with its outliers marked, or a ranking as bars."""
    return draw_png(_series(figure) if figure.kind == "series" else _ranking(figure))


def _series(figure: Figure) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        axes.plot(range(len(figure.values)), figure.values, "-", color=BLUE, linewidth=1.3)
        marked = figure.outliers
        axes.plot(
            marked,
            [figure.values[at] for at in marked],
            "o",
            color=RED,
            label="unusual",
        )
        if marked:
            _legend_above(axes)
        _ticks(axes, figure.labels)
        axes.set_title(_title(figure))
        axes.yaxis.set_major_formatter("{x:,.4g}" if max(figure.values) < 10 else "{x:,.0f}")

    return draw


def _ranking(figure: Figure) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        places = range(len(figure.values), 0, -1)
        bars = axes.barh(list(places), figure.values, 0.7, color=BLUE)
        axes.bar_label(bars, fmt="{:,.0f}", padding=3, color="#555555")
        axes.set_yticks(list(places), figure.labels)
        axes.grid(visible=False)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.margins(x=0.12)
        axes.set_title(_title(figure))

    return draw


def _pairs(title: str, values: Mapping[str, tuple[float, float]], names: tuple[str, str]) -> bytes:
    def draw(axes: Axes) -> None:
        places = [float(place) for place in range(len(values), 0, -1)]
        for shift, colour, name, at in ((0.19, BLUE, names[0], 0), (-0.19, ORANGE, names[1], 1)):
            widths = [pair[at] for pair in values.values()]
            if any(widths):
                where = [place + shift for place in places]
                bars = axes.barh(where, widths, 0.36, color=colour, label=name)
                axes.bar_label(bars, fmt="{:,.1f}", padding=3, color="#555555", fontsize=8)
        axes.set_yticks(places, list(values))
        axes.grid(visible=False)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.margins(x=0.12)
        axes.set_title(title)
        # Few bars keep the width of many.
        axes.set_ylim(min(0.4, len(values) - 4.4), len(values) + 0.6)
        _legend_above(axes)

    return draw_png(draw)


def _title(figure: Figure) -> str:
    return f"{figure.name}, {figure.unit}" if figure.unit else figure.name


def _legend_above(axes: Axes) -> None:
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=4)


def _ticks(axes: Axes, labels: Sequence[str]) -> None:
    step = max(1, -(-len(labels) // _MOST_TICKS))
    axes.set_xticks(range(0, len(labels), step), labels[::step])
