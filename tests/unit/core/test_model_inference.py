"""From rows as people know them to probabilities: checked, as in training, by the version asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import (
    CorruptObjectError,
    ObjectNotFoundError,
    PayloadError,
)
from airnub_prefect_starter.core.churn.columns import KEY, NAMES, TARGET
from airnub_prefect_starter.core.churn.serving import churn_builder
from airnub_prefect_starter.core.ml.registry import ModelRegistry
from airnub_prefect_starter.core.model_inference import ServedModel, load_model
from airnub_prefect_starter.core.store import Store, open_store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import blob_key
from tests.model_kit import MODEL, prepared, put_champion, put_features, put_model, with_features

ROWS = prepared(400)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = open_store(tmp_path_factory.mktemp("store").as_uri(), durability="none")
    put_features(store, with_features(ROWS))
    put_champion(store, with_features(ROWS))
    return store


@pytest.fixture(scope="module")
def model(store: Store) -> ServedModel:
    return load_model(store, MODEL)


def _sent(model: ServedModel, rows: pd.DataFrame = ROWS) -> list[dict[str, Any]]:
    """Give rows as a client sends them: raw columns alone, through JSON."""
    text = rows[[name for name in NAMES if name in model.form.model_fields]].to_json(
        orient="records", double_precision=15
    )
    found: list[dict[str, Any]] = json.loads(text)
    return found


def test_a_raw_row_scores_as_its_features_do_in_training(model: ServedModel) -> None:
    expected = model.probabilities(with_features(ROWS))

    found = model.predict(_sent(model))

    assert [each.probability for each in found] == pytest.approx(expected.tolist(), abs=1e-12)
    assert [each.id for each in found] == ROWS[KEY].tolist()
    assert {each.label for each in found} == {True, False}


def test_a_row_alone_scores_as_it_does_in_a_batch(model: ServedModel) -> None:
    rows = _sent(model, ROWS.head(5))

    alone = [model.predict([row])[0].probability for row in rows]

    assert alone == pytest.approx([each.probability for each in model.predict(rows)], abs=1e-12)


def test_the_form_asks_for_what_people_know(model: ServedModel) -> None:
    asked = set(model.form.model_fields)

    assert {"charge_ratio", "tenure_group", TARGET} & asked == set()
    assert {"tenure", "TotalCharges", "TechSupport", "Contract", KEY} <= asked
    assert "PaymentMethod" not in asked  # the model does not use it


def test_the_label_is_that_of_the_threshold(model: ServedModel) -> None:
    for each in model.predict(_sent(model, ROWS.head(50))):
        assert each.label == (each.probability >= model.version.threshold)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Contract": "For ever"}, "Contract: 'For ever': input should be 'Month-to-month', 'One"),
        ({"Contract": None}, "Contract: None: input should be 'Month-to-month'"),
        ({"TotalCharges": None}, "it is float from 0 to 100000; 0 for a customer who is new"),
        ({"tenure": -1}, "tenure: -1: input should be greater than or equal to 0"),
        ({"tenure": 3.5}, "tenure: 3.5: input should be a valid integer"),
        ({"tenure": "3"}, "tenure: '3': input should be a valid integer"),
        ({"MonthlyCharges": float("nan")}, "MonthlyCharges: nan: input should be a finite number"),
        ({"Churn": "Yes"}, "Churn: unknown key; Allowed: "),
        ({"Contrakt": "One year"}, "Contrakt: unknown key; did you mean 'Contract'?"),
    ],
)
def test_a_bad_field_is_named_with_what_is_allowed(
    model: ServedModel, change: dict[str, Any], said: str
) -> None:
    (row,) = _sent(model, ROWS.head(1))

    with pytest.raises(PayloadError) as caught:
        model.predict([row | change])

    assert said in caught.value.message


def test_a_missing_field_is_named_with_what_is_allowed(model: ServedModel) -> None:
    (row,) = _sent(model, ROWS.head(1))
    del row["Contract"]

    with pytest.raises(PayloadError, match="Contract: is required and missing; it is 'Month-to-m"):
        model.predict([row])


def test_in_a_batch_the_row_is_named_and_mistakes_are_not_endless(model: ServedModel) -> None:
    rows = _sent(model, ROWS.head(30))
    bad = [row | {"tenure": -1} for row in rows]

    with pytest.raises(PayloadError, match=r"^row 3: tenure: -1") as one:
        model.predict([*rows[:2], bad[0], *rows[3:]])
    with pytest.raises(PayloadError, match=r"and 20 mistakes more\. Correct") as many:
        model.predict(bad)

    assert len(one.value.message.splitlines()) == 1
    assert len(many.value.message.splitlines()) == 11


@pytest.mark.parametrize("row", [None, [], "x", 3])
def test_what_is_no_row_is_refused(model: ServedModel, row: object) -> None:
    with pytest.raises(PayloadError, match="the row: "):
        model.predict([row])


def test_no_rows_are_no_predictions(model: ServedModel) -> None:
    assert model.predict([]) == []


def test_a_category_that_training_had_not_is_unknown(store: Store) -> None:
    frame = with_features(ROWS)
    without = frame[frame["Contract"] != "Two year"]
    version = put_model(store, without, numeric=("tenure",), categorical=("Contract",))
    narrow = load_model(store, MODEL, version.number)

    with pytest.raises(PayloadError, match="'Two year': input should be 'Month-to-month' or 'One"):
        narrow.predict([{"tenure": 3, "Contract": "Two year"}])
    assert set(narrow.form.model_fields) == {"tenure", "Contract", KEY}


def test_a_model_whose_features_nobody_computes_is_sent_them(tmp_path: Path) -> None:
    store, frame = open_store(tmp_path.as_uri(), durability="none"), with_features(ROWS)
    put_features(store, frame, computed=False)
    other = load_model(store, MODEL, put_model(store, frame).number)
    version = other.version
    row = json.loads(frame[[*version.columns]].head(1).to_json(orient="records"))[0]

    (found,) = other.predict([row | {"SeniorCitizen": str(row["SeniorCitizen"])}])

    assert set(other.form.model_fields) == {*version.columns, KEY}
    assert found.probability == pytest.approx(other.probabilities(frame.head(1))[0], abs=1e-12)


def test_features_are_computed_by_what_made_them_whatever_the_model_is_called(
    store: Store,
) -> None:
    version = put_model(store, with_features(ROWS), name="other")
    other = load_model(store, "other", version.number)

    assert "charge_ratio" not in other.form.model_fields
    (found,) = other.predict(_sent(other, ROWS.head(1)))
    expected = other.probabilities(with_features(ROWS.head(1)))[0]
    assert found.probability == pytest.approx(expected, abs=1e-12)


def test_features_without_thresholds_are_not_guessed() -> None:
    with pytest.raises(CorruptObjectError, match="state no thresholds"):
        churn_builder({"step": {}})


def test_without_a_champion_the_remedy_is_to_train(tmp_path: Path) -> None:
    empty = open_store(tmp_path.as_uri(), durability="none")

    with pytest.raises(ObjectNotFoundError, match=r"no champion\. Train one: `airnub run"):
        load_model(empty, MODEL)


def test_a_version_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(ObjectNotFoundError, match="no version 99"):
        load_model(store, MODEL, 99)


def test_a_model_file_that_was_changed_is_not_loaded(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri(), durability="none")
    put_features(store, with_features(ROWS))
    version = put_champion(store, with_features(ROWS))
    file = tmp_path / blob_key(Digest(version.model_file.digest))
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1] + b"x")

    with pytest.raises(CorruptObjectError):
        load_model(store, MODEL)


def test_the_champion_answers_unless_a_version_is_asked_for(store: Store) -> None:
    champion = ModelRegistry(store, MODEL).champion()

    assert champion is not None
    assert load_model(store, MODEL).version == champion
    assert load_model(store, MODEL, 1).version.number == 1
