"""Checks of numbers: each takes what was measured and its limits, and says what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from airnub_prefect_starter.common.clock import rfc3339
from airnub_prefect_starter.core.manifest_models import RowCounts
from airnub_prefect_starter.core.monitoring.config import (
    Freshness,
    PrefixWatch,
    SeriesWatch,
    Volume,
)
from airnub_prefect_starter.core.monitoring.results import CheckResult, Level
from airnub_prefect_starter.core.monitoring.statistics import MIN_HISTORY, robust_z


def check_absent(subject: str, what: str) -> CheckResult:
    """Report what should be there and is not: always critical."""
    return CheckResult(
        check="presence", subject=subject, level="critical", message=f"There is no {what}"
    )


def check_unreadable(subject: str, why: str) -> CheckResult:
    """Report what is there and cannot be checked, as a damaged table: always critical."""
    return CheckResult(check="reading", subject=subject, level="critical", message=why)


def check_freshness(
    subject: str, last: datetime, now: datetime, limits: Freshness, *, how: str = "written"
) -> CheckResult:
    """Compare the age of something, in hours, with its limits; both times are aware.

    A time in the future, as of a writer with a wrong clock, is a warning.
    """
    hours = (now - last) / timedelta(hours=1)
    level: Level = "ok"
    if hours > limits.critical_hours:
        level = "critical"
    elif hours > limits.warning_hours or hours < -1:
        level = "warning"
    reached = limits.critical_hours if level == "critical" else limits.warning_hours
    return CheckResult(
        check="freshness",
        subject=subject,
        level=level,
        value=round(hours, 2),
        threshold=reached,
        message=f"Last {how} {rfc3339(last)}, {hours:.1f} h ago (at most {reached:g} h)",
    )


def check_rows(subject: str, rows: int, limits: Volume) -> CheckResult:
    """Compare a number of rows with a fixed range; no rows at all is critical."""
    too_many = limits.max_rows is not None and rows > limits.max_rows
    too_few = rows < limits.min_rows
    level: Level = "ok"
    if too_few or too_many:
        level = "critical" if rows == 0 else "warning"
    upper = f" to {limits.max_rows:,}" if limits.max_rows else " or more"
    return CheckResult(
        check="volume",
        subject=subject,
        level=level,
        value=rows,
        threshold=limits.max_rows if too_many else limits.min_rows,
        message=f"{rows:,} rows (expected {limits.min_rows:,}{upper})",
    )


def check_newest_batch(
    subject: str, batches: Sequence[tuple[str, int]], limits: Volume
) -> CheckResult | None:
    """Compare the rows of the newest batch with those before it; None with fewer than 5."""
    earlier = [rows for _, rows in batches[:-1]][-limits.history :]
    if len(earlier) < MIN_HISTORY:
        return None
    name, rows = batches[-1]
    z = robust_z(rows, earlier)
    return CheckResult(
        check="volume",
        subject=subject,
        column=name,
        level="warning" if abs(z) > limits.robust_z else "ok",
        value=round(z, 2),
        threshold=limits.robust_z,
        message=f"Batch {name} has {rows:,} rows: robust z {z:+.1f} of {len(earlier)} before it",
    )


def check_nulls(
    subject: str, shares: Mapping[str, tuple[float, str]], limit: float, own: Mapping[str, float]
) -> list[CheckResult]:
    """Compare shares of nulls with limits: one result per bad column, or one that all are well.

    Args:
        subject: The table.
        shares: Column → the greatest share that a batch has, and that batch.
        limit: For columns without one of their own.
        own: Column → its own limit.
    """
    bad = [
        CheckResult(
            check="nulls",
            subject=subject,
            column=column,
            level="critical" if share == 1 else "warning",
            value=round(share, 4),
            threshold=own.get(column, limit),
            message=f"{share:.1%} of {column} is null in {batch} "
            f"(at most {own.get(column, limit):.0%})",
        )
        for column, (share, batch) in shares.items()
        if share > own.get(column, limit)
    ]
    if bad:
        return bad
    worst = max((share for share, _ in shares.values()), default=0.0)
    message = f"{len(shares)} columns within their limits; the most nulls: {worst:.1%}"
    return [CheckResult(check="nulls", subject=subject, value=round(worst, 4), message=message)]


def check_duplicates(
    subject: str, key: Sequence[str], rows: int, keys: int, limit: float
) -> CheckResult:
    """Compare the share of rows whose key another row has with its limit."""
    share = (rows - keys) / rows if rows else 0.0
    return CheckResult(
        check="duplicates",
        subject=subject,
        column=", ".join(key),
        level="warning" if share > limit else "ok",
        value=round(share, 4),
        threshold=limit,
        message=f"{rows - keys:,} of {rows:,} rows repeat a key (at most {limit:.0%})",
    )


def check_rejected(
    subject: str, batches: Mapping[str, RowCounts], limit: float
) -> list[CheckResult]:
    """Compare what contracts refused with its limit: a result per bad batch, or one for all."""
    shares = {
        batch: counts.rejected / counts.rows_in
        for batch, counts in batches.items()
        if counts.rows_in
    }
    bad = [
        CheckResult(
            check="rejected",
            subject=subject,
            column=batch,
            level="warning",
            value=round(share, 4),
            threshold=limit,
            message=f"{batches[batch].rejected:,} of {batches[batch].rows_in:,} rows of {batch} "
            f"are in quarantine (at most {limit:.1%})",
        )
        for batch, share in shares.items()
        if share > limit
    ]
    if bad:
        return bad
    rejected = sum(counts.rejected for counts in batches.values())
    message = f"{rejected:,} rows of {len(batches)} batches are in quarantine"
    return [CheckResult(check="rejected", subject=subject, value=rejected, message=message)]


def check_schema(
    subject: str, columns: Mapping[str, str], expected: Mapping[str, str]
) -> CheckResult:
    """Compare columns and types with those expected: a new one is a warning, less is critical."""
    added = [f"+{name} {kind}" for name, kind in columns.items() if name not in expected]
    removed = [f"-{name}" for name in expected if name not in columns]
    changed = [
        f"{name} {expected[name]} → {kind}"
        for name, kind in columns.items()
        if expected.get(name, kind) != kind
    ]
    level: Level = "critical" if removed or changed else "warning" if added else "ok"
    differences = [*removed, *changed, *added]
    message = ", ".join(differences) or f"The {len(columns)} columns of the reference"
    return CheckResult(
        check="schema",
        subject=subject,
        level=level,
        value=len(differences),
        threshold=0,
        message=message,
    )


def check_prefix(watch: PrefixWatch, objects: int, size_bytes: int) -> CheckResult:
    """Compare what is below a prefix with fixed ranges; an empty prefix is critical."""
    if objects == 0 and watch.min_objects > 0:
        return check_absent(watch.prefix, "object below this prefix")
    megabytes = size_bytes / 1e6
    too_big = watch.max_mb is not None and megabytes > watch.max_mb
    too_small = megabytes < watch.min_mb
    few = objects < watch.min_objects
    upper = f" to {watch.max_mb:g}" if watch.max_mb else " or more"
    return CheckResult(
        check="volume",
        subject=watch.prefix,
        level="warning" if too_big or too_small or few else "ok",
        value=round(megabytes, 6),
        threshold=watch.max_mb if too_big else watch.min_mb,
        message=f"{objects:,} objects (at least {watch.min_objects:,}), {megabytes:,.2f} MB "
        f"(expected {watch.min_mb:g}{upper})",
    )


def check_series(watch: SeriesWatch, points: Sequence[tuple[str, float]]) -> list[CheckResult]:
    """Find the newest points that are unlike those before them, or report that there are none."""
    outliers = [
        each for each in unusual(watch, points) if each[0] >= max(0, len(points) - watch.newest)
    ]
    results = [
        CheckResult(
            check="series",
            subject=watch.name,
            column=points[at][0],
            level="warning",
            value=round(z, 2),
            threshold=watch.robust_z,
            message=f"{points[at][0]}: {points[at][1]:,.4g}, robust z {z:+.1f}",
        )
        for at, z in outliers
    ]
    if results:
        return results
    judged = min(watch.newest, len(points))
    message = f"The newest {judged} of {len(points)} are like those before them"
    return [CheckResult(check="series", subject=watch.name, message=message)]


def unusual(watch: SeriesWatch, points: Sequence[tuple[str, float]]) -> list[tuple[int, float]]:
    """List every point, as its place and robust z, that is unlike earlier ones of its season."""
    found = []
    for at, (_, value) in enumerate(points):
        earlier = [v for _, v in points[at % watch.season : at : watch.season]][-watch.history :]
        z = robust_z(value, earlier) if len(earlier) >= MIN_HISTORY else 0.0
        if abs(z) > watch.robust_z:
            found.append((at, z))
    return found
