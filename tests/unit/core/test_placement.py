from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airnub_prefect_starter.common.errors import ConfigError, exit_code_of
from airnub_prefect_starter.core.cluster import ClusterConfig, JobSpec
from airnub_prefect_starter.core.departments import Catalog, load_catalog
from airnub_prefect_starter.core.placement import (
    capacity,
    placed,
    require_room,
    require_slots,
    room_for_backfills,
    room_for_categories,
)
from tests.cluster_kit import CLUSTER
from tests.project_kit import DEPARTMENT, make_project, project_settings

OVERRIDDEN = {
    "displayName": "Other name",
    "namespace": "airnub-apart",
    "serviceAccount": "robot",
    "workPool": "own",
    "quota": {"cpu": "2", "memory": "3Gi", "pods": 7},
}


def _catalog(root: Path, kubernetes: str = "{}") -> Catalog:
    make_project(root)
    file = root / DEPARTMENT
    file.write_text(f"{file.read_text()}kubernetes: {kubernetes}\n")
    return load_catalog(project_settings(root))


def _cluster(**changes: Any) -> ClusterConfig:
    return ClusterConfig.model_validate({**CLUSTER, **changes})


def test_without_values_of_the_release_the_files_hold(tmp_path: Path) -> None:
    catalog = _catalog(tmp_path)

    assert placed(catalog, _cluster()) == catalog


def test_values_of_the_release_win_over_the_files(tmp_path: Path) -> None:
    catalog = _catalog(tmp_path, "{namespace: mine, job: {memory_limit: 2Gi}}")

    entry = placed(catalog, _cluster(departments={"sample": OVERRIDDEN})).department("sample")

    assert entry.namespace == "apart"
    assert entry.spec.work_pool == "own"
    assert entry.spec.kubernetes.service_account == "robot"
    assert entry.spec.kubernetes.quota.model_dump() == OVERRIDDEN["quota"]
    assert entry.spec.kubernetes.job.memory_limit == "2Gi"
    assert entry.name.display_name == "Sample"
    assert entry.spec.stages == catalog.department("sample").spec.stages


@pytest.mark.parametrize(
    ("kubernetes", "expected"), [("{}", "flows:old"), ("{job: {image: 'own:1'}}", "own:1")]
)
def test_the_image_of_the_release_wins_but_over_one_of_its_own(
    tmp_path: Path, kubernetes: str, expected: str
) -> None:
    cluster = _cluster(departments={"sample": {**OVERRIDDEN, "image": "flows:old"}})

    entry = placed(_catalog(tmp_path, kubernetes), cluster).department("sample")

    assert entry.spec.kubernetes.job.image == expected


def test_a_department_that_the_release_does_not_have_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="release airnub has no department sample") as caught:
        placed(_catalog(tmp_path), _cluster(departments={"other": OVERRIDDEN}))

    assert "airnub render" in caught.value.remedy


@pytest.mark.parametrize(
    ("kubernetes", "expected"),
    [
        ("{}", 8),
        ("{quota: {memory: 64Gi}}", 16),
        ("{quota: {memory: 64Gi, cpu: '64'}}", 20),
        ("{quota: {memory: 1Gi, cpu: 250m, pods: 1}}", 1),
        ("{job: {memory_limit: 3Gi}}", 2),
        ("{job: {cpu_request: '0'}}", 8),
    ],
)
def test_the_scarcest_of_cpu_memory_and_pods_is_the_room(
    tmp_path: Path, kubernetes: str, expected: int
) -> None:
    entry = _catalog(tmp_path, kubernetes).department("sample")

    assert capacity(entry, JobSpec()) == expected
    require_room(_catalog(tmp_path, kubernetes), JobSpec())


@pytest.mark.parametrize(
    ("kubernetes", "expected"),
    [
        ("{quota: {memory: 512Mi}}", "quota.memory: 512Mi is less than the 1Gi of one run"),
        ("{quota: {cpu: 200m}}", "quota.cpu: 200m is less than the 250m of one run"),
        ("{job: {memory_limit: 16Gi}}", "quota.memory: 8Gi is less than the 16Gi of one run"),
        ("{job: {cpu_request: '5'}}", "quota.cpu: 4 is less than the 5 of one run"),
        ("{job: {memory_limit: 256Mi}}", "a run asks for 512Mi and may use 256Mi"),
        ("{job: {memory_request: 2Gi}}", "a run asks for 2Gi and may use 1Gi"),
    ],
)
def test_a_quota_without_room_is_told_with_file_and_numbers(
    tmp_path: Path, kubernetes: str, expected: str
) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        require_room(_catalog(tmp_path, kubernetes), JobSpec())

    (mistake,) = caught.value.exceptions
    assert isinstance(mistake, ConfigError)
    assert mistake.message.startswith(f"{DEPARTMENT}: kubernetes.")
    assert expected in mistake.message
    assert mistake.remedy
    assert exit_code_of(caught.value) == 3


