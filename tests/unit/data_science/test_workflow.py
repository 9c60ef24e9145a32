"""The scripts of prototyping, one after the other, on a small synthetic table."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from airnub_prefect_starter.common.errors import (
    ConfigError,
    ContractError,
    DigestMismatchError,
    GateError,
    ObjectNotFoundError,
    PayloadError,
)
from airnub_prefect_starter.core.churn.synthetic import customers_csv
from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.ml.evaluation import Evaluation
from airnub_prefect_starter.core.tables import read_parquet, write_parquet
from airnub_prefect_starter.data_science import (
    config_ds,
    dataset_processing,
    feature_engineering,
)
from airnub_prefect_starter.data_science import visualization_scripts as plots
from airnub_prefect_starter.data_science.config_ds import Paths, feature_step, model_spec, paths
from airnub_prefect_starter.data_science.modeling import predict, train
from airnub_prefect_starter.data_science.program import command_line

ROOT = Path(__file__).parents[3]
# In the order in which each finds what those before it wrote.
PROGRAMS: Mapping[str, Callable[..., None]] = {
    "config_ds": config_ds.main,
    "dataset_processing": dataset_processing.main,
    "feature_engineering": feature_engineering.main,
    "modeling.train": train.main,
    "modeling.predict": predict.main,
    "visualization_scripts": plots.main,
}
COUNT = 1500
PROJECT = "AIRNUB_PROJECT_ROOT"


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    """Give the department's specification with fewer candidates, and gates for so few rows."""
    whole = model_spec()
    gates = whole.gates.model_copy(update={"min_auc": 0.7, "min_slice_auc": 0.5})
    few = tuple(each for each in whole.candidates if each.kind in {"dummy", "logistic_regression"})
    return whole.model_copy(update={"gates": gates, "candidates": few})


@dataclass(frozen=True)
class Ran:
    """Where the programs have run, and what each printed."""

    found: Paths
    printed: Mapping[str, str]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, spec: ModelSpec) -> Ran:
    """Run the programs one after the other, as people do, on a small table."""
    root = tmp_path_factory.mktemp("workflow")
    table = root / "given.csv"
    table.write_bytes(customers_csv(COUNT))
    given = {"dataset_processing": ["--source", str(table)]}
    printed = {}
    with pytest.MonkeyPatch.context() as patched:
        for module in (train, predict, plots):
            patched.setattr(module, "model_spec", lambda: spec)
        for name, main in PROGRAMS.items():
            printed[name] = invoke(main, *given.get(name, ()), "--root", str(root))
    return Ran(paths(root), printed)


@pytest.fixture(scope="module")
def found(ran: Ran) -> Paths:
    return ran.found


def invoke(main: Callable[..., None], *arguments: str) -> str:
    done = CliRunner().invoke(command_line(main), arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("config_ds", r"^processed +/.*data/processed$"),
        ("dataset_processing", rf"^{COUNT:,} customers in .*prepared\.parquet$"),
        ("feature_engineering", rf"^{COUNT:,} rows of 28 columns in .*features\.parquet$"),
        ("modeling.train", r"^logistic-regression +AUC 0\.\d+ ± .* held out$"),
        ("modeling.predict", rf"^[\d,]+ of {COUNT:,} will leave: .*predictions\.csv$"),
        ("visualization_scripts", r"^/.*reports/figures/roc\.png$"),
    ],
)
def test_each_program_says_what_it_made(ran: Ran, name: str, told: str) -> None:
    assert re.search(told, ran.printed[name], re.MULTILINE)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the modules are imported already
@pytest.mark.parametrize("module", [*PROGRAMS, "train_model"])
def test_every_module_is_a_program(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRNUB_PROJECT_ROOT", str(ROOT))
    monkeypatch.setattr(sys, "argv", [module, "--help"])

    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"airnub_prefect_starter.data_science.{module}", run_name="__main__")

    assert ended.value.code == 0
    assert "--root" in capsys.readouterr().out


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
    step = feature_step()

    assert {each.name for each in step.features} <= set(rows.columns)
    assert len(rows) == COUNT


