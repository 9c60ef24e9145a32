"""What people see of a lake: failures first, and text of others as text."""

from __future__ import annotations

from airnub_prefect_starter.core.lake.maintenance import Maintained
from airnub_prefect_starter.core.lake.shown import (
    maintenance_markdown,
    travels_markdown,
    warehouse_markdown,
)
from airnub_prefect_starter.core.lake.time_travel import Travel
from airnub_prefect_starter.core.lake.warehouse import Publication

DIGEST = f"sha256:{'a' * 64}"


def test_the_warehouse_shows_rows_and_failures() -> None:
    published = Publication(
        name="days", outcome="stored", version=3, rows=1095, table_digest=DIGEST
    )

    shown = warehouse_markdown("postgresql://db/lake", [published], {"routes": "<b>down</b>"})

    assert "| `days` | stored | 3 | 1,095 |" in shown
    assert "- **`routes` failed:** &lt;b&gt;down&lt;/b&gt;" in shown


def test_maintenance_shows_files_before_and_after() -> None:
    done = Maintained(
        table="silver/days", version=4, files_before=12, files_after=3, bytes_before=5000,
        bytes_after=2000, joined=9, removed=8, applied=False, kept=(0, 2), log_cleaned=False,
    )  # fmt: skip

    shown = maintenance_markdown([done], {})

    assert "12 → 3" in shown
    assert "8 would go" in shown
    assert "| 0, 2 |" in shown
    assert "failed" not in shown


def test_a_past_that_cannot_be_told_says_why() -> None:
    shown = travels_markdown([Travel("gold/days", None, "has had one version only")])

    assert "- `gold/days`: has had one version only" in shown
