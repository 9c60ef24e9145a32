from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import GateError, ObjectNotFoundError, RefConflictError
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.ml.config import ModelSpec, Split
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
from airnub_prefect_starter.core.store import Store, open_store
from airnub_prefect_starter.core.store.digest import Digest
from tests.ml_kit import (
    DUMMY,
    FOREST,
    SPEC,
    TRAINING,
    customers,
    spec,
    store_features,
    store_release,
)

AS_GOOD = spec(threshold={"method": "cost"})
"""Gives the same model another threshold: it gains no AUC."""
RELEASE = "versioning.dvc_release/release"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DerivedResult]:
    """Train once for all tests; each works on a copy of the store."""
    folder = tmp_path_factory.mktemp("trained") / "store"
    return folder, _train(open_store(folder.as_uri(), durability="none"), customers())


@pytest.fixture
def store(trained: tuple[Path, DerivedResult], tmp_path: Path) -> Store:
    folder = shutil.copytree(trained[0], tmp_path / "store")
    return open_store(folder.as_uri(), durability="none")


@pytest.fixture
def first(trained: tuple[Path, DerivedResult]) -> DerivedResult:
    return trained[1]


def _train(store: Store, frame: pd.DataFrame, model: ModelSpec = SPEC) -> DerivedResult:
    store_features(store, frame)
    return core_train_model(store, model, namespace=TRAINING)


def test_a_training_is_stored_once(store: Store, first: DerivedResult) -> None:
    again = core_train_model(store, SPEC, namespace=TRAINING)
    stricter = core_train_model(store, spec(gates={"min_auc": 0.6}), namespace=TRAINING)

    assert (first.outcome, again.outcome, stricter.outcome) == ("stored", "not_modified", "stored")
    assert {output.name for output in first.outputs} == {
        *("evaluation.json", "model_card.md", "model_card.json", "report.html"),
        *("held_out.parquet", "logistic.skops"),
        *("segments.png", "roc.png", "calibration.png", "importance.png"),
    }
    assert list(read_held_out(store, first)) == [
        *("customer", "left", "score_dummy", "score_logistic")
    ]


def test_without_features_there_is_nothing_to_train(content_store: Store) -> None:
    with pytest.raises(ObjectNotFoundError, match=r"transformation\.feature_store/customer"):
        core_train_model(content_store, SPEC, namespace=TRAINING)


def test_the_report_has_everything_in_it(store: Store) -> None:
    result = _train(store, customers().assign(contract="<b>monthly</b>"))
    page = read_file(store, result, REPORT).decode()
    assert page.count("data:image/png;base64,") == 4
    assert not re.search(r"(src|href)=\"(?!data:)|<script|@import|url\(", page)
    assert read_evaluation(store, result).model_file in page
    card = read_file(store, result, CARD).decode()
    shown = training_markdown(card, read_plots(store, result), "sha256:0", department="sales")
    assert "`airnub store get sha256:0 -d sales -o report.html`" in shown
    assert shown.count("data:image/png;base64,") == 4
    for text in (page, shown):
        assert "Says who will leave." in text
        assert "It is of a made-up table." in text
        assert "<b>" not in text


def test_the_first_version_is_champion_and_leads_to_its_features(
    store: Store, first: DerivedResult
) -> None:
    promotion = core_register_model(store, first)

    champion = ModelRegistry(store, SPEC.name).champion()
    assert champion == promotion.version
    assert promotion.role == "champion"
    assert promotion.line.startswith("Champion: leavers version 1 (logistic_regression), AUC 0.")
    assert champion.tolerance == SPEC.tolerance
    features = store.ref("transformation.feature_store", "customer")
    assert features is not None
    assert champion.trained_on[0].manifest == features.manifest.digest
    digest = champion.model_file.digest
    assert load(store.read_blob(digest), digest)
    assert core_register_model(store, first).version == champion
    assert "is the first one" in promotions_markdown("Models", [promotion], {"candidates": "off"})


def test_a_training_that_misses_a_gate_is_stored_but_not_registered(
    store: Store, first: DerivedResult
) -> None:
    core_register_model(store, first)
    doubled = _train(store, pd.concat([customers(), customers()]))

    with pytest.raises(GateError, match=r"key_overlap is \d+, at most 0; row_overlap is 0\.[78]"):
        core_register_model(store, doubled)

    registry = ModelRegistry(store, SPEC.name)
    assert [each.number for each in registry.versions()] == [1]
    assert registry.aliases() == Aliases(champion=1)
    card = read_file(store, doubled, CARD).decode()
    assert "**Stopped: 2 of 7 gates are missed (key\\_overlap, row\\_overlap).**" in card


