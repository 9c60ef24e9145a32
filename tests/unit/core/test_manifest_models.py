from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedManifest,
    DerivedOutput,
    Descriptor,
    FetchManifest,
    Manifest,
    Producer,
    Ref,
    RefText,
    RowCounts,
    RunInfo,
    Source,
    canonical_json,
)

DIGEST = f"sha256:{'a' * 64}"
NOW = datetime(2026, 1, 31, 12, 0, 0, 999, tzinfo=UTC)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text('aé\n"', max_size=3), inner)
    ),
    max_leaves=12,
)


def _fetched(**changes: Any) -> FetchManifest:
    facts = {
        "namespace": "ingestion.files",
        "source_id": "flights",
        "blob": Descriptor(digest=DIGEST, size=3),
        "source": Source(url="http://a/b", final_url="http://a/b"),
        "fetched_at": NOW,
        "producer": Producer(version="1"),
    }
    return FetchManifest(**{**facts, **changes})


def _derived(**changes: Any) -> DerivedManifest:
    given_input = DerivedInput(namespace="a", source_id="b", manifest=DIGEST, blob=DIGEST)
    facts = {
        "namespace": "processing.flights",
        "source_id": "flights",
        "inputs": (given_input,),
        "outputs": (DerivedOutput(name="all.parquet", blob=Descriptor(digest=DIGEST, size=3)),),
        "parameters": {"reader": "csv", "limit": None, "inner": {"none": None}},
        "rows": RowCounts(rows_in=3, rows_out=1, rejected=1, duplicates=1),
        "created_at": NOW,
        "producer": Producer(version="1"),
        "run": RunInfo(flow_run_id="r"),
    }
    return DerivedManifest(**{**facts, **changes})


@given(json_values)
def test_canonical_json_round_trips_and_is_stable(value: Any) -> None:
    text = canonical_json(value)

    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(st.text(max_size=3), st.integers(), min_size=2))
def test_canonical_json_does_not_depend_on_the_order_of_keys(value: dict[str, int]) -> None:
    backwards = dict(reversed(list(value.items())))

    assert canonical_json({"a": value}) == canonical_json({"a": backwards})


def test_canonical_json_is_compact_utf8() -> None:
    assert (
        canonical_json({"b": [1, True, None], "a": "ü"}) == '{"a":"ü","b":[1,true,null]}'.encode()
    )


@pytest.mark.parametrize(
    "value",
    [1.0, {"a": [0.5]}, (float("nan"),), {1: "a"}, {"a": {None: 1}}, {"a": object()}, b"bytes"],
    ids=["float", "nested", "nan", "number-as-key", "none-as-key", "object", "bytes"],
)
def test_canonical_json_refuses(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


@pytest.mark.parametrize("manifest", [_fetched(), _derived()], ids=["fetched", "derived"])
def test_manifests_round_trip(manifest: FetchManifest | DerivedManifest) -> None:
    again = TypeAdapter(Manifest).validate_json(manifest.canonical())

    assert again == manifest
    assert again.canonical() == manifest.canonical()


def test_times_are_whole_seconds_of_utc() -> None:
    assert json.loads(_fetched().canonical())["fetched_at"] == "2026-01-31T12:00:00Z"


def test_times_need_a_zone() -> None:
    with pytest.raises(ValidationError, match="a time needs a zone"):
        _fetched(fetched_at=NOW.replace(tzinfo=None))


def test_parameters_hold_no_floats() -> None:
    with pytest.raises(TypeError):
        _derived(parameters={"share": 0.5}).canonical()


@pytest.mark.parametrize(
    "changes",
    [
        {"namespace": "../a"},
        {"source_id": "A"},
        {"source_id": "a/b"},
        {"source_id": "a" * 64},
        {"source_id": ""},
        {"source_id": "a\n"},
        {"unknown": 1},
        {"schema_version": 2},
        {"previous": "sha256:abc"},
        {"previous": DIGEST.upper()},
        {"previous": f"{DIGEST}\n"},
    ],
    ids=str,
)
def test_manifests_are_closed(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        _fetched(**changes)


def test_sizes_are_not_negative() -> None:
    with pytest.raises(ValidationError):
        Descriptor(digest=DIGEST, size=-1)


@pytest.mark.parametrize(
    ("counts", "expected"), [((4, 1, 2, 1), True), ((4, 1, 1, 1), False), ((0, 0, 0, 0), True)]
)
def test_rows_reconcile(counts: tuple[int, int, int, int], expected: bool) -> None:
    rows_in, rows_out, rejected, duplicates = counts
    rows = RowCounts(rows_in=rows_in, rows_out=rows_out, rejected=rejected, duplicates=duplicates)

    assert rows.reconciles() is expected


def test_what_is_none_is_left_out() -> None:
    ref = Ref(manifest=Descriptor(digest=DIGEST, size=1), updated_at=NOW)

    assert set(json.loads(ref.canonical())) == {"schema_version", "manifest", "updated_at"}


@pytest.mark.parametrize("text", ["a", "a/", "/a", "a/b/c", "A/b", "a/b\n", "../b"])
def test_text_that_is_no_ref(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(RefText).validate_python(text)


def test_text_of_a_ref() -> None:
    text = "ingestion.scheduled_file_downloads/flights-2013-01"

    assert TypeAdapter(RefText).validate_python(text) == text
