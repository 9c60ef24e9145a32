"""Scores of a whole table of features by the champion, as a table of its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd

from airnub_prefect_starter.common.errors import CorruptObjectError, PayloadError
from airnub_prefect_starter.core import model_inference
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.derivation import Derivation, code_digest, only_output, read_inputs
from airnub_prefect_starter.core.feature_store.registry import EVENT_TIMESTAMP
from airnub_prefect_starter.core.features.rounding import DECIMALS
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.snapshots import (
    SNAPSHOT,
    TableSnapshot,
    commit_snapshot,
    find_unchanged_table,
    parse_snapshot,
    take_snapshot,
)
from airnub_prefect_starter.core.lake.writing import WriteInfo, overwrite
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedManifest,
    DerivedResult,
    RowCounts,
    RunInfo,
)
from airnub_prefect_starter.core.ml import rows as model_rows
from airnub_prefect_starter.core.ml.inference_steps import Band, ScoringStep
from airnub_prefect_starter.core.ml.lineage import model_input_of, parameters_of
from airnub_prefect_starter.core.ml.registry import ModelVersion
from airnub_prefect_starter.core.model_inference import ServedModel, load_model
from airnub_prefect_starter.core.store import Store

PROBABILITY, LABEL, SEGMENT = "probability", "label", "segment"
_MODULES = (model_inference, model_rows)


def core_score_table(
    store: Store, step: ScoringStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Score the newest rows by the champion, and replace the table of scores.

    Of a table of several times only the rows of the last one count: who is not among them has left.

    The table has the key, ``probability``, ``label`` (whether that reaches the model's threshold),
    ``segment``, the model's name, version and digest, and the version of the table of features.
    Nothing is done where features, champion, options and code are those of the last run.

    Raises:
        ObjectNotFoundError: There are no features, or no champion. No retry before there are.
        PayloadError: There is no row, or it has not the features of the champion. No retry.
        TableConflictError: Another run wrote the table at the same moment. A retry helps.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    run = run or RunInfo()
    model = load_model(store, step.model)
    table = _table_input(store, step.features)
    inputs = (table, model_input_of(store, model.version))
    parameters = {
        "code": code_digest(*_MODULES, sys.modules[__name__]),
        "step": parameters_of(step),
        "model_version": model.version.number,
    }
    derivation = Derivation(namespace, step.source_id, inputs, parameters)
    unchanged = find_unchanged_table(store, derivation, step.table)
    if unchanged:
        return unchanged
    snapshot = parse_snapshot(store, table.blob)
    found, older = _newest(store, snapshot, model.version)
    scores = score_rows(model, found, step.segments).assign(
        features_version=pd.Series(snapshot.version, index=found.index, dtype="int64")
    )
    lake = Lake.of(store)
    lake.require_commits(step.table, "single")
    overwrite(lake, step.table, scores, WriteInfo(run, snapshot.digest), schema_change=True)
    counts = RowCounts(
        rows_in=len(found) + older, rows_out=len(scores), rejected=0, duplicates=older
    )
    taken = take_snapshot(lake, step.table, key=(model.version.key,))
    return commit_snapshot(store, derivation, taken, rows=counts, run=run)


def score_rows(model: ServedModel, found: pd.DataFrame, bands: Sequence[Band]) -> pd.DataFrame:
    """Score rows of features: key, probability, label, segment and the model, in their order."""
    version = model.version
    probability = model.probabilities(found)
    starts = [band.from_probability for band in bands]
    names = np.array([band.name for band in bands], dtype=object)
    return pd.DataFrame(
        {
            version.key: found[version.key].astype("str"),
            PROBABILITY: np.round(probability, DECIMALS),
            LABEL: probability >= version.threshold,
            SEGMENT: names[np.searchsorted(starts, probability, side="right") - 1],
            "model": version.name,
            "model_version": np.full(len(found), version.number, dtype=np.int64),
            "model_digest": version.model_file.digest,
        },
        index=found.index,
    )


class Scores(ConfigModel):
    """What a table of scores comes to, and whom to call first.

    Attributes:
        segments: Segment → its rows, in the order of risk.
        top: Key and probability of the 20 rows with the highest probabilities.
    """

    table: str
    version: int
    rows: int
    positives: int
    segments: dict[str, int]
    top: tuple[tuple[str, float, str], ...]
    model: str
    model_version: int


def read_scores(store: Store, result: DerivedResult, step: ScoringStep, top: int = 20) -> Scores:
    """Summarise the scores that a result stands for, whichever run made them.

    Raises:
        StoreError: The table cannot be read.
    """
    snapshot = parse_snapshot(store, only_output(result, SNAPSHOT).blob.digest)
    (key,) = snapshot.key
    found = Lake.of(store).read(step.table, version=snapshot.version)
    first = found.sort_values([PROBABILITY, key], ascending=[False, True]).head(top)
    counted = found[SEGMENT].value_counts()
    return Scores(
        table=step.table,
        version=snapshot.version,
        rows=len(found),
        positives=int(found[LABEL].sum()),
        segments={band.name: int(counted.get(band.name, 0)) for band in step.segments},
        top=tuple(
            (str(row[key]), float(row[PROBABILITY]), str(row[SEGMENT]))
            for row in first.to_dict("records")
        ),
        model=str(found["model"].iloc[0]),
        model_version=int(found["model_version"].iloc[0]),
    )


def _table_input(store: Store, ref: str) -> DerivedInput:
    for each in read_inputs(store, [ref]):
        manifest = store.manifest(each.manifest)
        outputs = manifest.outputs if isinstance(manifest, DerivedManifest) else ()
        kinds = {output.blob.digest: output.blob.media_type for output in outputs}
        if kinds.get(each.blob) == SNAPSHOT:
            return each
    raise CorruptObjectError(f"{ref} is not that of a table", "See `airnub trace`")


def _newest(
    store: Store, snapshot: TableSnapshot, version: ModelVersion
) -> tuple[pd.DataFrame, int]:
    """Read the rows of the last time, ordered by key, and count the older ones."""
    times = [EVENT_TIMESTAMP] if EVENT_TIMESTAMP in snapshot.columns else []
    found = Lake.of(store).read(
        snapshot.table,
        columns=[version.key, *times, *(x for x in version.columns if x in snapshot.columns)],
        version=snapshot.version,
    )
    if found.empty:
        raise PayloadError(f"{snapshot.table} has no row", "Run the stage transformation again")
    last = found[found[EVENT_TIMESTAMP] == found[EVENT_TIMESTAMP].max()] if times else found
    newest = last.sort_values(version.key, kind="stable", ignore_index=True)
    return newest, len(found) - len(newest)
