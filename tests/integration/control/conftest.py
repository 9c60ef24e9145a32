"""One embedded platform for the tests of this folder, in a project of their own."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

# Importing Prefect makes this folder.
os.environ.setdefault("PREFECT_HOME", tempfile.mkdtemp(prefix="prefect-home-"))

import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_UI_URL,
    temporary_settings,
)
from pydantic import SecretStr

from airnub_prefect_starter.common.names import MANAGED_TAG
from airnub_prefect_starter.common.settings import Settings, load_settings
from airnub_prefect_starter.control import platform
from airnub_prefect_starter.control.bootstrap import bootstrap
from airnub_prefect_starter.control.desired import (
    AutomationSpec,
    ConcurrencySpec,
    ContentStoreSpec,
    DeploymentSpec,
    DesiredState,
    LimitSpec,
    ScheduleSpec,
    SecretSpec,
    VariableSpec,
    WorkPoolSpec,
    WorkQueueSpec,
)
from airnub_prefect_starter.control.environment import RUN_ENVIRONMENT, PlatformState
from airnub_prefect_starter.control.from_departments import desired_state
from airnub_prefect_starter.core.departments import Catalog, load_catalog
from tests.cluster_kit import write_cluster

PROJECT = Path(__file__).parents[3]
# The server's pool `airnub` runs processes.
CLUSTER_POOL = "cluster"

FLOWS = """
import logging
import subprocess
import time

from prefect import flow, task
from pydantic import BaseModel


class Config(BaseModel):
    numbers: list[int] = [1, 2, 3]


@task
def double(number: int) -> int:
    logging.getLogger("airnub_prefect_starter.core.sample").info("doubling %d", number)
    return 2 * number


@flow(name="Inner Flow (Sample)")
def inner(numbers: list[int]) -> list[int]:
    return double.map(numbers).result()


@flow(name="Ingestion Flow (Sample)")
def ingestion(config: Config | None = None) -> int:
    return sum(inner((config or Config()).numbers))


@flow(name="Processing Flow (Sample)")
def processing() -> None:
    pass


@flow(name="A Flow (Sample)")
def a() -> None:
    pass


@flow(name="B Flow (Sample)")
def b() -> None:
    pass


@flow(name="C Flow (Sample)")
def c() -> None:
    pass


@flow(name="D Flow (Sample)")
def d() -> None:
    pass


@flow(name="Waiting Flow (Sample)")
def waiting() -> None:
    time.sleep(600)


@flow(name="Sleeping Flow (Sample)")
def sleeping() -> None:
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    waiting()


@flow(name="Failing Flow (Sample)")
def failing() -> None:
    raise ValueError("the well is dry")
"""


def make_project(root: Path) -> Settings:
    """Make a project with flows, and settings that do not depend on the person's environment."""
    (root / "configs").mkdir(parents=True)
    (root / "configs" / "department_mapping.yaml").write_text("sample: Sample\n")
    (root / "flows").mkdir()
    (root / "flows" / "sample.py").write_text(FLOWS)
    (root / "flows" / "broken.py").write_text("import no_such_module_anywhere\n")
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRNUB_", "MLFLOW_", "PREFECT_", "SOURCES_", "TELCO_"))
    }
    return load_settings({**environ, "AIRNUB_PROJECT_ROOT": str(root), "HOME": str(root / "me")})


def deployment(root: Path, function: str, name: str | None = None) -> DeploymentSpec:
    """Describe the deployment of one of the sample's flows."""
    return DeploymentSpec(
        name=name or f"sample.{function}",
        flow_name=f"{function.capitalize()} Flow (Sample)",
        entrypoint=f"flows/sample.py:{function}",
        path=root,
        pool="airnub",
        queue="sample",
        description=f"Runs {function}",
        tags=(MANAGED_TAG, "department:sample"),
        job_variables={
            "env": {
                **RUN_ENVIRONMENT,
                "PREFECT_DEFAULT_RESULT_STORAGE_BLOCK": "content-store/sample",
            }
        },
    )


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_project(tmp_path_factory.mktemp("project") / "sample")


