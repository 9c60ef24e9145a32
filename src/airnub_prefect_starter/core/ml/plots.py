"""What a training and a drift check show at a glance, as PNG bytes; equal input, equal bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from sklearn.metrics import roc_curve

from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.ml.evaluation import Evaluation
from airnub_prefect_starter.core.ml.rows import labels
from airnub_prefect_starter.core.ml.training import SCORE, Training
from airnub_prefect_starter.core.plots import COLOURS, draw_png

BLUE, ORANGE, GREEN, RED = COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[5]
_GREY = "#888888"
_MOST_FEATURES, _MOST_VALUES = 12, 6
_SQUARE = 0.02


def draw_training(training: Training, spec: ModelSpec) -> dict[str, bytes]:
    """Draw every plot of a training: name → PNG."""
    drawn = {
        "roc": plot_roc(training, spec.target),
        "calibration": plot_calibration(training.evaluation),
        "importance": plot_importance(training.evaluation.importance),
    }
    if spec.segments:
        drawn = {"segments": plot_segments(training.rows, spec), **drawn}
    return drawn


def plot_segments(rows: pd.DataFrame, spec: ModelSpec) -> bytes:
    """Draw the share of positives by value of each segment's column, over that of all rows."""
    positive = pd.Series(labels(rows, spec), index=rows.index)
    bars: list[tuple[str, float, str]] = []
    for number, column in enumerate(spec.segments):
        shares = positive.groupby(rows[column].astype(str)).agg(["mean", "size"])
        shown = shares.sort_values("mean", ascending=False).head(_MOST_VALUES)
        colour = COLOURS[number % len(COLOURS)]
        for value, share, size in shown.itertuples():
            bars.append((f"{column}: {value} ({size:,})", 100 * float(share), colour))

    def draw(axes: Axes) -> None:
        places = list(range(len(bars), 0, -1))
        drawn = axes.barh(
            places, [share for _, share, _ in bars], 0.72, color=[colour for *_, colour in bars]
        )
        axes.bar_label(drawn, fmt="{:.1f} %", padding=3, color="#555555", fontsize=8)
        axes.axvline(100 * positive.mean(), color=_GREY, linestyle="--", linewidth=1)
        axes.set_yticks(places, [label for label, *_ in bars], fontsize=8)
        axes.set_title(f"{spec.target} by segment, and of all rows (dashed)")
        axes.margins(x=0.1)
        axes.set_xlabel(f"share of {spec.target} {spec.positive!r}, percent (rows in brackets)")
        _horizontal(axes)

    return draw_png(draw)


def plot_roc(training: Training, target: str) -> bytes:
    """Draw the ROC curve of each candidate on the rows held out."""
    evaluation, scores = training.evaluation, training.scores

    def draw(axes: Axes) -> None:
        for number, each in enumerate(evaluation.candidates):
            false, true, _ = roc_curve(scores[target], scores[f"{SCORE}{each.name}"])
            chosen = each.name == evaluation.winner
            axes.plot(
                false,
                true,
                color=_GREY if each.kind == "dummy" else COLOURS[number % len(COLOURS)],
                linewidth=2.2 if chosen else 1.2,
                linestyle="--" if each.kind == "dummy" else "-",
                label=f"{each.name} {each.test.auc:.3f}{' (best)' if chosen else ''}",
            )
        axes.set_title("ROC on the rows held out, with the area under each curve")
        axes.set_xlabel("share of negatives called positive")
        axes.set_ylabel("share of positives found")
        axes.set_xlim(-_SQUARE, 1 + _SQUARE)
        axes.set_ylim(-_SQUARE, 1 + _SQUARE)
        axes.legend(frameon=False, loc="lower right")

    return draw_png(draw)


def plot_calibration(evaluation: Evaluation) -> bytes:
    """Draw what the best candidate predicts by tenth of the rows, against what was so."""
    bins = evaluation.best.test.calibration

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], "--", color=_GREY, linewidth=1, label="perfect")
        axes.plot(
            [each.predicted for each in bins],
            [each.observed for each in bins],
            "o-",
            color=BLUE,
            label=f"{evaluation.winner}, Brier {evaluation.best.test.brier:.3f}",
        )
        top = max(0.1, *(max(each.predicted, each.observed) for each in bins)) * 1.08
        axes.set_xlim(0, top)
        axes.set_ylim(0, top)
        axes.set_title("Calibration: a tenth of the rows held out per point")
        axes.set_xlabel("mean predicted probability")
        axes.set_ylabel("share of positives")
        axes.legend(frameon=False, loc="upper left")

    return draw_png(draw)


def plot_importance(importance: Mapping[str, float]) -> bytes:
    """Draw how much AUC is lost when a feature is shuffled, for the features that matter most."""
    shown = list(importance.items())[:_MOST_FEATURES][::-1]

    def draw(axes: Axes) -> None:
        axes.barh([name for name, _ in shown], [value for _, value in shown], color=GREEN)
        axes.set_title("Importance: AUC that is lost when a feature is shuffled")
        axes.set_xlabel("loss of AUC on the rows held out")
        _horizontal(axes)

    return draw_png(draw)


def plot_drift(values: Mapping[str, float], warning: float, alert: float) -> bytes:
    """Draw the stability index (PSI) of each column beside the limits; the greatest first.

    Args:
        values: Column → PSI.
        warning: From which on a change is noticeable.
        alert: From which on it is large.
    """
    shown = sorted(values.items(), key=lambda pair: (pair[1], pair[0]))[-2 * _MOST_FEATURES :]

    def draw(axes: Axes) -> None:
        heights = [value for _, value in shown]
        colours = [_level_colour(value, warning, alert) for value in heights]
        axes.barh([name for name, _ in shown], heights, color=colours)
        axes.axvline(warning, color=ORANGE, linestyle="--", linewidth=1, label=f"{warning:g}")
        axes.axvline(alert, color=RED, linestyle="--", linewidth=1, label=f"{alert:g}")
        # One column that has moved by much would leave no room for the others.
        axes.set_xscale("symlog", linthresh=alert)
        axes.set_xlim(0, max(2 * alert, *heights, 0) * 1.1)
        ticks = [0, warning, alert, *_round_ticks(max([*heights, 0]), alert)]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.tick_params(axis="y", labelsize=8)
        axes.set_title("Drift against the training rows")
        axes.set_xlabel("population stability index (PSI)")
        axes.legend(frameon=False, loc="lower right", title="limits")
        _horizontal(axes)

    return draw_png(draw)


def _level_colour(value: float, warning: float, alert: float) -> str:
    if value >= alert:
        return RED
    return ORANGE if value >= warning else BLUE


def _round_ticks(top: float, above: float) -> Sequence[float]:
    return [float(tick) for tick in (0.5, 1, 2, 5, 10) if above < tick <= np.ceil(top)]


def _horizontal(axes: Axes) -> None:
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
