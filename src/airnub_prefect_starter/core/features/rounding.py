"""One rule for floats, so that features have one digest wherever they are computed.

Sums and functions of the C library may differ in the last of 16 digits between machines. Fitted
numbers are rounded to 12 significant digits and features to 9 decimals, each where it is made.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

SIGNIFICANT = 12
DECIMALS = 9


def significant(value: float) -> float:
    """Round a fitted number."""
    return float(f"{float(value):.{SIGNIFICANT}g}")


def all_significant(values: Any) -> tuple[float, ...]:
    """Round fitted numbers."""
    return tuple(significant(value) for value in values)


def rounded(frame: pd.DataFrame) -> pd.DataFrame:
    """Round the floats of a frame; there is no negative zero afterwards."""
    floats = frame.select_dtypes("float64")
    return frame.assign(**{str(name): floats[name].round(DECIMALS) + 0.0 for name in floats})
