"""Differences: found where they are, and without secrets."""

import pytest
from pydantic import JsonValue

from airnub_prefect_starter.control.differences import MASK, Change, Difference, find_differences


def found(before: JsonValue, after: JsonValue) -> list[tuple[str, JsonValue, JsonValue]]:
    return [(each.field, each.before, each.after) for each in find_differences("v", before, after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (1, 2, [("v", 1, 2)]),
        (None, {"a": 1}, [("v", None, {"a": 1})]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [("v.a.c", 2, 3)]),
        ({"a": 1}, {"b": 1}, [("v.a", 1, None), ("v.b", None, 1)]),
        ({"x.y/z": 1}, {"x.y/z": 2}, [('v["x.y/z"]', 1, 2)]),
        # Values in a list belong together; objects in it are compared one by one.
        (["a", "b"], ["a"], [("v", ["a", "b"], ["a"])]),
        ([{"n": 1}, {"n": 2}], [{"n": 1}, {"n": 3}], [("v[1].n", 2, 3)]),
        ([{"n": 1}], [{"n": 1}, {"n": 2}], [("v[1]", None, {"n": 2})]),
        ([], [{"n": 1}], [("v[0]", None, {"n": 1})]),
        # A named item that is inserted does not move the others.
        (
            [{"source_id": "b", "url": "1"}],
            [{"source_id": "a", "url": "0"}, {"source_id": "b", "url": "2"}],
            [("v[b].url", "1", "2"), ("v[a]", None, {"source_id": "a", "url": "0"})],
        ),
        # Nothing inside differs: the order does, or a key with null.
        (
            [{"name": "a"}, {"name": "b"}],
            [{"name": "b"}, {"name": "a"}],
            [("v", [{"name": "a"}, {"name": "b"}], [{"name": "b"}, {"name": "a"}])],
        ),
        ({"a": None}, {}, [("v", {"a": None}, {})]),
        ({"a": 1}, [1], [("v", {"a": 1}, [1])]),
    ],
)
def test_the_innermost_values_that_differ_are_found(
    before: JsonValue, after: JsonValue, expected: list[tuple[str, JsonValue, JsonValue]]
) -> None:
    assert found(before, after) == expected


@pytest.mark.parametrize("name", ["SOURCES_TOKEN", "AWS_SECRET_ACCESS_KEY", "password", "api_key"])
def test_what_is_secret_by_its_name_is_masked(name: str) -> None:
    (inner,) = find_differences("env", {name: "hush"}, {name: "other"})
    (whole,) = find_differences("env", None, {"env": [{name: "hush"}]})

    assert (inner.before, inner.after) == (MASK, MASK)
    assert "hush" not in str(whole)


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        # As Kubernetes lists a container's environment.
        (
            [{"name": "API_TOKEN", "value": "s3cret"}],
            [{"name": "API_TOKEN", "value": "hush"}],
            "v[API_TOKEN].value",
        ),
        ([{"name": "API_TOKEN", "value": "s3cret"}], [], "v[API_TOKEN]"),
        ([{"name": "API_TOKEN", "value": "s3cret"}], None, "v"),
        ({"db.password": "s3cret"}, {"db.password": "hush"}, 'v["db.password"]'),
        ({"db.password": "s3cret"}, {}, 'v["db.password"]'),
        ({"password": {"text": "s3cret"}}, {"password": {"text": "hush"}}, "v.password"),
        ({"password": ["s3cret", 1]}, {"password": ["hush"]}, "v.password"),
        ({"password": {"text": "s3cret"}}, None, "v"),
        ({"api_key": 12345}, {}, "v.api_key"),
    ],
)
def test_secrets_are_masked_wherever_they_are(
    before: JsonValue, after: JsonValue, field: str
) -> None:
    forth, back = found(before, after), found(after, before)

    assert [each[0] for each in (*forth, *back)] == [field, field]
    for text in ("s3cret", "hush", "12345"):
        assert text not in f"{forth}{back}"
    assert MASK in str(forth)


def test_what_stands_beside_the_name_of_a_secret_is_shown() -> None:
    one: JsonValue = [{"name": "API_TOKEN", "from": "a", "value": ""}]
    other: JsonValue = [{"name": "API_TOKEN", "from": "b", "value": ""}]

    assert found(one, other) == [("v[API_TOKEN].from", "a", "b")]


@pytest.mark.parametrize("name", ["secret", "credentials_secret", "secret_name", "primary_key"])
def test_names_of_secrets_are_no_secrets(name: str) -> None:
    assert found({name: "airnub-s3"}, {name: "other"}) == [(f"v.{name}", "airnub-s3", "other")]


def test_credentials_in_addresses_are_left_out() -> None:
    (difference,) = find_differences("url", "https://me:hush@a.example/x", "https://a.example/y")

    assert difference.before == "https://a.example/x"


def test_a_change_names_the_fields_and_not_what_is_inside() -> None:
    differences = (
        Difference("value.a.b", 1, 2),
        Difference("value[0]", 1, 2),
        Difference("tags", ["a"], []),
    )

    change = Change("variable", "x", "update", differences)

    assert str(change) == "update variable x (value, tags)"
    assert str(Change("variable", "x", "delete")) == "delete variable x"
