"""The scripts of prototyping, one after the other, on a small made-up table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import (
    ConfigError,
    ContractError,
    DigestMismatchError,
    GateError,
    ObjectNotFoundError,
)
from airnub_prefect_starter.core.churn.synthetic import customers_csv
from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.tables import read_parquet
from airnub_prefect_starter.data_science import dataset_processing, feature_engineering
from airnub_prefect_starter.data_science import visualization_scripts as plots
from airnub_prefect_starter.data_science.config_ds import Paths, feature_options, model_spec, paths
from airnub_prefect_starter.data_science.modeling import predict, train

MODULES = (
    "config_ds",
    "dataset_processing",
    "feature_engineering",
    "modeling.train",
    "modeling.predict",
    "train_model",
    "visualization_scripts",
)
COUNT = 1500


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    """Give the department's specification with fewer candidates, and gates for so few rows."""
    whole = model_spec()
    gates = whole.gates.model_copy(update={"min_auc": 0.7, "min_slice_auc": 0.5})
    few = tuple(each for each in whole.candidates if each.kind in {"dummy", "logistic_regression"})
    return whole.model_copy(update={"gates": gates, "candidates": few})


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Process a small table."""
    root = tmp_path_factory.mktemp("workflow")
    table = root / "given.csv"
    table.write_bytes(customers_csv(COUNT))
    dataset_processing.main(source=str(table), root=root)
    feature_engineering.main(root=root)
    return paths(root)


def test_the_table_is_split_checked_and_prepared(found: Paths) -> None:
    assert found.raw_table.read_bytes() == customers_csv(COUNT)
    assert {path.name for path in found.interim.glob("*.csv")} == {
        "billing.csv",
        "customers.csv",
        "services.csv",
    }
    checked = json.loads(found.validation.read_text())
    assert [each["name"] for each in checked["sources"] if not each["accepted"]] == ["partner_feed"]
    assert len(read_parquet(found.prepared.read_bytes())) == COUNT


def test_features_are_those_of_the_feature_store(found: Paths) -> None:
    rows = read_parquet(found.features.read_bytes())
    step, _ = feature_options()

    assert {each.name for each in step.features} <= set(rows.columns)
    assert len(rows) == COUNT


def test_the_best_model_is_kept_foretells_and_is_drawn(found: Paths, spec: ModelSpec) -> None:
    trained = train.train_model(found, spec)
    rows = read_parquet(found.features.read_bytes())

    scored = predict.predict(found, spec, rows)

    assert trained.evaluation.winner == "logistic-regression"
    assert scored["probability"].is_monotonic_decreasing
    left = set(rows[rows["Churn"] == "Yes"]["customerID"])
    highest = scored.head(COUNT // 10)["customerID"].isin(left).mean()
    assert highest > 2 * scored["customerID"].isin(left).mean()
    drawn = plots.draw(found, spec)
    assert {path.name for path in drawn} == {
        f"{name}.png" for name in ("segments", "roc", "calibration", "importance")
    }
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)

    found.model(spec.name).write_bytes(b"PK\x03\x04")
    with pytest.raises(DigestMismatchError):
        predict.predict(found, spec, rows)


def test_doubled_rows_are_stopped_by_the_overlap_gate(found: Paths, spec: ModelSpec) -> None:
    doubled = Paths(found.root / "doubled")
    dataset_processing.main(
        source=str(found.raw_table), drop_identical_sources=False, root=doubled.root
    )
    feature_engineering.main(root=doubled.root)

    with pytest.raises(GateError, match="row_overlap"):
        train.train_model(doubled, spec)

    assert doubled.evaluation(spec.name).is_file()
    assert not doubled.model(spec.name).exists()


def test_a_broken_contract_stops_the_scripts_and_is_written_down(tmp_path: Path) -> None:
    table = tmp_path / "given.csv"
    table.write_bytes(customers_csv(50).replace(b"Month-to-month", b"Weekly", 1))

    with pytest.raises(ContractError, match="Contract"):
        dataset_processing.main(source=str(table), root=tmp_path)

    assert "Weekly" in paths(tmp_path).validation.read_text()
    assert not paths(tmp_path).prepared.exists()


def test_what_was_not_made_yet_is_named_with_its_script(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError, match=r"data_science\.dataset_processing` first"):
        feature_engineering.engineer(paths(tmp_path))


@pytest.mark.parametrize(
    ("source", "why"),
    [("gone.csv", r"gone\.csv: No such file"), ("ftp://a.example/b.csv", "--source: url: ")],
)
def test_a_source_that_cannot_be_read_is_named(tmp_path: Path, source: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        dataset_processing.main(source=source, root=tmp_path)


def test_the_settings_say_what_the_table_is_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TELCO_SOURCE", "AIRNUB_TELCO_CSV"):
        monkeypatch.delenv(name, raising=False)
    assert dataset_processing.configured_source() == "sample"
    monkeypatch.setenv("TELCO_SOURCE", "")
    assert dataset_processing.configured_source() == "sample"

    monkeypatch.setenv("TELCO_SOURCE", "https://tables.example/churn.csv")
    assert dataset_processing.configured_source() == "https://tables.example/churn.csv"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_program(module: str) -> None:
    name = f"airnub_prefect_starter.data_science.{module}"
    source = Path(sys.modules["airnub_prefect_starter"].__path__[0], *name.split(".")[1:])

    assert (
        'if __name__ == "__main__":\n    run_program(main)' in source.with_suffix(".py").read_text()
    )
    assert f"python -m {name}" in source.with_suffix(".py").read_text()


def test_a_program_ends_with_a_line_and_an_exit_code(tmp_path: Path) -> None:
    module = "airnub_prefect_starter.data_science.train_model"

    done = subprocess.run(
        [sys.executable, "-m", module, "--root", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == ObjectNotFoundError.exit_code
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: There is no ")
    assert "data_science.feature_engineering` first" in line
