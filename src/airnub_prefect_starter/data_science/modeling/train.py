"""Train the department's candidates on features of this machine, and keep the best one.

Reads ``data/processed/features.parquet``; writes ``models/<name>.json`` (the evaluation of each
candidate), ``models/<name>.skops`` (the best one) and ``data/processed/held_out.parquet``. Of a
model that misses a gate only the evaluation is written, as ``models/<name>.rejected.json``: the
model before it stays.

Example: python -m airnub_prefect_starter.data_science.modeling.train
"""

from __future__ import annotations

from airnub_prefect_starter.common.errors import DigestMismatchError
from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.ml.evaluation import Evaluation
from airnub_prefect_starter.core.ml.gates import require as require_gates
from airnub_prefect_starter.core.ml.training import Training, train
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.tables import read_parquet, write_parquet
from airnub_prefect_starter.data_science.config_ds import Paths, model_spec, paths, written
from airnub_prefect_starter.data_science.program import RootOption, require, run_program, say


def train_model(found: Paths, spec: ModelSpec) -> Training:
    """Train every candidate, and write their evaluation and the best one.

    Raises:
        ObjectNotFoundError: There are no features yet. No retry.
        PayloadError: They are not what the specification says. No retry.
        GateError: The best candidate misses a gate; its evaluation is written aside. No retry.
    """
    rows = read_parquet(require(found.features, "feature_engineering").read_bytes())
    trained = train(rows, spec)
    evaluation = trained.evaluation.to_json()
    if trained.evaluation.missed:
        written(found.rejected(spec.name), evaluation)
    require_gates(trained.evaluation.gates, spec.name)
    found.rejected(spec.name).unlink(missing_ok=True)
    written(found.model(spec.name), trained.model_file)
    written(found.held_out, write_parquet(trained.scores))
    written(found.evaluation(spec.name), evaluation)
    return trained


def read_trained(found: Paths, spec: ModelSpec) -> tuple[Evaluation, bytes]:
    """Read back the evaluation that was written last, and its model file.

    Raises:
        ObjectNotFoundError: Nothing was trained yet, or the model missed a gate. No retry.
        DigestMismatchError: The model file is not the one that was evaluated. No retry.
    """
    about = require(found.evaluation(spec.name), "modeling.train")
    evaluation = Evaluation.model_validate_json(about.read_bytes())
    file = require(found.model(spec.name), "modeling.train")
    raw = file.read_bytes()
    if Digest.of(raw).text != evaluation.model_file:
        raise DigestMismatchError(
            f"{file} is not the model of {about}", "Run modeling.train again: it writes both"
        )
    return evaluation, raw


def main(root: RootOption = None) -> None:
    """Train the candidates, and show the AUC of each."""
    found, spec = paths(root), model_spec()
    trained = train_model(found, spec)
    for line in table_of(trained.evaluation):
        say(line)
    say(f"{trained.evaluation.winner} in {found.model(spec.name)}")


def table_of(evaluation: Evaluation) -> list[str]:
    """Give a line per candidate, the best one first: AUC by folds and on the rows held out."""
    ordered = sorted(evaluation.candidates, key=lambda each: -each.cv_auc)
    width = max(len(each.name) for each in ordered)
    return [
        f"{each.name:<{width}}  AUC {each.cv_auc:.4f} ± {each.cv_auc_sd:.4f} "
        f"in folds, {each.test.auc:.4f} held out"
        for each in ordered
    ]


if __name__ == "__main__":
    run_program(main)
