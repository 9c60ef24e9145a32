from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airnub_prefect_starter.common.errors import ConfigError, UnknownNameError
from airnub_prefect_starter.common.identifiers import (
    kebab,
    nearest,
    parse_identifier,
    suggest_identifier,
    title,
    unknown,
)
from tests.identifier_kit import identifiers


@given(identifiers)
def test_valid_identifiers_are_kept(text: str) -> None:
    assert parse_identifier(text) == text


@given(st.text(max_size=120))
def test_suggestion_is_always_valid(text: str) -> None:
    assert parse_identifier(suggest_identifier(text))


@given(identifiers)
def test_a_valid_identifier_is_its_own_suggestion(text: str) -> None:
    assert suggest_identifier(text) == text


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("Project-Alpha", "Use 'project_alpha'"),
        ("2nd", "Use 'n2nd'"),
        ("a__b", "Use 'a_b'"),
        ("a_", "Use 'a'"),
        ("", "Use 'name'"),
        ("class", "Use class_data, for example"),
        ("a" * 41, "Use at most 40"),
        ("../etc", "Use 'etc'"),
        ("a\n", "Use 'a'"),
        ("é", "Use 'name'"),
    ],
)
def test_refuses_with_a_suggestion(text: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_identifier(text, "department")

    assert caught.value.remedy == remedy
    assert "department" in caught.value.message


def test_unknown_names_are_answered_with_the_nearest() -> None:
    error = unknown("department", "project_alfa", ["project_beta", "project_alpha"])

    assert isinstance(error, UnknownNameError)
    assert "Did you mean 'project_alpha'" in error.remedy
    assert "Known: none" in unknown("stage", "x", []).remedy
    assert nearest("zzz", ["project_alpha"]) is None


@given(identifiers)
def test_kebab_and_title_keep_the_words(text: str) -> None:
    assert kebab(text).replace("-", "_") == text
    assert title(text).lower().replace(" ", "_") == text
