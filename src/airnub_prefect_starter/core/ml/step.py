"""From stored features to a stored training: evaluation, card, plots, report and the model file."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import pandas as pd

from airnub_prefect_starter.common.errors import ObjectNotFoundError
from airnub_prefect_starter.core.derivation import (
    Derivation,
    code_digest,
    commit,
    find_unchanged,
    put_outputs,
    read_input,
)
from airnub_prefect_starter.core.features import rounding
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedOutput,
    DerivedResult,
    RunInfo,
)
from airnub_prefect_starter.core.ml import (
    candidates,
    card,
    evaluation,
    gates,
    metrics,
    model_files,
    overlap,
    plots,
    report,
    rows,
    split,
    training,
)
from airnub_prefect_starter.core.ml.card import card_markdown, make_card
from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.ml.evaluation import Evaluation
from airnub_prefect_starter.core.ml.plots import draw_training
from airnub_prefect_starter.core.ml.report import HTML, TRAINING, render_report, template_digest
from airnub_prefect_starter.core.ml.training import Training, train
from airnub_prefect_starter.core.plots import PNG
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.tables import PARQUET, read_parquet, write_parquet

EVALUATION, CARD, CARD_DATA = "evaluation.json", "model_card.md", "model_card.json"
REPORT, HELD_OUT = "report.html", "held_out.parquet"
RELEASE = "release.json"
_JSON, _MARKDOWN = "application/json", "text/markdown"
_MODULES = (
    *(candidates, card, evaluation, gates, metrics, model_files, overlap, plots, report, rows),
    *(rounding, split, training),
)


def core_train_model(
    store: Store, spec: ModelSpec, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Train the candidates on stored features, and store all that is known of them.

    Outputs are ``evaluation.json``, ``model_card.md`` and ``.json``, plots, ``report.html``,
    ``held_out.parquet`` (the probabilities that each candidate gives the rows held out) and the
    best candidate as ``<name>.skops``. Nothing is done where features, options and code are those
    of the last run. Gates that are missed are in the evaluation: who registers requires them.

    Raises:
        ObjectNotFoundError: The features are not in the store; run the stage before. No retry.
        PayloadError: They are not what the specification says. No retry.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    features = read_input(store, spec.features, spec.file)
    inputs = (features, *_release(store, spec))
    parameters = {
        "code": training_code(),
        "layout": template_digest(TRAINING),
        "spec": spec.parameters(),
    }
    derivation = Derivation(namespace, spec.source_id, inputs, parameters)
    unchanged = find_unchanged(store, derivation)
    if unchanged:
        return unchanged
    trained = train(read_parquet(store.read_blob(features.blob)), spec)
    outputs = put_outputs(store, _files(trained, spec, inputs))
    return commit(store, derivation, outputs, run=run or RunInfo())


def training_code() -> str:
    """Give the digest of the text that trains: another one may train another model."""
    return code_digest(*_MODULES, sys.modules[__name__])


def read_evaluation(store: Store, result: DerivedResult) -> Evaluation:
    """Read back what a training found, whichever run did it.

    Raises:
        StoreError: A blob is missing or corrupt. No retry.
    """
    return Evaluation.model_validate_json(read_file(store, result, EVALUATION))


def read_held_out(store: Store, result: DerivedResult) -> pd.DataFrame:
    """Read back the rows held out: key, target and the probability by each candidate."""
    return read_parquet(read_file(store, result, HELD_OUT))


def read_plots(store: Store, result: DerivedResult) -> dict[str, bytes]:
    """Read back the plots of a training, by name."""
    names = [output.name for output in result.outputs if output.name.endswith(".png")]
    return {name.removesuffix(".png"): read_file(store, result, name) for name in names}


def read_file(store: Store, result: DerivedResult, name: str) -> bytes:
    """Read an output by its name."""
    return store.read_blob(output_named(result, name).blob.digest)


def output_named(result: DerivedResult, name: str) -> DerivedOutput:
    """Find an output by its name.

    Raises:
        ObjectNotFoundError: There is none. No retry.
    """
    for output in result.outputs:
        if output.name == name:
            return output
    raise ObjectNotFoundError(
        f"{result.namespace}/{result.source_id} has no output {name}",
        "Run its stage again with this version of the project",
    )


def model_file_name(found: Evaluation) -> str:
    """Name the output that holds the best candidate."""
    return f"{found.winner}.skops"


def _release(store: Store, spec: ModelSpec) -> tuple[DerivedInput, ...]:
    return () if spec.release is None else (read_input(store, spec.release, RELEASE),)


def _files(
    trained: Training, spec: ModelSpec, inputs: tuple[DerivedInput, ...]
) -> Mapping[str, tuple[bytes, str]]:
    found = trained.evaluation
    about = make_card(spec, found, inputs)
    drawn = draw_training(trained, spec)
    return {
        EVALUATION: (found.to_json(), _JSON),
        CARD: (card_markdown(about, found).encode(), _MARKDOWN),
        CARD_DATA: (about.to_json(), _JSON),
        REPORT: (render_report(about, found, drawn).encode(), HTML),
        HELD_OUT: (write_parquet(trained.scores), PARQUET),
        model_file_name(found): (trained.model_file, model_files.SKOPS),
        **{f"{name}.png": (png, PNG) for name, png in drawn.items()},
    }
