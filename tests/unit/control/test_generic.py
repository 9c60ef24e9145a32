"""Flows of no department: when they run, and as what."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
import yaml

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.desired import DesiredState, ScheduleSpec
from airnub_prefect_starter.control.from_departments import desired_state
from airnub_prefect_starter.control.scope import EVERYTHING, Scope
from airnub_prefect_starter.core.cluster import GenericJobs
from airnub_prefect_starter.core.departments import load_catalog
from airnub_prefect_starter.core.generic_flows import GENERIC_FLOWS, load_generic_flows
from tests.cluster_kit import CLUSTER, write_cluster
from tests.project_kit import DEPARTMENT, make_project, own_flows, project_settings

FLOW = "flows/generic/report_drift_flow.py"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    with own_flows():
        project = make_project(tmp_path / "project")
        (project / FLOW).parent.mkdir()
        (project / FLOW).touch()
        (project / GENERIC_FLOWS).write_text("report_drift: {description: Tell.}\n")
        yield project


def desired(root: Path, **environ: str) -> DesiredState:
    settings: Settings = project_settings(
        root, **{"SOURCES_URL": "http://s", "SAMPLE_TOKEN": "x", **environ}
    )
    return desired_state(load_catalog(settings), settings, with_object_store=False)


def on_cluster(root: Path) -> DesiredState:
    return of_cluster(root, write_cluster(root.parent))


def of_cluster(root: Path, file: Path) -> DesiredState:
    return desired(root, AIRNUB_CLUSTER_FILE=str(file), AIRNUB_STORE_URL="s3://airnub/store")


def test_it_is_registered_like_the_others(root: Path) -> None:
    found = {each.name: each for each in desired(root).deployments}

    flow = found["generic.report_drift"]
    assert flow.key == "Report Drift Flow/generic.report_drift"
    assert flow.entrypoint == f"{FLOW}:report_drift_flow"
    assert flow.tags == ("airnub", "generic")
    assert flow.owners == ("generic",)
    assert flow.schedules == (ScheduleSpec("15 5 * * *", "UTC"),)
    assert (flow.pool, flow.queue) == ("airnub", None)


def test_its_pool_is_there_even_if_no_department_uses_it(root: Path) -> None:
    file = root / DEPARTMENT
    file.write_text(f"{file.read_text()}work_pool: own\n")

    pools = {each.name: each for each in desired(root).pools}

    assert set(pools) == {"airnub", "own"}
    assert (pools["airnub"].owners, pools["own"].owners) == ((), ("sample",))


def test_a_project_without_the_file_has_none(root: Path) -> None:
    (root / GENERIC_FLOWS).unlink()

    assert "generic.report_drift" not in {each.name for each in desired(root).deployments}


def test_a_flow_without_a_file_is_named(root: Path) -> None:
    (root / FLOW).unlink()

    with pytest.raises(ConfigError, match=r"there is no flows/generic/report_drift_flow\.py"):
        desired(root)


def test_a_mistake_in_the_file_is_placed(root: Path) -> None:
    (root / GENERIC_FLOWS).write_text("report_drift:\n  schedule: {cron: often}\n")

    with pytest.raises(ConfigError, match=r"generic_flows\.yaml:2:20: .*five fields"):
        load_generic_flows(root)


def test_on_a_cluster_it_is_a_job_of_the_release_without_a_key(root: Path) -> None:
    found = {each.name: each for each in on_cluster(root).deployments}

    flow = found["generic.report_drift"]
    assert (flow.path, flow.source, flow.pool) == (PurePosixPath("/app"), root, "airnub")
    variables = dict(flow.job_variables)
    assert variables["namespace"] == "airnub"
    assert variables["service_account_name"] == "airnub-generic"
    assert variables["image"] == CLUSTER["flows_image"]
    assert variables["store_key_optional"] is True
    assert variables["cluster_volume"] == {
        "name": "cluster",
        "configMap": {"name": "airnub-cluster"},
    }
    assert variables["cluster_mount"] == {
        "name": "cluster",
        "mountPath": "/etc/airnub",
        "readOnly": True,
    }
    environment = variables["env"]
    assert isinstance(environment, dict)
    assert environment["AIRNUB_CLUSTER_FILE"] == "/etc/airnub/cluster.yaml"
    assert environment["AIRNUB_HOME"] == "/tmp/airnub"  # noqa: S108 - in the pod
    assert environment["SOURCES_URL"] == "http://airnub-sources:8080"
    labels = variables["labels"]
    assert isinstance(labels, dict)
    assert labels == {**GenericJobs().labels, "airnub.io/generic": "report_drift"}
    # Only such runs start without a key.
    assert "store_key_optional" not in found["sample.ingestion"].job_variables


def test_a_release_that_does_not_say_how_has_none(root: Path) -> None:
    file = write_cluster(root.parent)
    cluster = yaml.safe_load(file.read_text())
    del cluster["generic"]
    file.write_text(yaml.safe_dump(cluster))

    found = {each.name for each in of_cluster(root, file).deployments}

    assert "sample.ingestion" in found
    assert "generic.report_drift" not in found


@pytest.mark.parametrize(
    ("scope", "owners", "expected"),
    [
        (EVERYTHING, (), True),
        (EVERYTHING, ("a",), True),
        (Scope(frozenset({"a"})), ("a", "b"), True),
        (Scope(frozenset({"a"})), ("b",), False),
        (Scope(frozenset({"a"})), (), False),
        (Scope(frozenset()), ("a",), False),
    ],
)
def test_whose_objects_are_looked_at(scope: Scope, owners: tuple[str, ...], expected: bool) -> None:
    assert scope.has(owners) is expected


def test_every_object_knows_whose_it_is(root: Path) -> None:
    state = desired(root)

    for kind in ("variables", "stores", "secrets", "queues", "limits", "pools"):
        assert {each.owners for each in getattr(state, kind)} == {("sample",)}, kind
    assert {each.owners for each in state.deployments} == {("sample",), ("generic",)}
    assert {each.tags for each in state.automations} == {("airnub", "department:sample")}
