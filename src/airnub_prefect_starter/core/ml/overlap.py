"""Whether test rows were seen in training: the mistake that makes a bad model look excellent."""

from __future__ import annotations

import pandas as pd

from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.ml.evaluation import Overlap
from airnub_prefect_starter.core.ml.rows import Flags


def measure_overlap(rows: pd.DataFrame, test: Flags, spec: ModelSpec) -> Overlap:
    """Count test rows that have their key, or all but their key, in common with a training row.

    Honest tables have a few rows that differ by their key alone; copies of a table have only such.
    """
    keys = rows[spec.key]
    contents = rows[[*spec.columns, spec.target]].apply(tuple, axis=1)
    return Overlap(
        test_rows=int(test.sum()),
        shared_keys=int(keys[test].isin(keys[~test]).sum()),
        shared_rows=int(contents[test].isin(set(contents[~test])).sum()),
    )
