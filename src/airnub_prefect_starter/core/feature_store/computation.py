"""What a feature table is computed by: a function of rows, and the text that it is written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import pandas as pd


@dataclass(frozen=True)
class Computation:
    """How features are computed: prepared rows in; the key, the features and the label out.

    ``modules`` are those whose source text says whether it still is the same computation.
    """

    function: Callable[[pd.DataFrame], pd.DataFrame]
    modules: tuple[ModuleType, ...]
