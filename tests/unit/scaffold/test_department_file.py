from __future__ import annotations

import pytest
import yaml

from airnub_prefect_starter.common.errors import ScaffoldError
from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.scaffold.department_file import with_category, with_name

STAGE = Department("alpha", "Alpha").stage("ingestion")
NEW = STAGE.category("new")
SPEC = {"description": "It's new."}
ADDED = "      new:\n        description: It's new.\n"
STAGES = "stages:\n  ingestion:\n    categories:\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("owners: [a@b.ie]\n", f"owners: [a@b.ie]\n\n{STAGES}{ADDED}"),
        ("owners: [a@b.ie]", f"owners: [a@b.ie]\n\n{STAGES}{ADDED}"),
        ("stages: {}\n", f"{STAGES}{ADDED}"),
        ("stages:\n", f"{STAGES}{ADDED}"),
        ("stages: {}\nlimits: {a: 1}\n", f"{STAGES}{ADDED}limits: {{a: 1}}\n"),
        (f"{STAGES}      a: {{}}\n", f"{STAGES}      a: {{}}\n{ADDED}"),
        (f"{STAGES}      a: {{}}", f"{STAGES}      a: {{}}\n{ADDED}"),
        (f"{STAGES}      a: {{}} # c\n", f"{STAGES}      a: {{}} # c\n{ADDED}"),
        (
            f"{STAGES}      a: {{}}\n\n    on_success: [b]  # c\n\n# d\nlimits: {{}}\n",
            f"{STAGES}      a: {{}}\n{ADDED}\n    on_success: [b]  # c\n\n# d\nlimits: {{}}\n",
        ),
        (
            f"{STAGES}      a:\n        description: |\n          b\n          c\n\n\n",
            f"{STAGES}      a:\n        description: |\n          b\n          c\n{ADDED}\n\n",
        ),
        (
            "stages:\n    ingestion:\n        categories:\n            a: {}\n",
            "stages:\n    ingestion:\n        categories:\n            a: {}\n"
            "            new:\n              description: It's new.\n",
        ),
        (
            "stages:\n  other:\n    categories: {a: {}}\n# end\n",
            f"stages:\n  other:\n    categories: {{a: {{}}}}\n{STAGES[8:]}{ADDED}# end\n",
        ),
        (
            f"{STAGES}      é: {{}}\n  other:\n    categories:\n      b: {{}}\n",
            f"{STAGES}      é: {{}}\n{ADDED}  other:\n    categories:\n      b: {{}}\n",
        ),
    ],
)
def test_lines_are_inserted_and_nothing_else_moves(before: str, after: str) -> None:
    assert with_category(before, NEW, SPEC) == after
    assert with_category(after, NEW, SPEC) == after
    assert yaml.safe_load(after)["stages"]["ingestion"]["categories"]["new"] == SPEC


@pytest.mark.parametrize(
    "text",
    [
        "stages: {ingestion: {categories: {a: {}}}}\n",
        "stages:\n  ingestion: {categories: {a: {}}}\n",
        "stages:\n  ingestion:\n    categories: {a: {}}\n",
        "{owners: [a@b.ie]}\n",
    ],
)
def test_a_layout_without_lines_is_refused(text: str) -> None:
    with pytest.raises(ScaffoldError, match="no lines can be inserted") as caught:
        with_category(text, NEW, SPEC)

    assert "one key per line" in caught.value.remedy


@pytest.mark.parametrize(
    "entry", ["{description: Other.}", "{description: It's new., flow_stem: x}", "{}"]
)
def test_a_category_that_is_there_otherwise_is_refused(entry: str) -> None:
    with pytest.raises(ScaffoldError, match=r"alpha\.ingestion\.new exists"):
        with_category(f"{STAGES}      new: {entry}\n", NEW, SPEC)


@pytest.mark.parametrize(
    ("before", "name", "line"),
    [
        ("a: A\n", "New One", "new: New One\n"),
        ("# none\n{}\n", "New", "new: New\n"),
        ("a: A", "No", "new: 'No'\n"),
        ("a: A\n", "It's: new", 'new: "It\'s: new"\n'),
    ],
)
def test_a_name_is_added_below_the_others(before: str, name: str, line: str) -> None:
    after = with_name(before, "new", name)

    assert yaml.safe_load(after)["new"] == name
    assert after.startswith(before.replace("{}", "").rstrip("\n"))
    assert with_name(after, "new", name) == after
    assert yaml.safe_load(line) == {"new": name}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# {} means none\n{}\n", "# {} means none\n\nnew: New\n"),
        ("# é\n{\n}  # {}\n", "# é\n  # {}\nnew: New\n"),
        ("~\n", "\nnew: New\n"),
        ("# {}\n", "# {}\nnew: New\n"),
        ("", "new: New\n"),
    ],
)
def test_the_first_name_replaces_the_empty_mapping_only(before: str, after: str) -> None:
    assert with_name(before, "new", "New") == after
    assert yaml.safe_load(after) == {"new": "New"}


def test_a_department_of_another_name_is_refused() -> None:
    with pytest.raises(ScaffoldError, match="is called 'Old'"):
        with_name("new: Old\n", "new", "New")
