"""Train the model: `modeling.train` under the name that the workflow's description uses.

Example: python -m airnub_prefect_starter.data_science.train_model
"""

from __future__ import annotations

from airnub_prefect_starter.data_science.modeling.train import main
from airnub_prefect_starter.data_science.program import run_program

if __name__ == "__main__":
    run_program(main)
