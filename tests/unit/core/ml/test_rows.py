from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.ml.overlap import measure_overlap
from airnub_prefect_starter.core.ml.rows import model_input, training_rows
from airnub_prefect_starter.core.ml.split import held_out
from tests.ml_kit import SPEC, customers, spec

FRAME = customers()


def _one_class(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(left="No")


def _few(frame: pd.DataFrame) -> pd.DataFrame:
    yes = frame[frame["left"] == "Yes"].head(49)
    return pd.concat([frame[frame["left"] == "No"], yes])


def _with_nan(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(charges=frame["charges"].where(frame["months"] > 3))


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (FRAME.drop(columns="charges"), "lack the columns charges"),
        (_one_class(FRAME), "has the values No, expected were 'Yes' and one other"),
        (FRAME.assign(left="maybe"), "has the values maybe"),
        (_few(FRAME), "49 rows of left 'Yes' are too few"),
        (FRAME.head(0), "has the values none"),
        (_with_nan(FRAME), "missing values in charges"),
    ],
)
def test_refuses_rows_that_cannot_train(frame: pd.DataFrame, said: str) -> None:
    with pytest.raises(PayloadError, match=said):
        training_rows(frame, SPEC)


@pytest.mark.parametrize(
    ("charge", "said"), [(np.inf, "'charges' holds a value that is not finite"), ("a", "number")]
)
def test_refuses_numbers_that_are_none(charge: float | str, said: str) -> None:
    frame = FRAME.assign(charges=[charge, *FRAME["charges"][1:]])
    with pytest.raises(PayloadError, match=said):
        model_input(frame, SPEC.numeric, SPEC.categorical)


def test_the_order_in_which_rows_come_does_not_matter() -> None:
    shuffled = FRAME.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(training_rows(FRAME, SPEC), training_rows(shuffled, SPEC))


def test_a_stratified_split_keeps_the_share_of_positives() -> None:
    rows = training_rows(FRAME, SPEC)
    test = held_out(rows, SPEC)
    share = (rows["left"] == "Yes").mean()
    assert int(test.sum()) == 120
    assert (rows["left"] == "Yes")[test].mean() == pytest.approx(share, abs=0.01)


def test_a_row_stays_on_its_side_of_a_split_by_hash_when_others_come() -> None:
    by_hash = spec(split={"method": "hash"})
    rows = training_rows(FRAME, by_hash)
    kept = rows.iloc[::2].reset_index(drop=True)
    side = dict(zip(rows["customer"], held_out(rows, by_hash), strict=True))
    test = held_out(kept, by_hash)
    assert [side[key] for key in kept["customer"]] == list(test)
    assert 0.1 < test.mean() < 0.3


def test_copies_of_rows_are_seen_under_the_same_and_under_other_keys() -> None:
    honest = training_rows(FRAME, SPEC)
    doubled = training_rows(pd.concat([FRAME, FRAME]), SPEC)
    renamed = training_rows(
        pd.concat([FRAME, FRAME.assign(customer="x" + FRAME["customer"])]), SPEC
    )

    found = measure_overlap(honest, held_out(honest, SPEC), SPEC)
    assert (found.shared_keys, found.shared_rows) == (0, 0)
    found = measure_overlap(doubled, held_out(doubled, SPEC), SPEC)
    assert found.row_share == pytest.approx(0.8, abs=0.1)
    assert found.shared_keys == found.shared_rows
    found = measure_overlap(renamed, held_out(renamed, SPEC), SPEC)
    assert found.shared_keys == 0
    assert found.row_share == pytest.approx(0.8, abs=0.1)
