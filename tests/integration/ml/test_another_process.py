"""Equal rows give an equal model, whichever process trains it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from airnub_prefect_starter.core.ml.evaluation import Evaluation
from airnub_prefect_starter.core.ml.training import train
from tests.ml_kit import BOOSTING, DUMMY, FOREST, LOGISTIC, customers, spec

PROJECT = Path(__file__).parents[3]
EVERYTHING = spec(candidates=(DUMMY, LOGISTIC, BOOSTING, FOREST))
ELSEWHERE = """
from airnub_prefect_starter.core.ml.training import train
from tests.integration.ml.test_another_process import EVERYTHING
from tests.ml_kit import customers
print(train(customers(), EVERYTHING).evaluation.model_dump_json())
"""


def test_equal_rows_give_equal_metrics_and_model_files() -> None:
    # Other hashes of texts, and more threads than one for whoever takes them.
    environment = {**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "3"}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        check=True,
        timeout=300,
    )
    assert Evaluation.model_validate_json(done.stdout) == train(customers(), EVERYTHING).evaluation
