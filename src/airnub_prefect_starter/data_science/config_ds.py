"""Where the files of prototyping are, and what the department's configuration says.

::

    data/raw           as it was published
    data/external      as others sent it
    data/interim       parts and what was found in them
    data/processed     rows that models are made of, and what models say of them
    models             model files, and what is known of them
    reports/figures    plots

Run it to see the paths: ``python -m airnub_prefect_starter.data_science.config_ds``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from airnub_prefect_starter.common.clock import utc_now
from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.core.churn.features import ChurnFeatureStep
from airnub_prefect_starter.core.configuration import (
    ConfigModel,
    Model,
    YamlDocument,
    validate,
)
from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.run_date import date_before, for_date
from airnub_prefect_starter.data_science.program import RootOption, run_program, say

_VALUES = Path("configs", "variables", "dept_customer_churn")
FEATURES_YAML = _VALUES / "transformation" / "feature_store.yaml"
MODEL_YAML = _VALUES / "model_building" / "training.yaml"


@dataclass(frozen=True)
class Paths:
    """The folders and files below one root; writing makes the folders."""

    root: Path

    @property
    def raw(self) -> Path:
        """Tables as they were published."""
        return self.root / "data" / "raw"

    @property
    def external(self) -> Path:
        """Tables as others sent them."""
        return self.root / "data" / "external"

    @property
    def interim(self) -> Path:
        """Parts of tables, and what was found in them."""
        return self.root / "data" / "interim"

    @property
    def processed(self) -> Path:
        """Rows that models are made of, and what models say of them."""
        return self.root / "data" / "processed"

    @property
    def models(self) -> Path:
        """Model files, each with a JSON file of what is known of it."""
        return self.root / "models"

    @property
    def figures(self) -> Path:
        """Plots."""
        return self.root / "reports" / "figures"

    @property
    def raw_table(self) -> Path:
        """The churn table."""
        return self.raw / "telco_customer_churn.csv"

    @property
    def partner_feed(self) -> Path:
        """A partner's copy of it."""
        return self.external / "partner_feed.csv"

    @property
    def validation(self) -> Path:
        """What the contracts found."""
        return self.interim / "validation.json"

    @property
    def prepared(self) -> Path:
        """One typed row per customer."""
        return self.processed / "prepared.parquet"

    @property
    def features(self) -> Path:
        """The same with the computed features."""
        return self.processed / "features.parquet"

    @property
    def held_out(self) -> Path:
        """Probabilities that each candidate gives the rows that it has not seen."""
        return self.processed / "held_out.parquet"

    @property
    def predictions(self) -> Path:
        """What the model says of rows."""
        return self.processed / "predictions.csv"

    def model(self, name: str) -> Path:
        """Give a model's file."""
        return self.models / f"{name}.skops"

    def rejected(self, name: str) -> Path:
        """Give the file of the evaluation of a model that missed a gate, and was not kept."""
        return self.models / f"{name}.rejected.json"

    def evaluation(self, name: str) -> Path:
        """Give the file of a model's evaluation."""
        return self.models / f"{name}.json"


def paths(root: Path | None = None) -> Paths:
    """Give the paths below a folder; by default the project's.

    Raises:
        ConfigError: This is no folder of the project, and none is given. No retry.
    """
    return Paths(root.resolve() if root else load_settings().project_root)


class _Training(ConfigModel):
    models: tuple[ModelSpec, ...] = Field(min_length=1)


def feature_step() -> ChurnFeatureStep:
    """Read the features and their thresholds, those of the department's feature store.

    A ``{date}`` in it is yesterday, as for a run of today.

    Raises:
        ConfigError: The file is wrong; one line per mistake. No retry.
    """
    return for_date(_read(FEATURES_YAML, ChurnFeatureStep), date_before(utc_now()))


def model_spec() -> ModelSpec:
    """Read what the department's model is to be.

    Raises:
        ConfigError: The file is wrong; one line per mistake. No retry.
    """
    return _read(MODEL_YAML, _Training).models[0]


def written(path: Path, data: bytes) -> Path:
    """Write a file and the folders above it, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _read(file: Path, model: type[Model]) -> Model:
    return validate(YamlDocument(load_settings().project_root / file, str(file)), model)


def main(root: RootOption = None) -> None:
    """Show where the files of prototyping are."""
    found = paths(root)
    for name in ("raw", "external", "interim", "processed", "models", "figures"):
        say(f"{name:<10} {getattr(found, name)}")


if __name__ == "__main__":
    run_program(main)
