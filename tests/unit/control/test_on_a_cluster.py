"""What is registered where the settings name a cluster's file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.control.desired import ContentStoreSpec, DesiredState, EventRuleSpec
from airnub_prefect_starter.control.environment import RUN_ENVIRONMENT
from airnub_prefect_starter.control.from_departments import desired_state
from airnub_prefect_starter.control.store_users import object_store
from airnub_prefect_starter.core.cluster import load_cluster
from airnub_prefect_starter.core.departments import load_catalog
from tests.cluster_kit import CLUSTER, write_cluster, write_users
from tests.project_kit import DEPARTMENT, make_project, own_flows, project_settings

ROOT_PASSWORD = "root's own"  # noqa: S105


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    with own_flows():
        yield make_project(tmp_path / "project")


def _desired(root: Path, *, environ: dict[str, str] | None = None, **changes: Any) -> DesiredState:
    given = {
        "AIRNUB_CLUSTER_FILE": str(write_cluster(root.parent, **changes)),
        "AIRNUB_STORE_URL": "s3://airnub/store",
        "SOURCES_URL": "http://airnub-sources:8080",
        "SAMPLE_TOKEN": "not for blocks",
        **(environ or {}),
    }
    settings = project_settings(root, **given)
    return desired_state(load_catalog(settings), settings)


def _edit(root: Path, addition: str) -> None:
    file = root / DEPARTMENT
    file.write_text(f"{file.read_text()}{addition}\n")


def test_runs_are_jobs_in_the_department_s_namespace(root: Path) -> None:
    desired = _desired(root)

    found = {each.name: each for each in desired.deployments}
    stage = found["sample.ingestion"]
    assert (stage.path, stage.source) == (PurePosixPath("/app"), root)
    assert stage.job_variables == {
        "env": {
            **RUN_ENVIRONMENT,
            "PREFECT_DEFAULT_RESULT_STORAGE_BLOCK": "content-store/sample",
        },
        "image": CLUSTER["flows_image"],
        "namespace": "airnub-dept-sample",
        "service_account_name": "flow-run",
        "labels": {"airnub.io/department": "sample", "airnub.io/stage": "ingestion"},
    }
    assert found["sample.ingestion.files"].job_variables["labels"] == {
        "airnub.io/department": "sample",
        "airnub.io/stage": "ingestion",
        "airnub.io/category": "files",
    }


def test_a_department_can_ask_for_other_jobs(root: Path) -> None:
    _edit(
        root,
        "kubernetes: {namespace: apart, service_account: robot, job: {image: 'own:1',"
        " cpu_request: '1', memory_request: 1Gi, memory_limit: 2Gi, active_deadline_seconds: 60,"
        " scratch_size_limit: 5Gi}}",
    )

    desired = _desired(root, release="two")

    variables = dict(desired.deployments[0].job_variables)
    assert {**variables, "env": None, "labels": None} == {
        "env": None,
        "labels": None,
        "image": "own:1",
        "namespace": "two-apart",
        "service_account_name": "robot",
        "cpu_request": "1",
        "memory_request": "1Gi",
        "memory_limit": "2Gi",
        "active_deadline_seconds": 60,
        "scratch_size_limit": "5Gi",
    }


def test_pools_are_of_kubernetes_and_get_the_limits_of_the_release(root: Path) -> None:
    (pool,) = _desired(root).pools

    assert (pool.name, pool.type, pool.concurrency_limit) == ("airnub", "kubernetes", 20)
    assert pool.template_patch is not None
    (unlimited,) = _desired(root, pools={"airnub": {}}).pools
    assert unlimited.concurrency_limit is None


@pytest.mark.parametrize("embedded", [True, False])
def test_runs_wait_for_the_release_s_own_server_alone(root: Path, embedded: bool) -> None:
    (pool,) = _desired(root, api_embedded=embedded).pools

    # One outside may be behind a proxy, through which a bare connection does not go.
    assert ("wait-for-api" in json.dumps(pool.template_patch)) is embedded


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("{memory: 2Gi}", 2), ("{memory: 8Gi}", 3)],
    ids=["room for less than the queue allows", "room for more"],
)
def test_a_queue_lets_no_more_run_than_have_room(root: Path, quota: str, expected: int) -> None:
    _edit(root, f"kubernetes: {{quota: {quota}}}")

    (queue,) = _desired(root).queues

    assert queue.concurrency_limit == expected


def test_a_queue_without_a_limit_has_that_of_the_quota(root: Path) -> None:
    file = root / DEPARTMENT
    file.write_text(file.read_text().replace("concurrency_limit: 3, ", ""))

    (queue,) = _desired(root).queues

    assert queue.concurrency_limit == 8


def _isolate(root: Path) -> None:
    file = root / DEPARTMENT
    file.write_text(
        file.read_text().replace("  processing:\n", "  processing:\n    isolation: job\n")
    )


def test_stages_and_the_categories_they_wait_for_share_the_quota(root: Path) -> None:
    _isolate(root)
    _edit(root, "kubernetes: {quota: {memory: 6Gi}}")

    limits = {each.name: each.concurrency_limit for each in _desired(root).queues}

    assert limits == {"sample": 2, "sample-categories": 4}


def test_backfills_and_runs_that_are_due_share_the_quota(root: Path) -> None:
    _edit(root, "kubernetes: {quota: {memory: 4Gi}}\nbackfill: {concurrency_limit: 2}")

    limits = {each.name: each.concurrency_limit for each in _desired(root).queues}

    assert limits == {"sample": 2, "sample-backfill": 2}


def test_a_pool_that_waiting_stages_could_fill_is_refused(root: Path) -> None:
    _isolate(root)

    with pytest.raises(ConfigError, match="Work pool airnub lets 1 run at once"):
        _desired(root, pools={"airnub": {"concurrency_limit": 1}})


def test_no_secret_is_registered(root: Path) -> None:
    desired = _desired(root)

    assert desired.secrets == ()
    assert "not for blocks" not in repr(desired)


def test_stores_are_in_the_bucket(root: Path) -> None:
    (store,) = _desired(root).stores

    assert store == ContentStoreSpec(
        name="sample",
        department="sample",
        url="s3://airnub/store/sample",
        durability="none",
        endpoint_url=CLUSTER["s3"]["endpoint_url"],
        region="us-east-1",
        credentials_secret="airnub-s3",  # noqa: S106 - a name
    )


def test_lost_runs_are_looked_for_in_the_departments_namespaces(root: Path) -> None:
    rules = {
        each.name: each
        for each in _desired(root, self_healing={"zombie_seconds": 300}).automations
        if isinstance(each, EventRuleSpec)
    }

    assert list(rules) == [
        "self-healing: zombie run",
        "self-healing: stuck start",
        "self-healing: bad image",
    ]
    zombie, stuck, image = rules.values()
    assert (zombie.trigger["within"], stuck.trigger["within"]) == (300, 900)
    assert "no heartbeat for 300 s" in str(zombie.action["message"])
    match = image.trigger["match"]
    assert isinstance(match, dict)
    # That of the release too: runs of no department are there.
    assert match["kubernetes.namespace"] == ["airnub", "airnub-dept-sample"]
    assert all("docs/kubectl.md" in str(each.action["message"]) for each in rules.values())


def test_a_run_without_room_is_refused_before_anything_is_registered(root: Path) -> None:
    _edit(root, "kubernetes: {quota: {memory: 512Mi}}")

    with pytest.raises(ExceptionGroup, match="less than the 1Gi of one run"):
        _desired(root)


def test_the_room_is_that_of_the_release(root: Path) -> None:
    _edit(root, "kubernetes: {quota: {memory: 512Mi}}")

    (queue,) = _desired(root, job={"memory_request": "128Mi", "memory_limit": "256Mi"}).queues

    assert queue.concurrency_limit == 2


EMBEDDED = {"s3": {"embedded": True}}
ROOT_KEY = {"OBJECT_STORE_ROOT_USER": "root", "OBJECT_STORE_ROOT_PASSWORD": ROOT_PASSWORD}


def test_an_embedded_store_gets_a_key_for_each_department(root: Path) -> None:
    write_users(root.parent, "sample")

    store = _desired(root, environ=ROOT_KEY, **EMBEDDED).object_store

    assert store is not None
    assert (store.endpoint_url, store.bucket) == (CLUSTER["s3"]["endpoint_url"], "airnub")
    assert store.root_password.get_secret_value() == ROOT_PASSWORD
    (user,) = store.users
    assert (user.access_key, user.prefix) == ("sample-key", "store/sample")
    assert user.secret_key.get_secret_value() == "secret-of-sample"
    assert not {ROOT_PASSWORD, "secret-of-sample"} & set(repr(store).split("'"))


def test_a_folder_is_no_store_for_pods(root: Path) -> None:
    with pytest.raises(ConfigError, match="'file:///x' is not the address of a store"):
        _desired(root, environ={"AIRNUB_STORE_URL": "file:///x"})


def test_a_store_elsewhere_is_left_to_its_owner(root: Path) -> None:
    assert _desired(root).object_store is None


@pytest.mark.parametrize(
    ("users", "environ", "expected"),
    [
        (("sample",), {}, "OBJECT_STORE_ROOT_USER is not set"),
        (("sample",), {"OBJECT_STORE_ROOT_USER": "r"}, "OBJECT_STORE_ROOT_PASSWORD is not set"),
        ((), ROOT_KEY, r"sample\.access-key-id: cannot be read"),
        (("sample",), {**ROOT_KEY, "AIRNUB_STORE_URL": "file:///x"}, "is not the address"),
    ],
)
def test_what_an_embedded_store_lacks_is_told(
    root: Path, users: tuple[str, ...], environ: dict[str, str], expected: str
) -> None:
    write_users(root.parent, *users)

    with pytest.raises(ConfigError, match=expected):
        _desired(root, environ=environ, **EMBEDDED)


def test_an_empty_key_is_told(root: Path) -> None:
    write_users(root.parent, "sample")
    (root.parent / "s3-users" / "sample.secret-access-key").write_text("\n")

    with pytest.raises(ConfigError, match="secret-access-key is empty"):
        _desired(root, environ=ROOT_KEY, **EMBEDDED)


def test_two_departments_with_one_key_are_told(root: Path) -> None:
    (root / "configs" / "department_mapping.yaml").write_text("sample: Sample\nother: Other\n")
    (root / "configs" / "departments" / "other.yaml").write_text(
        "owners: [a@b.ie]\nstages: {ingestion: {categories: {things: {}}}}\n"
    )
    write_users(root.parent, "sample", "other")
    (root.parent / "s3-users" / "other.access-key-id").write_text("sample-key")
    settings = project_settings(
        root,
        AIRNUB_CLUSTER_FILE=str(write_cluster(root.parent, **EMBEDDED)),
        AIRNUB_STORE_URL="s3://airnub/store",
        **ROOT_KEY,
    )
    catalog = load_catalog(settings)
    cluster = load_cluster(settings)
    assert cluster is not None
    with pytest.raises(ConfigError, match="other and sample have the same key"):
        object_store(catalog, cluster, settings)


def test_the_pool_s_environment_can_be_added_to_and_holds_no_secret(root: Path) -> None:
    write_users(root.parent, "sample")
    (pool,) = _desired(
        root, environ=ROOT_KEY, **EMBEDDED, job={"env": {"EXTRA": "1", "DO_NOT_TRACK": "0"}}
    ).pools

    assert pool.template_patch is not None
    text = json.dumps(pool.template_patch)
    assert "secret-of-sample" not in text
    assert ROOT_PASSWORD not in text
    assert '"EXTRA": "1"' in text
    assert '"DO_NOT_TRACK": "0"' in text
    assert '"AIRNUB_STORE_URL": "s3://airnub/store"' in text
    assert "AWS_ENDPOINT_URL" in text


def test_on_aws_no_endpoint_is_set(root: Path) -> None:
    (pool,) = _desired(root, s3={"endpoint_url": None}, image_pull_secrets=["registry"]).pools

    text = json.dumps(pool.template_patch)
    assert "AWS_ENDPOINT_URL" not in text
    assert '"AWS_REGION": "us-east-1"' in text
    assert '"imagePullSecrets": [{"name": "registry"}]' in text
