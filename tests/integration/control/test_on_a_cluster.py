"""What bootstrap registers for a cluster, on a real server; registering needs no cluster."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import PrefectHTTPStatusError
from prefect_kubernetes.worker import (  # type: ignore[import-untyped]
    KubernetesWorker,
)

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings, load_settings
from airnub_prefect_starter.control.bootstrap import bootstrap, plan_bootstrap
from airnub_prefect_starter.control.deployments import read_deployments
from airnub_prefect_starter.control.desired import DesiredState
from airnub_prefect_starter.control.platform import quiet
from airnub_prefect_starter.control.pools import WorkPools
from airnub_prefect_starter.control.reconcile import Plan, Summary
from airnub_prefect_starter.control.render import KUBERNETES, render_files
from airnub_prefect_starter.core.cluster import load_cluster
from airnub_prefect_starter.core.departments import Catalog
from airnub_prefect_starter.core.placement import placed

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).with_name("base_job_template.json")
# The server's pool `airnub` runs processes.
POOL = "cluster"
INGESTION = "Ingestion Flow (Project Beta)/project_beta.ingestion"
CATEGORY = "Download Reference Files Flow (Project Beta)/project_beta.ingestion.reference_files"


@pytest.fixture
def register(on_cluster: Settings) -> Callable[[DesiredState], Summary]:
    return lambda state: bootstrap(state, settings=on_cluster, on_progress=quiet)


@pytest.fixture
def planned(on_cluster: Settings) -> Callable[[DesiredState], Plan]:
    return lambda state: plan_bootstrap(state, settings=on_cluster, on_progress=quiet)


def changes(plan: Plan | Summary) -> list[str]:
    return [str(change) for change in plan.changes]


def test_the_template_is_the_one_that_was_reviewed(
    client: SyncPrefectClient, registered_jobs: DesiredState
) -> None:
    """Write it again with `UPDATE_GOLDEN=1 pytest` on this file, and review the difference."""
    template = client.read_work_pool(POOL).base_job_template
    text = json.dumps(template, indent=2, sort_keys=True) + "\n"

    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_the_template_has_no_field_that_nothing_reads_and_no_command(
    client: SyncPrefectClient, registered_jobs: DesiredState
) -> None:
    text = json.dumps(client.read_work_pool(POOL).base_job_template)

    for dead in ("job_watch_timeout_seconds", "pod_watch_timeout_seconds", "stream_output"):
        assert dead not in text
    container = client.read_work_pool(POOL).base_job_template["job_configuration"]["job_manifest"][
        "spec"
    ]["template"]["spec"]["containers"][0]
    assert "command" not in container
    assert "cpu" not in container["resources"]["limits"]


def test_a_second_run_changes_nothing(
    registered_jobs: DesiredState,
    register: Callable[[DesiredState], Summary],
    planned: Callable[[DesiredState], Plan],
) -> None:
    assert register(registered_jobs).changes == ()
    planned(registered_jobs).require_none()


def test_a_pool_that_a_worker_made_first_gets_our_template(
    client: SyncPrefectClient,
    registered_jobs: DesiredState,
    register: Callable[[DesiredState], Summary],
) -> None:
    name = "made-by-a-worker"
    client.create_work_pool(
        WorkPoolCreate(
            name=name,
            type="kubernetes",
            base_job_template=KubernetesWorker.get_default_base_job_template(),
        )
    )
    pool = replace(registered_jobs.pools[0], name=name)

    summary = register(replace(registered_jobs, pools=(*registered_jobs.pools, pool)))

    assert changes(summary) == [
        f"update work pool {name} (description, concurrency_limit, base_job_template)"
    ]
    assert (
        client.read_work_pool(name).base_job_template
        == client.read_work_pool(POOL).base_job_template
    )


def test_a_pool_that_a_worker_makes_between_reading_and_writing_gets_our_template(
    client: SyncPrefectClient, registered_jobs: DesiredState
) -> None:
    pool = replace(registered_jobs.pools[0], name="made-meanwhile")
    client.create_work_pool(WorkPoolCreate(name=pool.name, type="kubernetes"))

    WorkPools({pool.name: pool}).write(client, pool, None)

    assert (
        client.read_work_pool(pool.name).base_job_template
        == client.read_work_pool(POOL).base_job_template
    )


def test_a_pool_of_another_type_is_refused_with_what_to_do_and_stops_nothing_else(
    client: SyncPrefectClient, registered_jobs: DesiredState
) -> None:
    client.create_work_pool(WorkPoolCreate(name="of-processes", type="process"))
    pool = replace(registered_jobs.pools[0], name="of-processes")
    missing = read_deployments(client)[CATEGORY].id
    client.delete_deployment(missing)
    wanted = replace(registered_jobs, pools=(*registered_jobs.pools, pool))

    with pytest.raises(ExceptionGroup, match="of-processes is of type process") as caught:
        bootstrap(wanted, settings=_impatient(), on_progress=quiet)

    (error,) = caught.value.exceptions
    assert isinstance(error, PlatformError)
    assert "prefect work-pool delete of-processes" in error.remedy
    assert CATEGORY in read_deployments(client)


def _impatient() -> Settings:
    return load_settings({"AIRNUB_PROJECT_ROOT": str(ROOT), "AIRNUB_START_TIMEOUT_S": "5"})


def edit_template(client: SyncPrefectClient) -> None:
    template = client.read_work_pool(POOL).base_job_template
    template["variables"]["properties"]["image"]["default"] = "somebody:latest"
    client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=template))


def lift_limit(client: SyncPrefectClient) -> None:
    client.update_work_pool(POOL, WorkPoolUpdate(concurrency_limit=500))


def edit_image(client: SyncPrefectClient) -> None:
    found = read_deployments(client)[INGESTION]
    job_variables = {**(found.job_variables or {}), "image": "somebody:latest"}
    client.update_deployment(found.id, DeploymentUpdate(job_variables=job_variables))


def edit_window(client: SyncPrefectClient) -> None:
    (found,) = client.read_automations_by_name("self-healing: zombie run")
    body = found.model_dump(mode="json", exclude={"id", "owner_resource"})
    body["trigger"]["within"] = 12_345
    client.request("PUT", "/automations/{id}", path_params={"id": found.id}, json=body)


def edit_action(client: SyncPrefectClient) -> None:
    (found,) = client.read_automations_by_name("self-healing: bad image")
    body = found.model_dump(mode="json", exclude={"id", "owner_resource"})
    body["actions"] = [{"type": "do-nothing"}]
    client.request("PUT", "/automations/{id}", path_params={"id": found.id}, json=body)


@pytest.mark.parametrize(
    ("drift", "expected"),
    [
        (edit_template, f"update work pool {POOL} (base_job_template)"),
        (lift_limit, f"update work pool {POOL} (concurrency_limit)"),
        (edit_image, f"update deployment {INGESTION} (job_variables)"),
        (edit_window, "update automation self-healing: zombie run (trigger)"),
        (edit_action, "update automation self-healing: bad image (actions)"),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_what_was_changed_in_the_ui_is_shown_and_put_right(
    client: SyncPrefectClient,
    registered_jobs: DesiredState,
    register: Callable[[DesiredState], Summary],
    planned: Callable[[DesiredState], Plan],
    drift: Callable[[SyncPrefectClient], None],
    expected: str,
) -> None:
    drift(client)

    assert changes(planned(registered_jobs)) == [expected]
    assert changes(register(registered_jobs)) == [expected]
    planned(registered_jobs).require_none()


def test_a_run_without_a_namespace_is_refused_instead_of_going_to_default(
    client: SyncPrefectClient, registered_jobs: DesiredState
) -> None:
    flow_id = client.create_flow_from_name("Anybody's flow")
    plain = client.create_deployment(flow_id, "plain", work_pool_name=POOL)

    with pytest.raises(PrefectHTTPStatusError, match="'namespace' is a required property"):
        client.create_flow_run_from_deployment(plain)


def test_a_broken_flow_fails_its_own_registration_alone(
    client: SyncPrefectClient,
    registered_jobs: DesiredState,
    register: Callable[[DesiredState], Summary],
    tmp_path: Path,
) -> None:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "broken.py").write_text("import no_such_module_anywhere\n")
    broken = replace(
        registered_jobs.deployments[0],
        name="project_beta.broken",
        entrypoint="flows/broken.py:broken",
        source=tmp_path,
    )
    client.delete_deployment(read_deployments(client)[CATEGORY].id)

    with pytest.raises(ExceptionGroup, match="no_such_module_anywhere") as caught:
        register(replace(registered_jobs, deployments=(broken, *registered_jobs.deployments)))

    assert len(caught.value.exceptions) == 1
    assert CATEGORY in read_deployments(client)


def deploy(client: SyncPrefectClient, file: Path) -> None:
    """Register all deployments of a file as a person with plain Prefect does."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "prefect", "--no-prompt", "deploy"),
            *("--prefect-file", str(file), "--all"),
        ],
        cwd=ROOT,
        env={**os.environ, "PREFECT_API_URL": str(client.api_url)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def rendered(small_catalog: Catalog, on_cluster: Settings, tmp_path: Path) -> Path:
    """Render prefect.k8s.yaml for the pool of the test."""
    cluster = load_cluster(on_cluster)
    assert cluster is not None
    file = tmp_path / "prefect.k8s.yaml"
    file.write_text(render_files(placed(small_catalog, cluster))[KUBERNETES])
    return file


def test_plain_prefect_registers_the_same_but_for_the_image_and_bootstrap_adds_it(
    client: SyncPrefectClient,
    registered_jobs: DesiredState,
    register: Callable[[DesiredState], Summary],
    planned: Callable[[DesiredState], Plan],
    rendered: Path,
) -> None:
    for each in read_deployments(client).values():
        client.delete_deployment(each.id)

    deploy(client, rendered)

    keys = {each.key for each in registered_jobs.deployments}
    plan = planned(registered_jobs)
    edited = {
        change.name: {each.field for each in change.differences}
        for change in plan.changes
        if change.kind == "deployment" and change.action == "update"
    }
    # Without a path the pull step alone says where: the same folder.
    usual = {"job_variables.image", "path"}
    # It has no parameters; its pool and its addresses are known to a release alone.
    generic = {
        "job_variables.env.SOURCES_URL",
        "parameter_openapi_schema.definitions",
        "work_pool_name",
    }
    assert edited == {key: usual | (generic if "generic." in key else set()) for key in keys}
    register(registered_jobs)
    planned(registered_jobs).require_none()
