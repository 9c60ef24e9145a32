from __future__ import annotations

import re

import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import GateError, ObjectNotFoundError, RefConflictError
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.ml.markdown import promotions_markdown, training_markdown
from airnub_prefect_starter.core.ml.model_files import load
from airnub_prefect_starter.core.ml.promotion import core_register_model
from airnub_prefect_starter.core.ml.registry import Aliases, ModelRegistry
from airnub_prefect_starter.core.ml.step import (
    CARD,
    REPORT,
    core_train_model,
    read_evaluation,
    read_file,
    read_held_out,
    read_plots,
)
from airnub_prefect_starter.core.store import Store
from tests.ml_kit import SPEC, TRAINING, customers, spec, store_features

AS_GOOD = spec(threshold={"method": "cost"})
"""Gives the same model another threshold: it gains no AUC."""


def _train(store: Store, frame: pd.DataFrame, model: ModelSpec = SPEC) -> DerivedResult:
    store_features(store, frame)
    return core_train_model(store, model, namespace=TRAINING)


def test_a_training_is_stored_once(content_store: Store) -> None:
    first = _train(content_store, customers())
    again = core_train_model(content_store, SPEC, namespace=TRAINING)
    stricter = core_train_model(content_store, spec(gates={"min_auc": 0.6}), namespace=TRAINING)

    assert (first.outcome, again.outcome, stricter.outcome) == ("stored", "not_modified", "stored")
    assert {output.name for output in first.outputs} == {
        *("evaluation.json", "model_card.md", "model_card.json", "report.html"),
        *("held_out.parquet", "logistic.skops"),
        *("segments.png", "roc.png", "calibration.png", "importance.png"),
    }
    assert list(read_held_out(content_store, first)) == [
        *("customer", "left", "score_dummy", "score_logistic")
    ]


def test_without_features_there_is_nothing_to_train(content_store: Store) -> None:
    with pytest.raises(ObjectNotFoundError, match=r"transformation\.feature_store/customer"):
        core_train_model(content_store, SPEC, namespace=TRAINING)


def test_the_report_has_everything_in_it(content_store: Store) -> None:
    result = _train(content_store, customers().assign(contract="<b>monthly</b>"))
    page = read_file(content_store, result, REPORT).decode()
    assert page.count("data:image/png;base64,") == 4
    assert not re.search(r"(src|href)=\"(?!data:)|<script|@import|url\(", page)
    assert read_evaluation(content_store, result).model_file in page
    card = read_file(content_store, result, CARD).decode()
    shown = training_markdown(card, read_plots(content_store, result), "sha256:0")
    assert shown.count("data:image/png;base64,") == 4
    for text in (page, shown):
        assert "Says who will leave." in text
        assert "It is of a made-up table." in text
        assert "<b>" not in text


def test_the_first_version_is_champion_and_leads_to_its_features(content_store: Store) -> None:
    result = _train(content_store, customers())
    promotion = core_register_model(content_store, result)

    champion = ModelRegistry(content_store, SPEC.name).champion()
    assert champion == promotion.version
    assert promotion.role == "champion"
    assert promotion.line.startswith("Champion: leavers version 1 (logistic_regression), AUC 0.")
    assert champion.tolerance == SPEC.tolerance
    features = content_store.ref("transformation.feature_store", "customer")
    assert features is not None
    assert champion.trained_on[0].manifest == features.manifest.digest
    digest = champion.model_file.digest
    assert load(content_store.read_blob(digest), digest)
    assert core_register_model(content_store, result).version == champion
    assert "is the first one" in promotions_markdown("Models", [promotion], {"candidates": "off"})


def test_a_training_that_misses_a_gate_is_stored_but_not_registered(content_store: Store) -> None:
    core_register_model(content_store, _train(content_store, customers()))
    doubled = _train(content_store, pd.concat([customers(), customers()]))

    with pytest.raises(GateError, match=r"key_overlap is \d+, at most 0; row_overlap is 0\.[78]"):
        core_register_model(content_store, doubled)

    registry = ModelRegistry(content_store, SPEC.name)
    assert [each.number for each in registry.versions()] == [1]
    assert registry.aliases() == Aliases(champion=1)
    card = read_file(content_store, doubled, CARD).decode()
    assert "**Stopped: 2 of 7 gates are missed (key\\_overlap, row\\_overlap).**" in card


def test_a_version_that_is_no_better_becomes_challenger(content_store: Store) -> None:
    core_register_model(content_store, _train(content_store, customers()))
    promotion = core_register_model(content_store, _train(content_store, customers(), AS_GOOD))

    assert (promotion.version.number, promotion.role) == (2, "challenger")
    assert promotion.champion.number == 1
    assert "at least 0.002" in promotion.reason
    aliases = ModelRegistry(content_store, SPEC.name).aliases()
    assert aliases == Aliases(champion=1, challenger=2)


def test_a_better_version_becomes_champion_until_a_person_moves_it_back(
    content_store: Store,
) -> None:
    poor = spec(numeric=("charges",))
    first = core_register_model(content_store, _train(content_store, customers(), _lenient(poor)))
    result = _train(content_store, customers())
    promotion = core_register_model(content_store, result)
    registry = ModelRegistry(content_store, SPEC.name)

    assert (promotion.version.number, promotion.role) == (2, "champion")
    assert registry.aliases() == Aliases(champion=2, challenger=1)
    registry.promote(first.version, expected=2)
    assert core_register_model(content_store, result).role == "challenger"
    assert registry.aliases() == Aliases(champion=1, challenger=2)


def test_a_champion_whose_features_are_gone_makes_way(content_store: Store) -> None:
    core_register_model(content_store, _train(content_store, customers()))
    less = _lenient(spec(numeric=("months",)))
    promotion = core_register_model(
        content_store, _train(content_store, customers().drop(columns="charges"), less)
    )
    assert promotion.role == "champion"
    assert promotion.reason == "version 1 needs features that are gone: charges"


def test_a_trainer_that_was_overtaken_decides_anew(
    content_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    core_register_model(content_store, _train(content_store, customers()))
    result = _train(content_store, customers(), AS_GOOD)
    promote = ModelRegistry.challenge
    overtaken = []

    def late(self: ModelRegistry, *args: object, **kwargs: object) -> Aliases:
        """Let another trainer change the champion between look and decision, once."""
        if not overtaken:
            overtaken.append(self.promote(self.version(2), expected=1))
        return promote(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(ModelRegistry, "challenge", late)
    with pytest.raises(RefConflictError, match="is version 2 now, not 1"):
        core_register_model(content_store, result)
    assert core_register_model(content_store, result).role == "champion"


def _lenient(model: ModelSpec) -> ModelSpec:
    gates = {
        "max_row_overlap": 1,
        "min_auc": 0.5,
        "min_gain_over_dummy": 0,
        "min_slice_auc": 0,
        "max_train_test_gap": 1,
    }
    return ModelSpec.model_validate({**model.model_dump(), "gates": gates})
