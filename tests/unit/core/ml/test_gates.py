from __future__ import annotations

import pytest

from airnub_prefect_starter.common.errors import GateError
from airnub_prefect_starter.core.ml.config import CandidateKind, Gates
from airnub_prefect_starter.core.ml.evaluation import (
    CandidateResult,
    Decisions,
    GateResult,
    Metrics,
    Overlap,
    SliceMetrics,
)
from airnub_prefect_starter.core.ml.gates import (
    challenge_gate,
    data_gates,
    model_gates,
    require,
    shown,
)

_NONE = Decisions(
    threshold=0.5,
    true_positives=0,
    false_positives=0,
    false_negatives=0,
    true_negatives=0,
    accuracy=0,
    precision=0,
    recall=0,
    f1=0,
)


def _result(
    auc: float, *, train: float | None = None, slice_auc: float | None = 0.8, dummy: bool = False
) -> CandidateResult:
    part = SliceMetrics(column="senior", value="1", rows=99, positives=30, auc=slice_auc)
    test = Metrics(
        rows=1000,
        positives=265,
        auc=auc,
        average_precision=0.5,
        brier=0.1,
        log_loss=0.4,
        lift_at_10=2,
        recall_at_20=0.5,
        at_half=_NONE,
        at_threshold=_NONE,
        calibration=(),
        slices=(part,),
    )
    return CandidateResult(
        name="dummy" if dummy else "best",
        kind="dummy" if dummy else "logistic_regression",
        fold_auc=(auc,),
        cv_auc=auc,
        cv_auc_sd=0,
        train_auc=auc if train is None else train,
        test=test,
    )


DUMMY = _result(0.5, dummy=True)


@pytest.mark.parametrize(
    ("best", "missed"),
    [
        (_result(0.848), set()),
        (_result(0.80), set()),
        (_result(0.79), {"auc"}),
        (_result(0.65), {"auc", "gain_over_dummy"}),
        (_result(0.95), set()),
        (_result(0.977), {"too_good"}),
        (_result(0.82, train=0.88), {"train_test_gap"}),
        (_result(0.848, slice_auc=0.74), {"slice_auc"}),
        (_result(0.848, slice_auc=None), set()),
    ],
)
def test_a_model_must_pass_every_gate(best: CandidateResult, missed: set[str]) -> None:
    found = model_gates(best, [DUMMY, best], Gates())
    assert {each.name for each in found if not each.passed} == missed


@pytest.mark.parametrize(
    ("keys", "rows", "missed"),
    [
        (0, 14, set()),
        (0, 15, {"row_overlap"}),
        (1, 0, {"key_overlap"}),
        (1127, 1130, {"key_overlap", "row_overlap"}),
    ],
)
def test_rows_held_out_must_be_unseen(keys: int, rows: int, missed: set[str]) -> None:
    overlap = Overlap(test_rows=1409, shared_keys=keys, shared_rows=rows)
    found = data_gates(overlap, Gates())
    assert {each.name for each in found if not each.passed} == missed


@pytest.mark.parametrize(
    ("challenger", "kinds", "passed"),
    [
        (0.852, ("random_forest", "logistic_regression"), True),
        (0.8519, ("random_forest", "logistic_regression"), False),
        (0.8519, ("logistic_regression", "logistic_regression"), False),
        (0.845, ("logistic_regression", "random_forest"), True),
        (0.8449, ("logistic_regression", "random_forest"), False),
    ],
)
def test_a_challenger_must_be_better_or_simpler(
    challenger: float, kinds: tuple[CandidateKind, CandidateKind], passed: bool
) -> None:
    found = challenge_gate(challenger, 0.85, kinds=kinds, gates=Gates())
    assert found.passed is passed


@pytest.mark.parametrize(
    ("value", "limit", "said"),
    [
        (0.977, 0.95, "0.977, at most 0.95"),
        (12704, 0, "12704, at most 0"),
        (0.95004, 0.95, "0.95004, at most 0.95"),
        (0.95, 0.95, "0.95, at most 0.95"),
    ],
)
def test_a_miss_never_looks_like_a_pass(value: float, limit: float, said: str) -> None:
    gate = GateResult(
        name="g",
        about="data",
        value=value,
        relation="at most",
        limit=limit,
        passed=value <= limit,
        why="",
    )
    assert shown(gate) == said


def test_what_is_missed_is_named_with_value_and_limit() -> None:
    overlap = Overlap(test_rows=100, shared_keys=80, shared_rows=80)
    gates = [*data_gates(overlap, Gates()), *model_gates(_result(0.977), [DUMMY], Gates())]
    with pytest.raises(GateError, match=r"leavers does not pass 3 gates") as caught:
        require(gates, "leavers")
    assert "key_overlap is 80, at most 0" in str(caught.value)
    assert "row_overlap is 0.8, at most 0.01" in str(caught.value)
    assert "too_good is 0.977, at most 0.95" in str(caught.value)
    assert "copies among the sources" in caught.value.remedy
    require([], "leavers")
