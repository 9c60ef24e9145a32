from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.cluster import ClusterConfig, JobSpec, amount, load_cluster
from tests.cluster_kit import CLUSTER, write_cluster
from tests.project_kit import make_project, project_settings


def _load(folder: Path, **changes: Any) -> ClusterConfig:
    file = write_cluster(folder, **changes)
    found = load_cluster(project_settings(make_project(folder), AIRNUB_CLUSTER_FILE=str(file)))
    assert found is not None
    return found


def test_without_the_setting_there_is_no_cluster(tmp_path: Path) -> None:
    assert load_cluster(project_settings(make_project(tmp_path))) is None


def test_what_the_chart_writes_is_read(tmp_path: Path) -> None:
    found = _load(tmp_path)

    assert found.model_dump(mode="json", exclude={"departments"}) == CLUSTER
    assert found.namespace("dept-sample") == "airnub-dept-sample"


def test_an_old_chart_that_says_little_gets_defaults(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(
        "api_url: http://server/api\nflows_image: i\n"
        "s3: {secret_name: s}\ndepartment_secret_name: d\n"
    )

    found = load_cluster(project_settings(make_project(tmp_path), AIRNUB_CLUSTER_FILE=str(file)))

    assert found is not None
    assert found.job == JobSpec()
    assert (found.s3.endpoint_url, found.s3.embedded) == (None, False)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"flows_imag": "x"}, "flows_imag: unknown key"),
        ({"flows_image": ""}, "flows_image"),
        ({"release": "a-name-of-seventeen"}, "release"),
        ({"release": "Upper"}, "release"),
        ({"image_pull_policy": "Sometimes"}, "'IfNotPresent', 'Always' or 'Never'"),
        ({"s3": {"endpoint_url": None, "embedded": True}}, "needs endpoint_url"),
        ({"job": {"memory_limit": "1 GB"}}, "job.memory_limit"),
        ({"job": {"backoff_limit": -1}}, "job.backoff_limit"),
        ({"pools": {"airnub": {"concurrency_limit": 0}}}, "pools.airnub.concurrency_limit"),
        ({"self_healing": {"heartbeat_seconds": 10}}, "self_healing.heartbeat_seconds"),
        ({"self_healing": {"zombie_seconds": 100}}, "at least twice heartbeat_seconds"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_mistake_is_told_with_its_place(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        _load(tmp_path, **changes)

    assert "cluster.yaml" in caught.value.message


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    settings = project_settings(
        make_project(tmp_path), AIRNUB_CLUSTER_FILE=str(tmp_path / "missing.yaml")
    )

    with pytest.raises(ConfigError, match=r"missing\.yaml: no such file"):
        load_cluster(settings)


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("4", 4),
        ("0", 0),
        ("250m", "0.25"),
        ("1.5", "1.5"),
        ("1k", 1000),
        ("1Ki", 1024),
        ("2M", 2 * 10**6),
        ("512Mi", 512 * 2**20),
        ("1.5Gi", 1536 * 2**20),
        ("1G", 10**9),
        ("3T", 3 * 10**12),
        ("1Ti", 2**40),
        ("2P", 2 * 10**15),
        ("1Pi", 2**50),
        ("1E", 10**18),
        ("1Ei", 2**60),
        ("100u", "0.0001"),
        ("5n", "0.000000005"),
        ("1e3", 1000),
    ],
)
def test_quantities_are_numbers(quantity: str, expected: int | str) -> None:
    assert amount(quantity) == Decimal(expected)


def test_departments_are_read_as_the_chart_calls_their_fields(tmp_path: Path) -> None:
    department = {
        "displayName": "Sample",
        "namespace": "airnub-dept-sample",
        "serviceAccount": "flow-run",
        "workPool": "airnub",
        "quota": {"cpu": "1", "memory": "2Gi", "pods": 5},
        "image": None,
    }

    found = _load(tmp_path, departments={"sample": department})

    assert found.departments["sample"].model_dump(by_alias=True) == department
    assert yaml.safe_load((tmp_path / "cluster.yaml").read_text())["departments"]
