"""``airnub reproduce`` as a user sees it: a table, an exit code, one line for a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from airnub_prefect_starter.core.churn import feature_step
from airnub_prefect_starter.core.churn.features import add_churn_features
from airnub_prefect_starter.core.releases.release import core_release_datasets, read_release
from airnub_prefect_starter.core.store import open_store
from flows.dept_customer_churn.versioning.dvc_release.config import CATEGORY, DvcReleaseConfig
from tests.churn_kit import TABLE
from tests.features_kit import build, own_config
from tests.unit.cli.kit import Project, require_one_line


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Give the address of a store with a release."""
    address = (tmp_path / "far").as_uri()
    store = open_store(address, durability="none")
    build(store, TABLE, tmp_path)
    config = own_config(CATEGORY.config_file, DvcReleaseConfig)
    core_release_datasets(store, config, namespace=CATEGORY.namespace)
    return address


def test_a_release_is_made_again_from_the_stores_address_alone(
    project: Project, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = project.run("reproduce", "customer_churn@1", "--store", address)

    assert done.code == 0, done.stderr
    assert "features.parquet" in done.text
    assert "customer_churn@1 is the same when made again" in done.text

    folder = tmp_path / "release"
    ref = "versioning.dvc_release/release"
    assert project.run("store", "get", ref, "--to", str(folder), "--url", address).code == 0
    pointers = read_release(open_store(address), "customer_churn", 1).pointers()
    found = {path.name: path.read_bytes() for path in folder.glob("*.dvc")}
    assert found == pointers

    monkeypatch.setattr(
        feature_step,
        "add_churn_features",
        lambda frame, options: add_churn_features(frame, options).assign(is_high_value=1),
    )
    other = project.run("reproduce", "customer_churn@1", "--store", address, "--json")

    assert other.code == 4
    assert other.json["equal"] is False
    assert "DifferencesError" in other.stderr
    assert {each["verdict"] for each in other.json["compared"]} == {"same", "different"}


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("customer_churn", 3, "is not NAME@NUMBER"),
        ("shop@1", 3, "Nobody knows how to make 'shop' again"),
        ("customer_churn@1", 22, "There is no release customer_churn@1"),
    ],
)
def test_a_mistake_is_one_line(
    project: Project, tmp_path: Path, name: str, code: int, message: str
) -> None:
    address = (tmp_path / "empty").as_uri()
    open_store(address, durability="none")

    require_one_line(project.run("reproduce", name, "--store", address), code, message)
