"""What a training found, as records that are stored; scikit-learn is not imported here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from airnub_prefect_starter.core.manifest_models import DigestText, Record
from airnub_prefect_starter.core.ml.config import CandidateKind

About = Literal["data", "model"]
Relation = Literal["at most", "at least"]


class Decisions(Record):
    """What comes of calling rows positive from a probability on."""

    threshold: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    accuracy: float
    precision: float
    recall: float
    f1: float


class CalibrationBin(Record):
    """Rows whose probabilities are next to each other: what was predicted, and what was so."""

    rows: int
    predicted: float
    observed: float


class SliceMetrics(Record):
    """How a model fares where a column has a value; no AUC where either class is too small."""

    column: str
    value: str
    rows: int
    positives: int
    auc: float | None


class Metrics(Record):
    """How good probabilities are on some rows.

    Attributes:
        lift_at_10: Share of positives in the tenth with the highest probabilities, over that of
            all rows.
        recall_at_20: Share of all positives that the highest fifth holds.
    """

    rows: int
    positives: int
    auc: float
    average_precision: float
    brier: float
    log_loss: float
    lift_at_10: float
    recall_at_20: float
    at_half: Decisions
    at_threshold: Decisions
    calibration: tuple[CalibrationBin, ...]
    slices: tuple[SliceMetrics, ...]

    def flat(self) -> dict[str, float]:
        """Give the numbers by name, as a registry and MLflow show them."""
        chosen = self.at_threshold
        return {
            "auc": self.auc,
            "average_precision": self.average_precision,
            "brier": self.brier,
            "log_loss": self.log_loss,
            "lift_at_10": self.lift_at_10,
            "recall_at_20": self.recall_at_20,
            "accuracy_at_half": self.at_half.accuracy,
            "f1_at_half": self.at_half.f1,
            "accuracy": chosen.accuracy,
            "precision": chosen.precision,
            "recall": chosen.recall,
            "f1": chosen.f1,
        }


class CandidateResult(Record):
    """One candidate: AUC by fold of the training rows, then what it does on the rows held out."""

    name: str
    kind: CandidateKind
    fold_auc: tuple[float, ...]
    cv_auc: float
    cv_auc_sd: float
    train_auc: float
    test: Metrics

    def numbers(self) -> dict[str, float]:
        """Give what a registry states of it: the metrics on the rows held out, and of the folds."""
        return {**self.test.flat(), "cv_auc": self.cv_auc}


class Overlap(Record):
    """How many test rows were seen in training, by key and by everything but the key."""

    test_rows: int
    shared_keys: int
    shared_rows: int

    @property
    def row_share(self) -> float:
        """Share of the test rows whose twin is in training."""
        return self.shared_rows / self.test_rows


class GateResult(Record):
    """A gate: what was measured, what it must be, and why that matters."""

    name: str
    about: About
    value: float
    relation: Relation
    limit: float
    passed: bool
    why: str


class Evaluation(Record):
    """All that a training found; equal rows and options give an equal evaluation."""

    schema_version: Literal[1] = 1
    name: str
    rows: int
    train_rows: int
    positives: int
    categories: Mapping[str, tuple[str, ...]]
    overlap: Overlap
    candidates: tuple[CandidateResult, ...]
    winner: str
    model_file: DigestText
    importance: Mapping[str, float] = Field(description="Loss of AUC when a feature is shuffled")
    gates: tuple[GateResult, ...]

    @property
    def best(self) -> CandidateResult:
        """The candidate that won."""
        return next(each for each in self.candidates if each.name == self.winner)

    @property
    def missed(self) -> tuple[GateResult, ...]:
        """The gates that are not passed."""
        return tuple(each for each in self.gates if not each.passed)

    def to_json(self) -> bytes:
        """Serialise; the shortest text that gives each float again, so nothing is lost."""
        return self.model_dump_json(indent=1).encode()
