"""The model card: what a model is for, what it was made of, how good it is, and its limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airnub_prefect_starter.core.manifest_models import DerivedInput, Record
from airnub_prefect_starter.core.markdown import escape_markdown, markdown_table, short_digest
from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.ml.evaluation import CandidateResult, Evaluation, GateResult
from airnub_prefect_starter.core.ml.gates import shown
from airnub_prefect_starter.core.ml.registry import ModelMetrics

_MOST_FEATURES = 10


class ModelCard(Record):
    """A model card as data.

    Source: Mitchell et al., Model Cards for Model Reporting (2019), whose headings these are.
    """

    name: str
    purpose: str
    limits: tuple[str, ...]
    kind: str
    model_file: str
    target: str
    positive: str
    features: tuple[str, ...]
    trained_on: tuple[DerivedInput, ...]
    rows: int
    train_rows: int
    positive_share: float
    split: str
    metrics: ModelMetrics
    threshold: float
    passed: bool

    def to_json(self) -> bytes:
        """Serialise; floats as the shortest text that gives each again."""
        return self.model_dump_json(indent=1).encode()


def make_card(spec: ModelSpec, found: Evaluation, trained_on: Sequence[DerivedInput]) -> ModelCard:
    """Describe the best candidate of a training."""
    best = found.best
    return ModelCard(
        name=spec.name,
        purpose=spec.purpose,
        limits=spec.limits,
        kind=best.kind,
        model_file=found.model_file,
        target=spec.target,
        positive=spec.positive,
        features=spec.columns,
        trained_on=tuple(trained_on),
        rows=found.rows,
        train_rows=found.train_rows,
        positive_share=found.positives / found.rows,
        split=f"{spec.split.method}, {spec.split.test_percent} % held out, seed {spec.split.seed}",
        metrics=best.test.flat(),
        threshold=best.test.at_threshold.threshold,
        passed=not found.missed,
    )


def card_markdown(card: ModelCard, found: Evaluation) -> str:
    """Lay out a card, with the gates and every candidate."""
    return "\n\n".join(_parts(card, found))


def _parts(card: ModelCard, found: Evaluation) -> Iterator[str]:
    yield f"# Model card: {escape_markdown(card.name)}"
    if card.passed:
        yield f"**All {len(found.gates)} gates are passed.**"
    else:
        named = ", ".join(escape_markdown(each.name) for each in found.missed)
        yield f"**Stopped: {len(found.missed)} of {len(found.gates)} gates are missed ({named}).**"
    yield escape_markdown(card.purpose)
    yield "## Gates"
    yield gates_table(found.gates)
    yield "## Candidates"
    yield candidates_table(found)
    yield from _data(card, found)
    yield from _quality(found.best)
    yield "## Features that matter"
    yield _importance(found)
    if card.limits:
        yield "## Limits"
        yield "\n".join(f"- {escape_markdown(each)}" for each in card.limits)


def gates_table(gates: Sequence[GateResult]) -> str:
    """Lay out gates, missed ones first."""
    ordered = sorted(gates, key=lambda each: each.passed)
    rows = [
        (
            escape_markdown(each.name),
            "passed" if each.passed else "**missed**",
            shown(each),
            escape_markdown(each.why),
        )
        for each in ordered
    ]
    return markdown_table(("gate", "", "value and limit", "why"), rows)


def candidates_table(found: Evaluation) -> str:
    """Lay out candidates, best first by cross-validation."""
    ordered = sorted(found.candidates, key=lambda each: -each.cv_auc)
    header = ("candidate", "AUC, cross-validated", "AUC, held out", "AUC, training")
    rows = [_candidate_row(each, found.winner) for each in ordered]
    return markdown_table((*header, "accuracy", "F1 at its threshold", "Brier"), rows)


def _candidate_row(each: CandidateResult, winner: str) -> tuple[str, ...]:
    name = escape_markdown(each.name)
    return (
        f"**{name}**" if each.name == winner else name,
        f"{each.cv_auc:.4f} ± {each.cv_auc_sd:.4f}",
        f"{each.test.auc:.4f}",
        f"{each.train_auc:.4f}",
        f"{each.test.at_half.accuracy:.4f}",
        f"{each.test.at_threshold.f1:.3f} at {each.test.at_threshold.threshold:.2f}",
        f"{each.test.brier:.4f}",
    )


def _data(card: ModelCard, found: Evaluation) -> Iterator[str]:
    yield "## Data"
    share = f"{card.positive_share:.2%}"
    target = f"{escape_markdown(card.target)} {escape_markdown(card.positive)}"
    yield (
        f"{card.rows:,} rows, {share} of them {target}; {card.train_rows:,} for training "
        f"({escape_markdown(card.split)}). Of the {found.overlap.test_rows:,} rows held out, "
        f"{found.overlap.shared_keys:,} have their key and {found.overlap.shared_rows:,} all but "
        "their key in common with a training row."
    )
    yield "\n".join(
        f"- {escape_markdown(f'{each.namespace}/{each.source_id}')}: {short_digest(each.blob)}"
        for each in card.trained_on
    )


def _quality(best: CandidateResult) -> Iterator[str]:
    test = best.test
    chosen = test.at_threshold
    yield f"## Quality of {escape_markdown(best.name)} on {test.rows:,} rows held out"
    numbers = [(name.replace("_", " "), f"{value:.4f}") for name, value in test.flat().items()]
    yield markdown_table(("metric", "value"), numbers)
    yield (
        f"At the threshold {chosen.threshold:.2f}: {chosen.true_positives:,} true positives, "
        f"{chosen.false_negatives:,} false negatives, {chosen.false_positives:,} false positives, "
        f"{chosen.true_negatives:,} true negatives."
    )
    if test.slices:
        rows = [
            (
                f"{escape_markdown(each.column)} {escape_markdown(each.value)}",
                f"{each.rows:,}",
                f"{each.positives:,}",
                "too few" if each.auc is None else f"{each.auc:.4f}",
            )
            for each in test.slices
        ]
        yield markdown_table(("slice", "rows", "positives", "AUC"), rows)


def _importance(found: Evaluation) -> str:
    shown_features = list(found.importance.items())[:_MOST_FEATURES]
    rows = [(escape_markdown(name), f"{value:.4f}") for name, value in shown_features]
    return markdown_table(("feature", "loss of AUC when shuffled"), rows)
