from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airnub_prefect_starter.core.manifest_models import canonical_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda each: st.lists(each) | st.dictionaries(st.text(st.characters(codec="utf-8")), each),
    max_leaves=20,
)


@given(VALUES)
def test_round_trips(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(VALUES)
def test_has_one_form(value: Any) -> None:
    data = canonical_json(value)
    assert canonical_json(json.loads(data)) == data


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers()))
def test_does_not_depend_on_the_order_of_keys(value: dict[str, int]) -> None:
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


@given(st.floats())
def test_refuses_floats_at_any_depth(value: float) -> None:
    with pytest.raises(TypeError):
        canonical_json({"a": [{"b": value}]})
