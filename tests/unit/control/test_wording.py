"""How differences are told."""

import pytest
from pydantic import JsonValue

from airnub_prefect_starter.control.differences import Change, Difference
from airnub_prefect_starter.control.drift_report import drift_markdown
from airnub_prefect_starter.control.wording import (
    drift_lines,
    drift_total,
    plan_lines,
    plan_total,
    texts,
)

CHANGES = (
    Change("variable", "new", "create"),
    Change("deployment", "F/d", "update", (Difference("paused", True, False),)),
    Change("work queue", "airnub/gone", "delete"),
)


def test_a_plan_says_what_to_do() -> None:
    assert [*plan_lines(CHANGES), plan_total(CHANGES, 40)] == [
        "+ create  variable new",
        "~ update  deployment F/d",
        "    paused: true → false",
        "- destroy work queue airnub/gone",
        "Plan: 1 to create, 1 to update, 1 to destroy, 40 unchanged",
    ]


def test_drift_says_what_the_server_has() -> None:
    assert [*drift_lines(CHANGES), drift_total(CHANGES, 40)] == [
        "- missing variable new",
        "~ changed deployment F/d",
        "    paused: false in Git, true on the server",
        "+ extra   work queue airnub/gone",
        "Drift: 1 missing, 1 changed, 1 extra, 40 in sync",
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, "a", ("(none)", '"a"')),
        ("ü\n", {"b": 1, "a": 2}, ('"ü\\n"', '{"a": 2, "b": 1}')),
        ("x" * 100 + "1", "x" * 100 + "2", ('…xxxxxxxxxxxxxxx1"', '…xxxxxxxxxxxxxxx2"')),
        ("a", "b" * 100, ('"a"', '"' + 58 * "b" + "…")),
        ("y" * 100, None, ('"' + 58 * "y" + "…", "(none)")),
    ],
)
def test_values_are_json_and_long_ones_are_cut_where_they_differ(
    before: JsonValue, after: JsonValue, expected: tuple[str, str]
) -> None:
    assert texts(Difference("f", before, after)) == expected


def test_drift_as_markdown_has_a_row_per_value_and_escapes_it() -> None:
    edited = Change("variable", "v|x", "update", (Difference("value.a", "<b>", None),))

    text = drift_markdown("Drift", [*CHANGES, edited], 3)

    assert "**Drift: 1 missing, 2 changed, 1 extra, 3 in sync**" in text
    assert "| missing | variable new |  |  |  |" in text
    assert "| changed | deployment F/d | paused | false | true |" in text
    assert '| changed | variable v\\|x | value.a | (none) | "&lt;b&gt;" |' in text


def test_a_server_in_sync_needs_no_table() -> None:
    text = drift_markdown("Drift", [], 3)

    assert "**Drift: 0 missing, 0 changed, 0 extra, 3 in sync**" in text
    assert "|" not in text


def test_a_long_table_is_cut() -> None:
    many = [Change("variable", f"v{i}", "create") for i in range(60)]

    text = drift_markdown("Drift", many, 0)

    assert "v49" in text
    assert "v50" not in text
    assert "… and 10 rows more" in text
