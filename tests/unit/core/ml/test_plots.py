from __future__ import annotations

import pytest

from airnub_prefect_starter.core.ml.plots import draw_training, plot_drift
from airnub_prefect_starter.core.ml.training import Training, train
from tests.ml_kit import SPEC, customers, spec

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def trained() -> Training:
    return train(customers(), SPEC)


def test_a_training_has_four_plots_that_come_out_alike(trained: Training) -> None:
    first, second = draw_training(trained, SPEC), draw_training(trained, SPEC)
    assert list(first) == ["segments", "roc", "calibration", "importance"]
    assert first == second
    assert all(png.startswith(PNG) and len(png) < 150_000 for png in first.values())
    assert "segments" not in draw_training(trained, spec(segments=()))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"Contract": 0.0},
        {f"column {number}": number / 100 for number in range(40)},
        {"Contract": 1.94, "tenure": 0.21, "gender": 0.001},
    ],
)
def test_drift_is_drawn_however_much_there_is(values: dict[str, float]) -> None:
    drawn = plot_drift(values, 0.1, 0.25)
    assert drawn == plot_drift(dict(reversed(values.items())), 0.1, 0.25)
    assert drawn.startswith(PNG)
