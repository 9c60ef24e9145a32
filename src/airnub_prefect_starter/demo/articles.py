"""A thousand made-up articles: the same on every machine, and with something to learn in them.

Only the stream of `random.Random` is used, which Python promises to keep; what it is not promised
to keep (how numbers become distributions) is computed here.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import NormalDist

from airnub_prefect_starter.demo.data import Row

COUNT = 1000
SEED = 42
AUTHORS = 99
FEATURED_SHARE = 0.1
MEAN_VIEWS, MEAN_LIKES, MEAN_COMMENTS = 100, 10, 5
FIRST_PUBLISHED = datetime(2024, 1, 1, tzinfo=UTC)

_READING_MINUTES = NormalDist(5, 2)
_WORDS = {
    "technology": "software chip network robot cloud sensor battery database compiler router",
    "business": "market profit startup merger customer revenue contract supplier budget investor",
    "science": "telescope genome experiment particle climate fossil vaccine orbit protein theory",
    "sports": "season champion stadium coach marathon league penalty training medal record",
    "entertainment": "festival album director premiere comedy orchestra novel actor stage studio",
}
_COMMON = "new early open local small global quiet strong recent daily public final"
_VERBS = "changes explains replaces improves surprises divides connects follows"
_ENDINGS = (".", ".", ".", "?", "!")


def articles() -> list[Row]:
    """Make the articles, one an hour, in order of ``id``."""
    random = Random(SEED)  # noqa: S311 - sample data, not a secret
    return [_article(random, number) for number in range(1, COUNT + 1)]


def articles_csv() -> bytes:
    """Make the articles as CSV with a header."""
    rows = articles()
    sink = io.StringIO()
    writer = csv.DictWriter(sink, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode()


def _article(random: Random, number: int) -> Row:
    category = _choice(random, list(_WORDS))
    published = FIRST_PUBLISHED + timedelta(hours=number - 1)
    return {
        "id": number,
        "title": _sentence(random, category),
        "body": " ".join(_sentence(random, category) for _ in range(_between(random, 2, 20))),
        "category": category,
        "author_id": _between(random, 1, AUTHORS),
        "publish_date": published.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "view_count": int(-MEAN_VIEWS * math.log(1 - random.random())),
        "like_count": _poisson(random, MEAN_LIKES),
        "comment_count": _poisson(random, MEAN_COMMENTS),
        "is_featured": "true" if random.random() < FEATURED_SHARE else "false",
        "reading_time_minutes": _reading_minutes(random),
    }


def _sentence(random: Random, category: str) -> str:
    words, common = _WORDS[category].split(), _COMMON.split()
    parts = [
        _choice(random, common),
        _choice(random, words),
        _choice(random, _VERBS.split()),
        *(_choice(random, [*words, *common]) for _ in range(_between(random, 1, 6))),
    ]
    return " ".join(parts).capitalize() + _choice(random, _ENDINGS)


def _choice(random: Random, values: Sequence[str]) -> str:
    return values[int(random.random() * len(values))]


def _between(random: Random, least: int, most: int) -> int:
    return least + int(random.random() * (most - least + 1))


def _poisson(random: Random, mean: float) -> int:
    """Count the factors that fit into a product (Knuth, The Art of Computer Programming, 3.4.1)."""
    limit, product, count = math.exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count


def _reading_minutes(random: Random) -> float:
    # The distribution has no value for 0, which `random` may give.
    minutes = _READING_MINUTES.inv_cdf(max(random.random(), 1e-12))
    return round(min(max(minutes, 1.0), 30.0), 2)
