"""One batch of text as typed rows, unique by key; each other row is rejected or a duplicate."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from airnub_prefect_starter.core.lake.contracts import cast, check
from airnub_prefect_starter.core.lake.snapshots import BatchCounts
from airnub_prefect_starter.core.lake.steps import BATCH, BLOB, ROW, ForeignKey, SilverStep

Keys = Mapping[ForeignKey, pd.MultiIndex]


@dataclass(frozen=True)
class Refined:
    """What became of a batch's rows.

    Attributes:
        accepted: The contract's columns, then the batch and the row that each came from.
        rejected: A line per problem: batch, bytes, row, rule, column, value, the row as JSON.
        flags: Which accepted rows each rule that only warns is about; a column per rule.
        counts: Rows in, out, rejected and duplicate; warnings and rejections by rule.
    """

    accepted: pd.DataFrame
    rejected: pd.DataFrame
    flags: pd.DataFrame
    counts: BatchCounts

    def without(self, keys: pd.DataFrame) -> Refined:
        """Count rows with some keys as duplicates: those that an earlier batch has."""
        if keys.empty:
            return self
        names = list(keys.columns)
        shared = pd.MultiIndex.from_frame(self.accepted[names]).isin(pd.MultiIndex.from_frame(keys))
        count = int(shared.sum())
        flags = self.flags[~shared].reset_index(drop=True)
        update = {
            "warnings": _flagged(flags),
            "rows_out": self.counts.rows_out - count,
            "duplicates": self.counts.duplicates + count,
            "shared": count,
        }
        accepted = self.accepted[~shared].reset_index(drop=True)
        return Refined(accepted, self.rejected, flags, self.counts.model_copy(update=update))


def refine(raw: pd.DataFrame, step: SilverStep, keys: Keys, source: str) -> Refined:
    """Type, check and deduplicate one batch.

    Of good rows with one key the first counts, whatever line it stands on: duplicates are found
    before a row is given the names of its batch and line.

    Args:
        raw: Rows of one batch of the bronze table, in the order of their lines.
        step: What they must be.
        keys: The values that each foreign key may have.
        source: Digest of the batch, for the counts.
    """
    raw = raw.reset_index(drop=True)
    typed, problems = cast(raw, step.contract)
    problems = _joined(problems, check(typed, step.contract))
    orphans = {each: _orphans(typed, each, allowed) for each, allowed in keys.items()}
    strict = [_problems_of(typed, each, bad) for each, bad in orphans.items() if _rejects(each)]
    problems = pd.concat([problems, *strict], ignore_index=True)
    good = typed[~typed.index.isin(problems["position"])]
    repeated = good.duplicated(subset=list(step.contract.key), keep="first")
    unique = good[~repeated]
    flags = pd.DataFrame(
        {
            **{each.rule: bad[unique.index] for each, bad in orphans.items()},
            **{each.missing_rule: _refers_to_nothing(unique, each) for each in orphans},
        },
        index=unique.index,
    ).reset_index(drop=True)
    counts = BatchCounts(
        rows_in=len(raw),
        rows_out=len(unique),
        rejected=len(raw) - len(good),
        duplicates=int(repeated.sum()),
        source=source,
        warnings=_flagged(flags),
        rejected_by=_by_rule(problems),
    )
    accepted = unique.join(raw[[BATCH, ROW]]).reset_index(drop=True)
    return Refined(accepted, _quarantined(raw, problems), flags, counts)


def _rejects(foreign_key: ForeignKey) -> bool:
    return foreign_key.severity == "error"


def _joined(types: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """Join problems; a text of the wrong type is not missing as well."""
    wrong = pd.MultiIndex.from_frame(types[["position", "column"]])
    here = pd.MultiIndex.from_frame(values[["position", "column"]])
    return pd.concat([types, values[~here.isin(wrong)]], ignore_index=True)


def _orphans(
    typed: pd.DataFrame, foreign_key: ForeignKey, allowed: pd.MultiIndex
) -> pd.Series[bool]:
    """Mark rows whose values stand in no row of the other table; a missing one refers to none."""
    columns = typed[list(foreign_key.columns)]
    known = pd.MultiIndex.from_frame(columns).isin(allowed)
    return pd.Series(~known, typed.index) & columns.notna().all(axis="columns")


def _refers_to_nothing(rows: pd.DataFrame, foreign_key: ForeignKey) -> pd.Series[bool]:
    return rows[list(foreign_key.columns)].isna().any(axis="columns")


def _flagged(flags: pd.DataFrame) -> dict[str, int]:
    return {str(rule): int(count) for rule, count in flags.sum().items() if count}


def _problems_of(
    typed: pd.DataFrame, foreign_key: ForeignKey, bad: pd.Series[bool]
) -> pd.DataFrame:
    found = typed.loc[bad, list(foreign_key.columns)]
    values = [", ".join(map(str, row)) for row in found.itertuples(index=False)]
    return pd.DataFrame(
        {
            "position": found.index,
            "column": ", ".join(foreign_key.columns),
            "rule": foreign_key.rule,
            "value": values,
        }
    )


def _by_rule(problems: pd.DataFrame) -> dict[str, int]:
    named = problems["column"] + ": " + problems["rule"]
    return {str(rule): int(count) for rule, count in named.value_counts().sort_index().items()}


def _quarantined(raw: pd.DataFrame, problems: pd.DataFrame) -> pd.DataFrame:
    rows = raw.loc[problems["position"]]
    records = [
        json.dumps({name: _text(value) for name, value in row.items()}, ensure_ascii=False)
        for row in rows.drop(columns=[BATCH, BLOB, ROW]).to_dict("records")
    ]
    lines = rows[[BATCH, BLOB, ROW]].reset_index(drop=True)
    return lines.assign(
        rule=problems["rule"].to_numpy(),
        column=problems["column"].to_numpy(),
        value=problems["value"].to_numpy(),
        record=pd.Series(records, dtype="str"),
    ).astype({"rule": "str", "column": "str", "value": "str"})


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
