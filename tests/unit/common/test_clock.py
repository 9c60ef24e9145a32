from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from airnub_prefect_starter.common.clock import rfc3339, utc_now


def test_now_is_whole_seconds_of_utc() -> None:
    now = utc_now()

    assert now.tzinfo is UTC
    assert now.microsecond == 0


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00Z"),
        (datetime(2026, 1, 31, 1, tzinfo=timezone(timedelta(hours=2))), "2026-01-30T23:00:00Z"),
    ],
    ids=["utc", "other-zone"],
)
def test_formats_in_utc(moment: datetime, text: str) -> None:
    assert rfc3339(moment) == text


def test_refuses_a_time_without_zone() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        rfc3339(datetime(2026, 1, 31))  # noqa: DTZ001  that is the point
