from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from airnub_prefect_starter.common.errors import DigestMismatchError, ModelFileError
from airnub_prefect_starter.core.ml import model_files
from airnub_prefect_starter.core.ml.candidates import make_pipeline
from airnub_prefect_starter.core.ml.config import CandidateKind
from airnub_prefect_starter.core.ml.model_files import dump, load
from airnub_prefect_starter.core.ml.rows import known_categories, labels, model_input
from airnub_prefect_starter.core.ml.training import positive_scores
from airnub_prefect_starter.core.store.digest import Digest
from tests.ml_kit import SPEC, customers

ROWS = customers(200)
FEATURES = model_input(ROWS, SPEC.numeric, SPEC.categorical)
KINDS: tuple[CandidateKind, ...] = (
    "dummy",
    "logistic_regression",
    "hist_gradient_boosting",
    "random_forest",
)


def _fitted(kind: CandidateKind) -> Pipeline:
    made = make_pipeline(kind, SPEC.numeric, known_categories(ROWS, SPEC), 42)
    if kind == "random_forest":
        made.set_params(model__n_estimators=3)
    if kind == "hist_gradient_boosting":
        made.set_params(model__max_iter=3)
    return made.fit(FEATURES, labels(ROWS, SPEC))


def _digest(raw: bytes) -> str:
    return Digest.of(raw).text


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back_and_predicts_the_same(kind: CandidateKind) -> None:
    model = _fitted(kind)
    raw = dump(model)
    again = load(raw, _digest(raw))
    np.testing.assert_array_equal(
        positive_scores(model, FEATURES), positive_scores(again, FEATURES)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_equal_models_have_equal_bytes(kind: CandidateKind) -> None:
    first, second = dump(_fitted(kind)), dump(_fitted(kind))
    assert first == second
    assert dump(load(first, _digest(first))) == first


def test_what_was_in_memory_between_the_fields_is_not_in_the_file() -> None:
    record = np.dtype({"names": ["a", "b"], "formats": ["<i8", "u1"], "itemsize": 16})
    found = set()
    # The memory of one round is that of the next.
    for byte in range(50):
        array = np.frombuffer(bytes([byte]) * 16 * 500, record).copy()
        for field in ("a", "b"):
            array[field] = 1
        sink = io.BytesIO()
        np.save(sink, array)
        found.add(model_files._without_padding("1.npy", sink.getvalue()))
    (only,) = found
    assert np.load(io.BytesIO(only)).tolist() == [(1, 1)] * 500


def test_a_category_that_was_not_known_is_scored_all_the_same() -> None:
    scores = positive_scores(_fitted("logistic_regression"), FEATURES.assign(contract="weekly"))
    assert np.isfinite(scores).all()


def test_other_bytes_are_refused() -> None:
    raw = dump(_fitted("dummy"))
    with pytest.raises(DigestMismatchError, match="expected was"):
        load(raw, _digest(b"else"))


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04 no archive", b"\x80\x04pickle"])
def test_bytes_that_are_no_archive_are_refused(raw: bytes) -> None:
    with pytest.raises(ModelFileError, match="Not a model file"):
        load(raw, _digest(raw))


def test_an_archive_without_a_schema_is_refused() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("other.json", "{}")
    with pytest.raises(ModelFileError, match="Not a model file"):
        load(sink.getvalue(), _digest(sink.getvalue()))


class Unknown:
    """A type of nobody's list."""


def test_types_that_are_not_trusted_are_refused_by_name() -> None:
    raw = skops.io.dumps(Pipeline([("model", Unknown())]))
    with pytest.raises(ModelFileError, match=r"not trusted: .*Unknown"):
        load(raw, _digest(raw))


def test_what_is_no_pipeline_is_refused() -> None:
    raw = skops.io.dumps(LogisticRegression())
    with pytest.raises(ModelFileError, match="holds a LogisticRegression, not a pipeline"):
        load(raw, _digest(raw))
