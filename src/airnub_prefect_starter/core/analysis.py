"""From processed tables to stored summaries and plots, with their lineage."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO

import pandas as pd

from airnub_prefect_starter.core import plots, summaries
from airnub_prefect_starter.core.derivation import (
    Derivation,
    code_digest,
    commit,
    find_unchanged,
    read_inputs,
)
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedOutput,
    DerivedResult,
    RunInfo,
)
from airnub_prefect_starter.core.plots import PLOTS, PNG
from airnub_prefect_starter.core.steps import AnalysisStep
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.summaries import SUMMARIES
from airnub_prefect_starter.core.tables import read_parquet

CSV = "text/csv"


@dataclass(frozen=True)
class Findings:
    """What an analysis found: summaries by name, plots as PNG bytes by name."""

    summaries: Mapping[str, pd.DataFrame]
    plots: Mapping[str, bytes]


def core_analyze_and_store(
    store: Store, step: AnalysisStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Compute summaries (``<name>.csv``) and plots (``<name>.png``) and store them.

    Nothing is done where tables, choice and code are those of the last run.

    Raises:
        ObjectNotFoundError: A table's ref is missing; run processing first. No retry.
        PayloadError: A table is not Parquet. No retry.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    parameters = {
        "code": code_digest(summaries, plots, sys.modules[__name__]),
        "summaries": list(step.summaries),
        "plots": list(step.plots),
        "tables": dict(step.tables),
    }
    inputs = {name: read_inputs(store, [ref]) for name, ref in step.tables.items()}
    everything = tuple(each for name in sorted(inputs) for each in inputs[name])
    derivation = Derivation(namespace, step.source_id, everything, parameters)
    unchanged = find_unchanged(store, derivation)
    if unchanged:
        return unchanged
    tables = {name: _read_table(store, each) for name, each in inputs.items()}
    found = {name: SUMMARIES[name](tables) for name in step.summaries}
    drawn = {name: PLOTS[name](found) for name in step.plots}
    outputs = _put(store, Findings(found, drawn))
    return commit(store, derivation, outputs, run=run or RunInfo())


def read_findings(store: Store, result: DerivedResult) -> Findings:
    """Read back what an analysis stored, verified, whichever run computed it.

    Raises:
        StoreError: A blob is missing or corrupt. No retry.
    """
    found: dict[str, pd.DataFrame] = {}
    drawn: dict[str, bytes] = {}
    for output in result.outputs:
        raw = store.read_blob(output.blob.digest)
        name, _, kind = output.name.rpartition(".")
        if kind == "csv":
            found[name] = pd.read_csv(BytesIO(raw), keep_default_na=False, na_values=[""])
        else:
            drawn[name] = raw
    return Findings(found, drawn)


def _read_table(store: Store, inputs: tuple[DerivedInput, ...]) -> pd.DataFrame:
    parts = [read_parquet(store.read_blob(each.blob)) for each in inputs]
    return pd.concat(parts, ignore_index=True)


def _put(store: Store, findings: Findings) -> Iterator[DerivedOutput]:
    for name, frame in findings.summaries.items():
        text = frame.to_csv(index=False, lineterminator="\n")
        blob, _ = store.put_bytes(text.encode(), media_type=CSV)
        yield DerivedOutput(name=f"{name}.csv", blob=blob)
    for name, png in findings.plots.items():
        blob, _ = store.put_bytes(png, media_type=PNG)
        yield DerivedOutput(name=f"{name}.png", blob=blob)