@pytest.fixture(scope="session")
def _ended(settings: Settings) -> Iterator[None]:
    yield
    platform.down(settings)


@pytest.fixture
def state(settings: Settings, _ended: None) -> PlatformState:
    """Start the platform, or what of it a test before has ended."""
    found = platform.up(settings).state
    assert found is not None
    return found


@pytest.fixture
def client(state: PlatformState) -> Iterator[SyncPrefectClient]:
    """Use the platform's server in this process."""
    with (
        temporary_settings({PREFECT_API_URL: state.api_url, PREFECT_UI_URL: state.ui_url}),
        get_client(sync_client=True) as opened,
    ):
        yield opened


@pytest.fixture(scope="session")
def desired(settings: Settings) -> DesiredState:
    """Describe one of everything."""
    root = settings.project_root
    ingestion = deployment(root, "ingestion")
    scheduled = DeploymentSpec(
        **{
            **vars(ingestion),
            "schedules": (ScheduleSpec("0 6 * * *", "Europe/Dublin", active=False),),
            "concurrency": ConcurrencySpec(1, "CANCEL_NEW", 900),
        }
    )
    processing = deployment(root, "processing")
    return DesiredState(
        variables=(VariableSpec("sample_config", {"a": [1, 2.5, None], "b": "ü"}),),
        stores=(
            ContentStoreSpec("sample", "sample", f"{settings.store_url}/sample", durability="none"),
        ),
        secrets=(SecretSpec("sample-token", SecretStr("hush")),),
        pools=(WorkPoolSpec("airnub", description="All departments"),),
        queues=(WorkQueueSpec("airnub", "sample", concurrency_limit=4),),
        limits=(LimitSpec("sample.pages", 2),),
        deployments=(scheduled, processing, deployment(root, "failing")),
        automations=(
            AutomationSpec("sample: ingestion → processing", scheduled.key, processing.key, "why"),
        ),
    )


@pytest.fixture(scope="session")
def on_cluster(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Give the settings of the bootstrap pod for this project."""
    folder = tmp_path_factory.mktemp("cluster")
    departments = yaml.safe_load(
        (PROJECT / "helm" / "airnub-prefect" / "files" / "departments.yaml").read_text()
    )
    for each in departments.values():
        each.update(workPool=CLUSTER_POOL, namespace=f"airnub-{each['namespace']}")
    file = write_cluster(
        folder,
        departments=departments,
        pools={CLUSTER_POOL: {"concurrency_limit": 7}},
        generic={"work_pool": CLUSTER_POOL},
    )
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRNUB_", "MLFLOW_", "PREFECT_", "SOURCES_", "TELCO_"))
    }
    return load_settings(
        {
            **kept,
            "AIRNUB_PROJECT_ROOT": str(PROJECT),
            "AIRNUB_CLUSTER_FILE": str(file),
            "AIRNUB_STORE_URL": "s3://airnub/store",
            "SOURCES_URL": "http://airnub-sources:8080",
        }
    )


@pytest.fixture(scope="session")
def small_catalog(on_cluster: Settings) -> Catalog:
    """Take the small department alone: loading the flows of all takes seconds, each time."""
    everything = load_catalog(on_cluster)
    return replace(everything, entries={"project_beta": everything.department("project_beta")})


@pytest.fixture(scope="session")
def wanted_jobs(small_catalog: Catalog, on_cluster: Settings) -> DesiredState:
    return desired_state(small_catalog, on_cluster)


@pytest.fixture
def registered_jobs(
    client: SyncPrefectClient, wanted_jobs: DesiredState, on_cluster: Settings
) -> Iterator[DesiredState]:
    """Begin with everything as it should be, and leave no rule to the other tests' runs."""
    bootstrap(wanted_jobs, settings=on_cluster, on_progress=platform.quiet)
    yield wanted_jobs
    names = {each.name for each in wanted_jobs.automations}
    for automation in client.read_automations():
        if automation.name in names:
            client.delete_automation(automation.id)
