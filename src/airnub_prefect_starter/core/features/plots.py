"""What the features show at a glance, as PNG bytes."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from airnub_prefect_starter.core.features.articles import Groups
from airnub_prefect_starter.core.features.tfidf import COLUMN_PREFIX
from airnub_prefect_starter.core.plots import COLOURS, draw_png

_TERMS = 15


def draw_features(groups: Groups) -> Mapping[str, bytes]:
    """Draw every plot: name → PNG."""
    return {
        "engagement_by_hour": plot_engagement_by_hour(groups),
        "heaviest_terms": plot_heaviest_terms(groups),
    }


def plot_engagement_by_hour(groups: Groups) -> bytes:
    """Draw the mean engagement score by hour of publication, weekdays and weekends apart."""
    when = groups["temporal"]
    rows = pd.DataFrame(
        {
            "hour": when["publish_hour"],
            "weekend": when["is_weekend"],
            "score": groups["engagement"]["engagement_score"],
        }
    )

    def draw(axes: Axes) -> None:
        for weekend, name, colour in (
            (False, "weekday", COLOURS[0]),
            (True, "weekend", COLOURS[1]),
        ):
            means = rows[rows["weekend"] == weekend].groupby("hour")["score"].mean()
            axes.plot(means.index, means, "o-", color=colour, label=name)
        axes.set_title("Engagement by hour of publication")
        axes.set_xlabel("hour of publication, UTC")
        axes.set_xticks(range(0, 25, 3))
        axes.set_ylabel("mean engagement score")
        axes.legend(frameon=False, loc="upper left")

    return draw_png(draw)


def plot_heaviest_terms(groups: Groups) -> bytes:
    """Draw the terms of the greatest mean TF-IDF."""
    means = groups["tfidf"].mean().nlargest(_TERMS)[::-1]
    terms = [str(name).removeprefix(COLUMN_PREFIX).replace("_", " ") for name in means.index]

    def draw(axes: Axes) -> None:
        axes.barh(terms, means, color=COLOURS[2])
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x")
        axes.set_title("Terms that weigh most")
        axes.set_xlabel("mean TF-IDF over all articles")

    return draw_png(draw)