def test_a_version_that_is_no_better_becomes_challenger(store: Store, first: DerivedResult) -> None:
    core_register_model(store, first)
    promotion = core_register_model(store, _train(store, customers(), AS_GOOD))

    assert (promotion.version.number, promotion.role) == (2, "challenger")
    assert promotion.champion.number == 1
    assert "at least 0.002" in promotion.reason
    registry = ModelRegistry(store, SPEC.name)
    assert registry.aliases() == Aliases(champion=1, challenger=2)
    kept = registry.decision(2)
    assert kept is not None
    assert (kept.role, kept.champion, kept.reason) == ("challenger", 1, promotion.reason)


def test_a_better_version_becomes_champion_until_a_person_moves_it_back(
    store: Store, first: DerivedResult
) -> None:
    poor = spec(numeric=("charges",))
    before = core_register_model(store, _train(store, customers(), _lenient(poor)))
    promotion = core_register_model(store, first)
    registry = ModelRegistry(store, SPEC.name)

    assert (promotion.version.number, promotion.role) == (2, "champion")
    assert registry.aliases() == Aliases(champion=2, challenger=1)
    registry.promote(before.version, expected=2)
    assert core_register_model(store, first).role == "challenger"
    assert registry.aliases() == Aliases(champion=1, challenger=2)


def test_rows_that_the_champion_was_trained_on_do_not_speak_for_it(content_store: Store) -> None:
    many = customers(2400)
    by_heart = _lenient(spec(numeric=("charges",), candidates=(DUMMY, FOREST)))
    before = core_register_model(content_store, _train(content_store, many, by_heart))
    # One customer fewer, and the split is another: most of the rows held out are rows that the
    # forest knows by heart.
    promotion = core_register_model(content_store, _train(content_store, many[1:]))

    assert before.version.kind == "random_forest"
    assert (promotion.version.number, promotion.role) == (2, "champion")
    counted = re.search(r"on (\d+) rows that neither was trained on", promotion.reason)
    assert counted
    assert 40 < int(counted[1]) < 400  # of the 480 held out


def test_a_champion_that_knows_nearly_all_rows_stays(store: Store, first: DerivedResult) -> None:
    core_register_model(store, first)
    otherwise = _lenient(spec(split=Split(folds=2, seed=7)))
    promotion = core_register_model(store, _train(store, customers(), otherwise))

    assert promotion.role == "challenger"
    assert "too few to compare" in promotion.reason


def test_a_champion_whose_features_are_gone_makes_way(store: Store, first: DerivedResult) -> None:
    core_register_model(store, first)
    less = _lenient(spec(numeric=("months",)))
    promotion = core_register_model(store, _train(store, customers().drop(columns="charges"), less))
    assert promotion.role == "champion"
    assert promotion.reason == "version 1 needs features that are gone: charges"


def test_a_trainer_that_was_overtaken_decides_anew(
    store: Store, first: DerivedResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    core_register_model(store, first)
    core_register_model(store, _train(store, customers(), _lenient(spec(numeric=("charges",)))))
    result = _train(store, customers(), AS_GOOD)
    challenge = ModelRegistry.challenge
    overtaken: list[Aliases] = []

    def late(self: ModelRegistry, *args: object, **kwargs: object) -> Aliases:
        """Let another trainer change the champion between look and decision, once."""
        if not overtaken:
            overtaken.append(self.promote(self.version(2), expected=1))
        return challenge(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(ModelRegistry, "challenge", late)
    with pytest.raises(RefConflictError, match="is version 2 now, not 1"):
        core_register_model(store, result)
    promotion = core_register_model(store, result)
    assert (promotion.version.number, promotion.role) == (3, "champion")
    assert "of version 2 on" in promotion.reason


@pytest.mark.parametrize(("holds_features", "number"), [(True, 7), (False, None)])
def test_a_version_names_the_release_that_has_its_features(
    content_store: Store, holds_features: bool, number: int | None
) -> None:
    (features,) = store_features(content_store, customers()).outputs
    released = features.blob.digest if holds_features else Digest.of(b"else").text
    store_release(content_store, RELEASE, released, number=7)
    result = core_train_model(content_store, spec(release=RELEASE), namespace=TRAINING)
    promotion = core_register_model(content_store, result)
    assert promotion.version.release == number
    assert ("in no release" in promotion.reason) is not holds_features


def _lenient(model: ModelSpec) -> ModelSpec:
    gates = {
        "max_row_overlap": 1,
        "min_auc": 0.5,
        "min_gain_over_dummy": 0,
        "min_slice_auc": 0,
        "max_train_test_gap": 1,
    }
    return ModelSpec.model_validate({**model.model_dump(), "gates": gates})
