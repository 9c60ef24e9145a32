from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter

from airnub_prefect_starter.demo.articles import articles, articles_csv


def test_the_articles_are_always_the_same() -> None:
    digest = hashlib.sha256(articles_csv()).hexdigest()

    assert digest == "148193fe350d914cce451b43478e7cb271ac2efb89cbaf626200e0050f5383f0"


def test_they_are_spread_as_promised() -> None:
    rows = articles()

    def mean(name: str) -> float:
        return sum(float(str(row[name])) for row in rows) / len(rows)

    assert len({row["id"] for row in rows}) == 1000
    assert len(Counter(row["category"] for row in rows)) == 5
    assert {row["author_id"] for row in rows} <= set(range(1, 100))
    assert 85 < mean("view_count") < 115
    assert 9.5 < mean("like_count") < 10.5
    assert 4.6 < mean("comment_count") < 5.4
    assert 4.7 < mean("reading_time_minutes") < 5.3
    assert 70 < sum(row["is_featured"] == "true" for row in rows) < 130


def test_the_csv_holds_them_in_order() -> None:
    rows = list(csv.DictReader(io.StringIO(articles_csv().decode())))

    assert [row["id"] for row in rows] == [str(number) for number in range(1, 1001)]
    assert rows[25]["publish_date"] == "2024-01-02T01:00:00Z"
