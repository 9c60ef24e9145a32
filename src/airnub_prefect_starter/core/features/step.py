"""From stored articles to a Delta table of features, with what was fitted and what it all means."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from airnub_prefect_starter.core import column_types, data_cleaning, readers, tables
from airnub_prefect_starter.core.data_cleaning import (
    CleanResult,
    clean,
    first_problem,
    read_rows,
    refuse_mostly_bad,
)
from airnub_prefect_starter.core.derivation import (
    REJECTED,
    Derivation,
    code_digest,
    commit,
    put_outputs,
    read_inputs,
)
from airnub_prefect_starter.core.features import (
    articles,
    categorical,
    engagement,
    metadata,
    plots,
    rounding,
    scaling,
    temporal,
    text,
    tfidf,
)
from airnub_prefect_starter.core.features.articles import (
    ARTICLES,
    FeatureModel,
    Features,
    fit,
    split,
    transform,
)
from airnub_prefect_starter.core.features.metadata import FeatureMetadata, describe
from airnub_prefect_starter.core.features.plots import draw_features
from airnub_prefect_starter.core.features.steps import FeatureStep
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.snapshots import (
    SNAPSHOT,
    find_unchanged_table,
    take_snapshot,
)
from airnub_prefect_starter.core.lake.writing import WriteInfo, overwrite
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedResult,
    RunInfo,
    canonical_json,
)
from airnub_prefect_starter.core.plots import PNG
from airnub_prefect_starter.core.steps import ProcessingStep
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.tables import PARQUET, write_parquet

ENCODERS, METADATA = "encoders.json", "metadata.json"
_JSON = "application/json"
_MODULES = (
    *(articles, categorical, engagement, metadata, plots, rounding, scaling, temporal, text, tfidf),
    *(column_types, data_cleaning, readers, tables),
)


def core_make_features(
    store: Store, step: FeatureStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Read articles, fit on the earliest, and replace the table of features in one commit.

    Outputs are the table's snapshot, ``encoders.json`` (all that was fitted), ``metadata.json``
    (what each feature is and the values it has), plots, and ``rejected.parquet`` where rows do not
    fit. Nothing is done where articles, options and code are those of the last run.

    Raises:
        ObjectNotFoundError: An input ref is missing; run ingestion first. No retry.
        PayloadError: Articles are not of the promised form, or too few. No retry.
        TableConflictError: Another run wrote the table at the same moment. A retry helps.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    run = run or RunInfo()
    parameters = {
        "code": code_digest(*_MODULES, sys.modules[__name__]),
        "step": step.model_dump(mode="json", include={"table", "train_percent", "terms"}),
    }
    inputs = read_inputs(store, step.inputs)
    derivation = Derivation(namespace, step.source_id, inputs, parameters)
    unchanged = find_unchanged_table(store, derivation, step.table)
    if unchanged:
        # The limit is no part of what the table is made of: a stricter one must be met all the same
        refuse_mostly_bad(
            _reading(step), unchanged.rows, f"see {REJECTED} of {namespace}/{step.source_id}"
        )
        return unchanged
    cleaned = _read_articles(store, inputs, step)
    training = split(cleaned.accepted, step.train_percent)
    model = fit(cleaned.accepted[training], step.terms)
    features = transform(model, cleaned.accepted, training)
    _write(store, step, features, WriteInfo(run, _digest(inputs)))
    snapshot = take_snapshot(Lake.of(store), step.table, key=("id",))
    about = describe(model, features, snapshot.digest)
    files = {
        f"{step.table.replace('/', '.')}.json": (snapshot.canonical(), SNAPSHOT),
        **_files(model, about, draw_features(features.natural), cleaned),
    }
    return commit(
        store,
        derivation,
        put_outputs(store, files),
        rows=cleaned.counts,
        table_digest=snapshot.digest,
        run=run,
    )


def read_metadata(store: Store, result: DerivedResult) -> tuple[FeatureMetadata, dict[str, bytes]]:
    """Read back the metadata and the plots (by name) of a result, whichever run computed it.

    Raises:
        StoreError: A blob is missing or corrupt. No retry.
    """
    blobs = {output.name: output.blob.digest for output in result.outputs}
    found = FeatureMetadata.model_validate_json(store.read_blob(blobs[METADATA]))
    drawn = {
        name.removesuffix(".png"): store.read_blob(digest)
        for name, digest in blobs.items()
        if name.endswith(".png")
    }
    return found, drawn


def _read_articles(
    store: Store, inputs: tuple[DerivedInput, ...], step: FeatureStep
) -> CleanResult:
    reading = _reading(step)
    cleaned = clean(read_rows(store, inputs, reading), ARTICLES)
    refuse_mostly_bad(reading, cleaned.counts, first_problem(cleaned))
    return cleaned


def _reading(step: FeatureStep) -> ProcessingStep:
    return ProcessingStep(
        source_id=step.source_id,
        inputs=step.inputs,
        table=ARTICLES,
        max_rejected_percent=step.max_rejected_percent,
    )


def _write(store: Store, step: FeatureStep, features: Features, info: WriteInfo) -> None:
    lake = Lake.of(store)
    lake.require_commits(step.table, "single")
    overwrite(lake, step.table, features.table, info, schema_change=True)


def _files(
    model: FeatureModel,
    about: FeatureMetadata,
    drawn: Mapping[str, bytes],
    cleaned: CleanResult,
) -> dict[str, tuple[bytes, str]]:
    files = {
        ENCODERS: (model.to_json(), _JSON),
        METADATA: (about.to_json(), _JSON),
        **{f"{name}.png": (png, PNG) for name, png in drawn.items()},
    }
    if not cleaned.rejected.empty:
        files[REJECTED] = (write_parquet(cleaned.rejected), PARQUET)
    return files


def _digest(inputs: tuple[DerivedInput, ...]) -> str:
    return Digest.of(canonical_json([each.blob for each in inputs])).text
