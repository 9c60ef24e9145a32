"""Validation: every source against its contract, all against each other, copies left out.

What was found is written down first, good or bad (`core_check_sources`). Only what is good is
accepted (`core_accept_sources`), and what follows reads the very bytes that were checked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

import pandas as pd

from airnub_prefect_starter.common.errors import CorruptObjectError
from airnub_prefect_starter.core import column_types, readers, tables
from airnub_prefect_starter.core.churn import columns, contracts, findings, sources, telco
from airnub_prefect_starter.core.churn.columns import KEY, SPLITS, columns_of
from airnub_prefect_starter.core.churn.contracts import (
    TABLE_RULES,
    broken_rules,
    check_coverage,
    check_source,
)
from airnub_prefect_starter.core.churn.findings import CheckedSource, Finding, Validation
from airnub_prefect_starter.core.churn.sources import merge_parts, read_source
from airnub_prefect_starter.core.churn.steps import ValidationStep
from airnub_prefect_starter.core.churn.telco import schema_of
from airnub_prefect_starter.core.derivation import (
    Derivation,
    code_digest,
    commit,
    find_unchanged,
    read_inputs,
)
from airnub_prefect_starter.core.lake import contracts as column_contracts
from airnub_prefect_starter.core.manifest_models import (
    DerivedManifest,
    DerivedOutput,
    DerivedResult,
    RowCounts,
    RunInfo,
)
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.table_schema import TableSchema
from airnub_prefect_starter.core.tables import table_digest

CHECKED, ACCEPTED = "checked", "validated"
VALIDATION = "validation.json"
_JSON = "application/json"
_TABLE = " + ".join(SPLITS)
_MODULES = (
    columns,
    contracts,
    findings,
    sources,
    telco,
    column_contracts,
    column_types,
    readers,
    tables,
)


def core_check_sources(
    store: Store, step: ValidationStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Check all sources and write down what was found, as ``checked``.

    Raises:
        ObjectNotFoundError: A source is not in the store; run ingestion first. No retry.
        PayloadError: A source is no CSV, or a column is missing. No retry.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    inputs = read_inputs(store, [*step.parts, *step.feeds])
    parameters = {
        "code": code_digest(*_MODULES, sys.modules[__name__]),
        "drop_identical_sources": step.drop_identical_sources,
    }
    derivation = Derivation(namespace, CHECKED, inputs, parameters)
    unchanged = find_unchanged(store, derivation)
    if unchanged:
        return unchanged
    raw = {each.source_id: read_source(store, each) for each in inputs}
    found = validate(raw, drop_identical_sources=step.drop_identical_sources)
    blob, _ = store.put_bytes(found.canonical(), media_type=_JSON)
    output = DerivedOutput(name=VALIDATION, blob=blob)
    return commit(store, derivation, [output], rows=_count(found), run=run or RunInfo())


def core_accept_sources(
    store: Store, checked: DerivedResult, *, run: RunInfo | None = None
) -> DerivedResult:
    """Accept what was checked if no rule is broken: ``validated``, made of the sources themselves.

    Raises:
        ContractError: A rule is broken; the message names it with its first rows. No retry.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    found = read_validation(store, checked)
    (report,) = checked.outputs
    found.require_passed(f"Correct the source. The report: airnub store get {report.blob.digest}")
    manifest = store.manifest(checked.manifest)
    if not isinstance(manifest, DerivedManifest):
        raise CorruptObjectError(f"{checked.manifest} is not derived", "Run `airnub store verify`")
    derivation = Derivation(checked.namespace, ACCEPTED, manifest.inputs, manifest.parameters)
    return find_unchanged(store, derivation) or commit(
        store, derivation, checked.outputs, rows=checked.rows, run=run or RunInfo()
    )


