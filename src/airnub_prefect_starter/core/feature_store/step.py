"""From prepared rows to a feature table, with its registry, its profile and its rows as Parquet."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

import pandas as pd

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core import tables
from airnub_prefect_starter.core.derivation import (
    Derivation,
    code_digest,
    commit,
    put_outputs,
    read_input,
)
from airnub_prefect_starter.core.feature_store import profile, registry, table
from airnub_prefect_starter.core.feature_store.config import FeatureStoreStep
from airnub_prefect_starter.core.feature_store.profile import profile_features
from airnub_prefect_starter.core.feature_store.registry import (
    CREATED_AT,
    EVENT_TIMESTAMP,
    FeatureRegistry,
)
from airnub_prefect_starter.core.feature_store.table import digest_at, feature_rows, write_features
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.snapshots import (
    SNAPSHOT,
    TableSnapshot,
    find_unchanged_table,
    take_snapshot,
)
from airnub_prefect_starter.core.lake.writing import WriteInfo
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedResult,
    RowCounts,
    RunInfo,
)
from airnub_prefect_starter.core.monitoring import profiles, statistics
from airnub_prefect_starter.core.monitoring.profiles import Profile
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.tables import PARQUET, read_parquet, write_parquet

log = logging.getLogger(__name__)

REGISTRY, PROFILE, FEATURES = "registry.json", "profile.json", "features.parquet"
_JSON = "application/json"
_MODULES = (profile, profiles, registry, statistics, table, tables)


@dataclass(frozen=True)
class Computation:
    """How features are computed: prepared rows in; the key, the features and the label out.

    ``modules`` are those whose source text says whether it still is the same computation.
    """

    function: Callable[[pd.DataFrame], pd.DataFrame]
    modules: tuple[ModuleType, ...]


def core_build_features(
    store: Store,
    step: FeatureStoreStep,
    computation: Computation,
    *,
    namespace: str,
    run: RunInfo | None = None,
) -> DerivedResult:
    """Compute features of prepared rows and merge them into their table.

    Outputs are the table's snapshot, ``registry.json``, ``profile.json`` (the reference that drift
    is measured against) and ``features.parquet``: the rows of this step's date as they came, the
    time of writing left out, so that equal rows give equal bytes. The table has one row per key; a
    row that came twice is counted as a duplicate, and is twice in the Parquet file. The result's
    digest is that of the table's rows of this date.

    Raises:
        ObjectNotFoundError: The input is missing; run the stage before. No retry.
        TableSchemaError: The registry and what is computed differ. No retry.
        PayloadError: A value is missing or not finite, one key has two different rows, or there is
            no row. No retry.
        TableConflictError: Another run wrote the table at the same moment. A retry helps.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    run = run or RunInfo()
    found = read_input(store, step.input, step.output)
    derivation = _derivation(step, computation, found, namespace)
    unchanged = find_unchanged_table(store, derivation, step.table)
    if unchanged:
        return unchanged
    computed = computation.function(read_parquet(store.read_blob(found.blob)))
    rows = feature_rows(computed, step.registry, step.event_timestamp)
    unique = _one_row_per_key(rows, step.key)
    snapshot = _write(store, step, unique, WriteInfo(run, found.blob))
    return commit(
        store,
        derivation,
        put_outputs(store, _files(step, rows, snapshot)),
        rows=RowCounts(
            rows_in=len(rows),
            rows_out=len(unique),
            rejected=0,
            duplicates=len(rows) - len(unique),
        ),
        table_digest=digest_at(Lake.of(store), step.table, step.registry, step.event_timestamp),
        run=run,
    )


def read_registry(store: Store, result: DerivedResult) -> tuple[FeatureRegistry, Profile]:
    """Read back the registry and the profile of a result, whichever run computed it.

    Raises:
        StoreError: A blob is missing or corrupt. No retry.
    """
    blobs = {output.name: output.blob.digest for output in result.outputs}
    return (
        FeatureRegistry.model_validate_json(store.read_blob(blobs[REGISTRY])),
        Profile.model_validate_json(store.read_blob(blobs[PROFILE])),
    )


def _derivation(
    step: FeatureStoreStep, computation: Computation, found: DerivedInput, namespace: str
) -> Derivation:
    modules = (*_MODULES, sys.modules[__name__], *computation.modules)
    parameters = {"code": code_digest(*modules), "step": step.model_dump(mode="json")}
    return Derivation(namespace, step.source_id, (found,), parameters)


def _one_row_per_key(rows: pd.DataFrame, key: str) -> pd.DataFrame:
    unique = rows.drop_duplicates(ignore_index=True)
    repeated = unique[key][unique[key].duplicated()]
    if len(repeated):
        raise PayloadError(
            f"{key} {repeated.iloc[0]!r} has two different rows, as {len(repeated) - 1:,} others",
            "Prepare one row per key",
        )
    if len(unique) < len(rows):
        log.warning("%d rows came more than once", len(rows) - len(unique))
    return unique


def _write(
    store: Store, step: FeatureStoreStep, rows: pd.DataFrame, info: WriteInfo
) -> TableSnapshot:
    lake = Lake.of(store)
    lake.require_commits(step.table, "single")
    counts = write_features(lake, step.table, rows, step.registry, info, created_at=store.clock())
    log.info(
        "%s: %d rows new, %d updated, %d deleted",
        *(step.table, counts.inserted, counts.updated, counts.deleted),
    )
    return take_snapshot(lake, step.table, key=(step.key, EVENT_TIMESTAMP), without=(CREATED_AT,))


def _files(
    step: FeatureStoreStep, rows: pd.DataFrame, snapshot: TableSnapshot
) -> Mapping[str, tuple[bytes, str]]:
    found = profile_features(rows, step.registry, table=step.table)
    return {
        f"{step.table.replace('/', '.')}.json": (snapshot.canonical(), SNAPSHOT),
        REGISTRY: (step.registry.to_json(), _JSON),
        PROFILE: (found.model_dump_json().encode(), _JSON),
        FEATURES: (write_parquet(rows), PARQUET),
    }
