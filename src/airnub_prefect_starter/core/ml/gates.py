"""What data and model must be before a model is registered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airnub_prefect_starter.common.errors import GateError
from airnub_prefect_starter.core.features.rounding import significant
from airnub_prefect_starter.core.ml.config import CandidateKind, Gates, simpler
from airnub_prefect_starter.core.ml.evaluation import (
    About,
    CandidateResult,
    GateResult,
    Overlap,
    Relation,
)


def data_gates(overlap: Overlap, gates: Gates) -> list[GateResult]:
    """Judge whether the rows held out are unseen."""
    return [
        _at_most(
            "key_overlap",
            "data",
            overlap.shared_keys,
            0,
            "test rows whose key is in training are remembered, not predicted",
        ),
        _at_most(
            "row_overlap",
            "data",
            overlap.row_share,
            gates.max_row_overlap,
            "a copy of the table under other keys puts test rows into training",
        ),
    ]


def model_gates(
    best: CandidateResult, candidates: Sequence[CandidateResult], gates: Gates
) -> list[GateResult]:
    """Judge the best candidate on the rows held out."""
    found = best.test.auc
    dummy = next(each for each in candidates if each.kind == "dummy")
    slices = [each.auc for each in best.test.slices if each.auc is not None]
    judged = [
        _at_least("auc", "model", found, gates.min_auc, "worse than that is of no use"),
        _at_most("too_good", "model", found, gates.max_auc, "so good a model has seen the answer"),
        _at_least(
            "gain_over_dummy",
            "model",
            found - dummy.test.auc,
            gates.min_gain_over_dummy,
            "a model must know more than how frequent positives are",
        ),
        _at_most(
            "train_test_gap",
            "model",
            best.train_auc - found,
            gates.max_train_test_gap,
            "a model that is better on its training rows has learned them by heart",
        ),
    ]
    if slices:
        why = "nobody may be served much worse than the rest"
        judged.append(_at_least("slice_auc", "model", min(slices), gates.min_slice_auc, why))
    return judged


def challenge_gate(
    challenger: float,
    champion: float,
    *,
    kinds: tuple[CandidateKind, CandidateKind],
    gates: Gates,
) -> GateResult:
    """Judge whether a challenger may take the champion's place.

    Args:
        challenger: Its AUC.
        champion: The champion's, on the same rows.
        kinds: Of challenger and champion: a simpler one may cost a little.
        gates: The limits.
    """
    if simpler(*kinds):
        limit, why = -gates.max_loss, "a simpler model may cost a little"
    else:
        limit, why = gates.min_gain, "a change must be worth it"
    return _at_least("gain_over_champion", "model", challenger - champion, limit, why)


def require(gates: Iterable[GateResult], name: str) -> None:
    """Stop where a gate is not passed.

    Raises:
        GateError: It names each such gate, its value and its limit. No retry.
    """
    missed = [each for each in gates if not each.passed]
    if missed:
        listed = "; ".join(f"{each.name} is {shown(each)}" for each in missed)
        data = any(each.about == "data" for each in missed)
        raise GateError(
            f"The model {name} does not pass {len(missed)} gates: {listed}",
            "Look for copies among the sources: the report and the artifact show all gates"
            if data
            else "See the report; nothing was registered and the champion stays",
        )


def shown(gate: GateResult) -> str:
    """Say what a gate's value is and must be: ``0.977, at most 0.95``."""
    limit = f"{gate.limit:.4g}"
    value = f"{gate.value:.0f}" if float(gate.value).is_integer() else f"{gate.value:.4g}"
    if value == limit:  # a miss would look like a pass
        value = f"{gate.value:.8g}"
    return f"{value}, {gate.relation} {limit}"


def _at_least(name: str, about: About, value: float, limit: float, why: str) -> GateResult:
    return _gate(name, about, (value, "at least", limit), why)


def _at_most(name: str, about: About, value: float, limit: float, why: str) -> GateResult:
    return _gate(name, about, (value, "at most", limit), why)


def _gate(name: str, about: About, claim: tuple[float, Relation, float], why: str) -> GateResult:
    value, relation, limit = significant(claim[0]), *claim[1:]
    passed = value >= limit if relation == "at least" else value <= limit
    return GateResult(
        name=name,
        about=about,
        value=value,
        relation=relation,
        limit=limit,
        passed=passed,
        why=why,
    )