def core_validate_sources(
    store: Store, step: ValidationStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Check all sources and accept them.

    Raises:
        StarterError: As for `core_check_sources` and `core_accept_sources`.
    """
    checked = core_check_sources(store, step, namespace=namespace, run=run)
    return core_accept_sources(store, checked, run=run)


def read_validation(store: Store, result: DerivedResult) -> Validation:
    """Read back what was found, of a result of either name.

    Raises:
        StoreError: It is missing or corrupt. No retry.
    """
    blobs = {output.name: output.blob.digest for output in result.outputs}
    return Validation.model_validate_json(store.read_blob(blobs[VALIDATION]))


def validate(raw: Mapping[str, pd.DataFrame], *, drop_identical_sources: bool) -> Validation:
    """Check sources alone and against each other.

    Args:
        raw: Name → rows as text; the parts of the table, and feeds with all its columns.
        drop_identical_sources: Whether a feed that is a copy is left out, or only warned about.
    """
    checked = {name: check_source(name, rows, _schema(name)) for name, rows in raw.items()}
    typed = {name: rows for name, (rows, _) in checked.items()}
    parts = {name: rows for name, rows in typed.items() if name in SPLITS}
    whole = {_TABLE: _merge(parts)} | {n: r for n, r in typed.items() if n not in SPLITS}
    copies = _find_copies(whole)
    found = [finding for _, each in checked.values() for finding in each]
    found += check_coverage(parts)
    for name, rows in whole.items():
        found += broken_rules(name, rows, TABLE_RULES)
    found += _compare(whole, copies, dropped=drop_identical_sources)
    return Validation(
        sources=tuple(
            CheckedSource(
                name=name,
                rows=len(rows),
                content_digest=table_digest(rows, _schema(name)),
                accepted=not (drop_identical_sources and name in copies),
                copy_of=copies.get(name, ()),
            )
            for name, rows in typed.items()
        ),
        findings=tuple(found),
    )


def _find_copies(whole: Mapping[str, pd.DataFrame]) -> dict[str, tuple[str, ...]]:
    """Name for each table that repeats the rows of an earlier one, in any order, its sources."""
    first: dict[str, str] = {}
    copies = {}
    for name, rows in whole.items():
        original = first.setdefault(table_digest(rows, schema_of()), name)
        if original != name:
            copies[name] = tuple(original.split(" + "))
    return copies


def _compare(
    whole: Mapping[str, pd.DataFrame], copies: Mapping[str, tuple[str, ...]], *, dropped: bool
) -> Iterator[Finding]:
    """Warn about copies; refuse a feed that has only some of the same customers."""
    seen: set[str] = set()
    for name, rows in whole.items():
        keys = set(rows[KEY].dropna())
        if name in copies:
            yield _copy(name, copies[name], len(rows), dropped=dropped)
        elif shared := sorted(seen & keys):
            yield Finding(
                rule="a customer stands in one source, unless sources have the same rows",
                source=name,
                rows=len(shared),
                examples=tuple(shared[: findings.MAX_EXAMPLES]),
            )
        seen |= keys


def _copy(name: str, copied: tuple[str, ...], rows: int, *, dropped: bool) -> Finding:
    what = "left out" if dropped else "kept, so that every row counts twice"
    rule = f"its rows are those of {' + '.join(copied)}: {what}"
    return Finding(rule=rule, source=name, severity="warning", rows=rows)


def _merge(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    # Repeated keys are found on their own; each with each, they would be many rows here.
    merged = merge_parts({name: part.drop_duplicates(KEY) for name, part in parts.items()})
    # A row of the merged table is none of any file: its customer says which.
    return merged.set_axis(pd.Index(merged[KEY], name="customer"), axis=0)


def _schema(name: str) -> TableSchema:
    return schema_of(columns_of(name))


def _count(found: Validation) -> RowCounts:
    """Count rows of customers: the parts are one table."""
    first, *_ = SPLITS
    counted = [each for each in found.sources if each.name == first or each.name not in SPLITS]
    total = sum(each.rows for each in counted)
    kept = sum(each.rows for each in counted if each.accepted)
    return RowCounts(rows_in=total, rows_out=kept, rejected=0, duplicates=total - kept)
