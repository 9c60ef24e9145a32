"""Whether a derivation must be computed again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airnub_prefect_starter.common.errors import ObjectNotFoundError
from airnub_prefect_starter.core.derivation import (
    Derivation,
    commit,
    find_unchanged,
    only_output,
    read_inputs,
)
from airnub_prefect_starter.core.manifest_models import (
    DerivedManifest,
    DerivedOutput,
    DerivedResult,
    Descriptor,
    Producer,
    Ref,
    RunInfo,
)
from airnub_prefect_starter.core.store import Committed, Store
from airnub_prefect_starter.core.tables import PARQUET

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


def result_of(**outputs: str) -> DerivedResult:
    """Give a result with outputs of these names and media types."""
    digest = f"sha256:{'0' * 64}"
    blobs = {
        name.replace("_", "."): Descriptor(media_type=media_type, digest=digest, size=1)
        for name, media_type in outputs.items()
    }
    return DerivedResult(
        namespace="processing.flights",
        source_id="flights",
        outcome="stored",
        manifest=digest,
        outputs=tuple(DerivedOutput(name=name, blob=blob) for name, blob in blobs.items()),
    )


def test_the_one_output_of_a_type_is_found() -> None:
    result = result_of(a_json="application/json", all_parquet=PARQUET, rejected_parquet=PARQUET)

    assert only_output(result, PARQUET).name == "all.parquet"
    assert only_output(result_of(only="text/plain")).name == "only"


@pytest.mark.parametrize(
    ("outputs", "there"),
    [({"a_json": "application/json"}, "none"), ({"a": PARQUET, "b": PARQUET}, "a, b")],
)
def test_none_or_several_outputs_of_a_type_are_refused(outputs: dict[str, str], there: str) -> None:
    with pytest.raises(ObjectNotFoundError, match=rf"expected, there are: {there}\."):
        only_output(result_of(**outputs), PARQUET)
