"""Which rows are held out."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.ml.rows import Flags, labels


def held_out(rows: pd.DataFrame, spec: ModelSpec) -> Flags:
    """Tell which rows are for testing; equal rows in equal order give an equal answer.

    Args:
        rows: As `training_rows` gives them.
        spec: Says how to split.
    """
    if spec.split.method == "hash":
        return _by_hash(rows[spec.key], spec.split.test_percent, spec.split.seed)
    _, test = train_test_split(
        np.arange(len(rows)),
        test_size=spec.split.test_percent / 100,
        stratify=labels(rows, spec),
        random_state=spec.split.seed,
    )
    chosen: Flags = np.zeros(len(rows), dtype=bool)
    chosen[test] = True
    return chosen


def _by_hash(keys: pd.Series[str], percent: int, seed: int) -> Flags:
    places = (hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8] for key in keys)
    return np.array([int.from_bytes(place) % 100 < percent for place in places], dtype=bool)
