from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airnub_prefect_starter.core.data_cleaning import clean
from airnub_prefect_starter.core.lake.contracts import cast, check
from airnub_prefect_starter.core.lake.refining import refine
from airnub_prefect_starter.core.lake.report import tables_markdown
from airnub_prefect_starter.core.lake.snapshots import BatchCounts, TablePart, TableSnapshot
from airnub_prefect_starter.core.lake.steps import BATCH, BLOB, ROW, SilverStep
from airnub_prefect_starter.core.table_schema import Column, TableSchema

SCHEMA = TableSchema(
    columns=(
        Column(name="id", dtype="int", minimum=1, maximum=9),
        Column(name="share", dtype="float", nullable=True, minimum=0, maximum=1),
        Column(name="origin", dtype="string", allowed=("EWR", "JFK")),
        Column(name="ok", dtype="bool", nullable=True),
        Column(name="day", dtype="date", nullable=True),
        Column(name="at", dtype="timestamp", nullable=True),
    ),
    key=("id",),
)
GOOD = ("1", "0.5", "EWR", "true", "2013-01-31", "2013-01-31T05:00:00Z")
DIGEST = f"sha256:{0:064}"


def _raw(*rows: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=SCHEMA.names, dtype="str")


def _but(**changes: str) -> tuple[str, ...]:
    return tuple({**dict(zip(SCHEMA.names, GOOD, strict=True)), **changes}.values())


def _problems(*rows: tuple[str, ...]) -> list[tuple[object, ...]]:
    typed, of_types = cast(_raw(*rows), SCHEMA)
    found = [of_types, check(typed, SCHEMA)]
    return [row for each in found for row in each.itertuples(index=False, name=None)]


def test_good_rows_have_no_problem_and_their_types() -> None:
    typed, problems = cast(_raw(GOOD, _but(share="NA", ok="", day="", at="")), SCHEMA)

    assert problems.empty
    assert check(typed, SCHEMA).empty
    kinds = ["Int64", "float64", "str", "boolean", "date32[day][pyarrow]", "datetime64[us, UTC]"]
    assert [str(kind) for kind in typed.dtypes] == kinds


@pytest.mark.parametrize(
    ("row", "column", "rule"),
    [
        (_but(id="0"), "id", "greater_than_or_equal_to(1)"),
        (_but(id="10"), "id", "less_than_or_equal_to(9)"),
        (_but(id="x"), "id", "is not a whole number of at most 18 digits"),
        (_but(id=""), "id", "not_nullable"),
        (_but(share="1.01"), "share", "less_than_or_equal_to(1.0)"),
        (_but(share="inf"), "share", "is not a finite decimal number"),
        (_but(origin="LGA"), "origin", "isin(['EWR', 'JFK'])"),
        (_but(ok="maybe"), "ok", "is not true, false, 1 or 0"),
        (_but(day="2013-02-30"), "day", "is not a date such as 2013-01-31"),
        (_but(at="2013-01-31"), "at", "is not a time with a zone such as 2013-01-31T05:00:00Z"),
    ],
)
def test_each_broken_rule_is_named(row: tuple[str, ...], column: str, rule: str) -> None:
    found = _problems(GOOD, row)

    assert (1, column, rule) in [problem[:3] for problem in found]
    assert {problem[0] for problem in found} == {1}


CELLS = st.sampled_from(["1", "2", "0", "x", "", "NA", "0.5", "EWR", "LGA", "true", "2013-01-31"])
STEP = SilverStep(name="t", contract=SCHEMA)


@given(st.lists(st.tuples(*[CELLS] * len(SCHEMA.columns)), max_size=12))
@settings(max_examples=10, deadline=None)
def test_a_contract_keeps_the_rows_that_cleaning_keeps(rows: list[tuple[str, ...]]) -> None:
    raw = _raw(*rows)
    raw.index = pd.RangeIndex(1, len(raw) + 1, name="row")
    cleaned = clean(raw, SCHEMA)
    lines = raw.assign(**{BATCH: "b", BLOB: DIGEST, ROW: range(1, len(raw) + 1)})  # type: ignore[arg-type]

    refined = refine(lines, STEP, {}, DIGEST)

    assert refined.counts.reconciles()
    assert refined.counts.rejected == cleaned.counts.rejected
    kept = refined.accepted.sort_values("id", ignore_index=True)[SCHEMA.names]
    pd.testing.assert_frame_equal(kept, cleaned.accepted, check_dtype=False)


def test_a_burst_of_missing_values_is_rejected_row_by_row() -> None:
    rows = [_but(id=str(number), origin="" if number > 5 else "JFK") for number in range(1, 10)]
    lines = _raw(*rows).assign(**{BATCH: "b", BLOB: DIGEST, ROW: range(1, 10)})  # type: ignore[arg-type]

    refined = refine(lines, STEP, {}, DIGEST)

    assert refined.counts.rejected_by == {"origin: not_nullable": 4}
    assert refined.rejected[ROW].tolist() == [6, 7, 8, 9]
    assert len(refined.accepted) == 5


def test_what_sources_say_is_shown_as_text() -> None:
    counts = BatchCounts(
        rows_in=3,
        rows_out=2,
        rejected=1,
        duplicates=0,
        source=DIGEST,
        rejected_by={"<b>|x: is missing": 1},
    )
    snapshot = TableSnapshot(
        table="silver/t",
        version=3,
        rows=2,
        columns={"id": "long"},
        key=("id",),
        digest=DIGEST,
        parts={"f-01": TablePart(rows=2, digest=DIGEST)},
        batches={"f-01": counts, "f-02": counts},
        changes=("f-01 added <script>",),
    )

    shown = tables_markdown("Refine", [snapshot])

    assert "| silver/t | 3 | 2 | 1 | id | `000000000000` |" in shown
    assert r"&lt;b&gt;\|x: is missing | 2 | 2 | in quarantine/t" in shown
    assert "<script>" not in shown
