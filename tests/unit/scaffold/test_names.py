from __future__ import annotations

import pytest

from airnub_prefect_starter.common.errors import ScaffoldError
from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.scaffold.names import check_classes, new_identifier

STAGE = Department("alpha", "Alpha").stage("ingestion")


@pytest.mark.parametrize("text", ["a", "x" * 40, "classes", "json_files", "data_1", "type_codes"])
@pytest.mark.parametrize("what", ["department", "stage", "category", "task", "flow stem"])
def test_names_that_may_be_given(text: str, what: str) -> None:
    assert new_identifier(text, what) == text


@pytest.mark.parametrize(
    ("text", "what", "reason"),
    [
        ("", "category", "not of the form"),
        ("x" * 41, "category", "has 41 characters"),
        ("Class", "category", "Use 'class_data'"),
        ("case", "task", "a Python keyword"),
        ("import", "stage", "a Python keyword"),
        ("email", "department", "a name of Python's own"),
        ("list", "task", "a name of Python's own"),
        ("ml", "department", "reserved"),
        ("config", "category", "reserved"),
        ("subflows", "category", "reserved"),
        ("schema", "category", "a name of Pydantic's own"),
        ("known-one", "stage", "another spelling of 'known_one'"),
        ("Known_One", "stage", "another spelling of 'known_one'"),
        ("known__one", "stage", "another spelling of 'known_one'"),
    ],
)
def test_names_that_mislead_or_collide(text: str, what: str, reason: str) -> None:
    with pytest.raises(ScaffoldError, match=reason) as caught:
        new_identifier(text, what, ["known_one"])

    assert caught.value.remedy


def test_a_name_that_exists_is_not_judged_again() -> None:
    assert new_identifier("json", "category", ["json"]) == "json"


@pytest.mark.parametrize(("what", "text"), [("stage", "etl"), ("task", "schema")])
def test_what_is_reserved_elsewhere_is_free_here(what: str, text: str) -> None:
    assert new_identifier(text, what) == text


@pytest.mark.parametrize(
    ("name", "owner"), [("data1", "category data_1"), ("ingestion", "stage ingestion")]
)
def test_two_classes_of_one_name_are_refused(name: str, owner: str) -> None:
    with pytest.raises(ScaffoldError, match=owner):
        check_classes(STAGE.category(name), [STAGE.category("data_1")])


def test_a_category_does_not_collide_with_itself() -> None:
    check_classes(STAGE.category("data_1", "load"), [STAGE.category("data_1")])