def test_the_best_model_is_kept_and_predicts(found: Paths, spec: ModelSpec) -> None:
    rows = read_parquet(found.features.read_bytes())

    scored = predict.predict(found, spec, rows)

    evaluation, _ = train.read_trained(found, spec)
    assert evaluation.winner == "logistic-regression"
    assert scored["probability"].is_monotonic_decreasing
    left = set(rows[rows["Churn"] == "Yes"]["customerID"])
    highest = scored.head(COUNT // 10)["customerID"].isin(left).mean()
    assert highest > 2 * scored["customerID"].isin(left).mean()


def test_other_rows_are_scored_too(
    found: Paths, spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "model_spec", lambda: spec)
    copy = copied(found, tmp_path)
    few = tmp_path / "few.parquet"
    few.write_bytes(write_parquet(read_parquet(found.features.read_bytes()).head(10)))

    printed = invoke(predict.main, "--input", str(few), "--root", str(copy.root))

    assert " of 10 will leave: " in printed
    assert len(copy.predictions.read_text().splitlines()) == 11


def test_the_data_and_the_model_are_drawn(found: Paths) -> None:
    drawn = [*found.figures.iterdir()]

    assert {path.stem for path in drawn} == {"segments", "roc", "calibration", "importance"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)


def test_another_model_than_the_evaluated_one_is_refused(
    found: Paths, spec: ModelSpec, tmp_path: Path
) -> None:
    copy = copied(found, tmp_path)
    copy.model(spec.name).write_bytes(b"PK\x03\x04")

    with pytest.raises(DigestMismatchError, match=r"Run modeling\.train again"):
        predict.predict(copy, spec, read_parquet(copy.features.read_bytes()))
    with pytest.raises(DigestMismatchError):
        plots.draw(copy, spec)


def test_doubled_rows_are_stopped_by_the_overlap_gate_and_the_model_before_stays(
    found: Paths, spec: ModelSpec, tmp_path: Path
) -> None:
    doubled = copied(found, tmp_path)
    dataset_processing.main(
        source=str(found.raw_table), drop_identical_sources=False, root=doubled.root
    )
    feature_engineering.main(root=doubled.root)

    with pytest.raises(GateError, match="row_overlap"):
        train.train_model(doubled, spec)

    missed = Evaluation.model_validate_json(doubled.rejected(spec.name).read_bytes()).missed
    assert "row_overlap" in {gate.name for gate in missed}
    assert train.read_trained(doubled, spec) == train.read_trained(found, spec)
    assert doubled.held_out.read_bytes() == found.held_out.read_bytes()


def copied(found: Paths, folder: Path) -> Paths:
    """Copy what the programs have written."""
    return Paths(shutil.copytree(found.root, folder / "copy"))


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


@pytest.mark.parametrize("named", [True, False])
def test_a_program_finds_its_project_wherever_it_is_started(tmp_path: Path, named: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name != PROJECT}
    if named:
        environment[PROJECT] = str(ROOT)

    done = subprocess.run(
        [sys.executable, "-m", "airnub_prefect_starter.data_science.config_ds"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert str(ROOT / "models") in done.stdout


def test_rows_without_a_key_are_refused(ran: Ran, spec: ModelSpec) -> None:
    rows = read_parquet(ran.found.features.read_bytes()).drop(columns=spec.key)

    with pytest.raises(PayloadError, match=f"lack the columns {spec.key}"):
        predict.predict(ran.found, spec, rows)


def test_a_program_ends_with_a_line_and_an_exit_code(tmp_path: Path) -> None:
    module = "airnub_prefect_starter.data_science.train_model"

    done = subprocess.run(
        [sys.executable, "-m", module, "--root", str(tmp_path)],
        cwd=tmp_path,  # which is no folder of the project
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == ObjectNotFoundError.exit_code
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: There is no ")
    assert "data_science.feature_engineering` first" in line