def test_no_pods_at_all_is_a_mistake_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"kubernetes\.quota\.pods"):
        _catalog(tmp_path, "{quota: {pods: 0}}")


def test_a_larger_job_of_the_release_may_no_longer_fit(tmp_path: Path) -> None:
    catalog = _catalog(tmp_path)

    require_room(catalog, JobSpec())
    with pytest.raises(ExceptionGroup, match="1 departments cannot run"):
        require_room(catalog, JobSpec(memory_limit="12Gi"))


def _isolated(root: Path, kubernetes: str = "{}", *, limit: int = 1) -> Catalog:
    """Give the department a stage of which ``limit`` runs may wait for their categories."""
    make_project(root)
    file = root / DEPARTMENT
    stage = f"  processing:\n    isolation: job\n    concurrency: {{limit: {limit}}}\n"
    file.write_text(
        file.read_text().replace("  processing:\n", stage) + f"kubernetes: {kubernetes}\n"
    )
    return load_catalog(project_settings(root))


@pytest.mark.parametrize(
    ("kubernetes", "expected"),
    [("{}", 4), ("{quota: {memory: 4Gi}}", 3), ("{quota: {memory: 2Gi}}", 1)],
    ids=["as many as the queue allows", "all but the stage's own", "at least one"],
)
def test_categories_have_room_beside_the_stage_that_waits(
    tmp_path: Path, kubernetes: str, expected: int
) -> None:
    catalog = _isolated(tmp_path, kubernetes)

    assert room_for_categories(catalog.department("sample"), JobSpec()) == expected
    require_room(catalog, JobSpec())


def test_without_isolation_no_room_is_kept(tmp_path: Path) -> None:
    assert room_for_categories(_catalog(tmp_path).department("sample"), JobSpec()) == 0


def test_a_quota_for_the_waiting_stage_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup, match="room for 1 run at once, and `isolation: job` needs"):
        require_room(_isolated(tmp_path, "{quota: {memory: 1Gi}}"), JobSpec())


@pytest.mark.parametrize(
    ("quota", "limit", "expected"),
    [("{}", 2, 2), ("{memory: 3Gi}", 2, 2), ("{memory: 2Gi}", 2, 1), ("{}", 20, 7)],
)
def test_backfills_have_room_beside_a_run_that_is_due(
    tmp_path: Path, quota: str, limit: int, expected: int
) -> None:
    backfill = f"\nbackfill: {{concurrency_limit: {limit}}}"
    catalog = _catalog(tmp_path, f"{{quota: {quota}}}{backfill}")

    assert room_for_backfills(catalog.department("sample"), JobSpec()) == expected
    require_room(catalog, JobSpec())


def test_categories_leave_room_for_backfills(tmp_path: Path) -> None:
    catalog = _isolated(tmp_path, "{quota: {memory: 4Gi}}\nbackfill: {}")
    entry = catalog.department("sample")

    assert room_for_categories(entry, JobSpec()) == 2
    assert room_for_backfills(entry, JobSpec()) == 1
    require_room(catalog, JobSpec())


def test_a_quota_without_room_for_a_backfill_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup, match="room for 1 runs at once, and `backfill` needs one"):
        require_room(_catalog(tmp_path, "{quota: {memory: 1Gi}}\nbackfill: {}"), JobSpec())
    with pytest.raises(ExceptionGroup, match="beside the 2 of a stage that is due"):
        require_room(_isolated(tmp_path, "{quota: {memory: 2Gi}}\nbackfill: {}"), JobSpec())


@pytest.mark.parametrize(
    ("limit", "slots", "refused"),
    [(1, 1, True), (1, 2, False), (3, 3, True), (3, 4, False), (3, None, False)],
)
def test_waiting_stages_must_leave_a_slot_of_their_pool(
    tmp_path: Path, limit: int, slots: int | None, refused: bool
) -> None:
    catalog = _isolated(tmp_path, limit=limit)
    cluster = _cluster(pools={"airnub": {"concurrency_limit": slots}, "other": {}})

    if not refused:
        require_slots(catalog, cluster)
        return
    told = f"airnub lets {slots} run at once.*: sample {limit}"
    with pytest.raises(ConfigError, match=told) as caught:
        require_slots(catalog, cluster)
    assert f"to {limit + 1} at least" in caught.value.remedy


def test_a_pool_whose_stages_wait_for_nothing_may_be_of_one_slot(tmp_path: Path) -> None:
    require_slots(_catalog(tmp_path), _cluster(pools={"airnub": {"concurrency_limit": 1}}))
