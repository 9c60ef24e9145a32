"""Whether a derivation must be computed again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airnub_prefect_starter.core.derivation import (
    Derivation,
    commit,
    find_unchanged,
    read_inputs,
)
from airnub_prefect_starter.core.manifest_models import (
    DerivedManifest,
    DerivedOutput,
    Producer,
    Ref,
    RunInfo,
)
from airnub_prefect_starter.core.store import Committed, Store

PutSource = Callable[..., Committed]
SOURCE = "ingestion.files/flights"


@pytest.fixture
def derivation(content_store: Store, put_source: PutSource) -> Derivation:
    """Commit a derivation and give what it is made of."""
    put_source(SOURCE, b"fetched")
    made = Derivation("processing.flights", "flights", read_inputs(content_store, [SOURCE]), {})
    blob, _ = content_store.put_bytes(b"table")
    commit(content_store, made, [DerivedOutput(name="table", blob=blob)], run=RunInfo())
    return made


def test_what_was_made_alike_is_not_computed_again(
    content_store: Store, derivation: Derivation
) -> None:
    found = find_unchanged(content_store, derivation)

    assert found is not None
    assert found.outcome == "not_modified"


def test_other_parameters_are_computed(content_store: Store, derivation: Derivation) -> None:
    other = Derivation(derivation.namespace, derivation.source_id, derivation.inputs, {"month": 1})

    assert find_unchanged(content_store, other) is None


def test_what_another_version_made_is_computed_again(
    content_store: Store, derivation: Derivation
) -> None:
    def earlier(present: Ref | None) -> Ref:
        assert present is not None
        found = content_store.manifest(present.manifest.digest)
        assert isinstance(found, DerivedManifest)
        older = found.model_copy(update={"producer": Producer(version="0.0.1")})
        written, _ = content_store.records.write_manifest(older)
        return present.model_copy(update={"manifest": written})

    content_store.records.move_ref(derivation.namespace, derivation.source_id, earlier)

    assert find_unchanged(content_store, derivation) is None


def test_lost_outputs_are_computed_again(content_store: Store, derivation: Derivation) -> None:
    content_store.backend.delete(stat.key for stat in content_store.backend.list("blobs/"))

    assert find_unchanged(content_store, derivation) is None
