"""Runs of categories below a stage's run: found again, refused, deleted."""

from collections.abc import Iterator

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.states import Cancelled, Completed, Crashed, Failed, Running
from prefect.utilities.callables import parameter_schema

from airnub_prefect_starter.common.errors import ConfigError, RunFailedError
from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.tasks.child_runs import result_of, start_run, wait_for_runs

CATEGORY = Department("apart", "Apart").stage("ingestion").category("files")


@flow(name=CATEGORY.flow_name)
def category(config: str = "") -> str:
    return config


@pytest.fixture(scope="module")
def client() -> Iterator[SyncPrefectClient]:
    """Register the category's deployment, without a worker for its pool."""
    with get_client(sync_client=True) as opened:
        opened.create_work_pool(WorkPoolCreate(name="apart", type="process"))
        opened.create_deployment(
            flow_id=opened.create_flow(category),
            name=CATEGORY.deployment,
            work_pool_name="apart",
            enforce_parameter_schema=True,
            parameter_openapi_schema=parameter_schema(category).model_dump_for_openapi(),
        )
        yield opened


@pytest.mark.parametrize(
    ("state", "found_again"),
    [
        (Running(), True),
        (Completed(), True),
        (Failed(), False),
        (Crashed(), False),
        (Cancelled(), False),
    ],
    ids=lambda each: each.name if isinstance(each, State) else None,
)
def test_a_run_is_found_again_unless_it_failed(
    client: SyncPrefectClient, state: State[None], found_again: bool
) -> None:
    @flow
    def stage() -> None:
        first = start_run(CATEGORY, category, ("a",))
        client.set_flow_run_state(first.id, state, force=True)

        again = start_run(CATEGORY, category, ("a",))

        assert (again.id == first.id) is found_again
        assert start_run(CATEGORY, category, ("a",)).id == again.id
        assert start_run(CATEGORY, category, ("b",)).id not in {first.id, again.id}
        assert again.parent_task_run_id is not None
        assert again.work_queue_name == "apart-categories"

    stage()


def test_two_runs_of_a_stage_do_not_share_their_categories(client: SyncPrefectClient) -> None:
    @flow
    def stage() -> str:
        return str(start_run(CATEGORY, category, ("a",)).id)

    assert stage() != stage()


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (3, r"apart\.ingestion\.files cannot be run.*3 is not of type"),
        ("x" * 600_000, r"apart\.ingestion\.files cannot be run.*less than 524,288 bytes"),
    ],
    ids=["of another type", "too long"],
)
def test_a_configuration_that_does_not_fit_is_told(
    client: SyncPrefectClient, argument: object, expected: str
) -> None:
    @flow
    def stage() -> None:
        start_run(CATEGORY, category, (argument,))

    with pytest.raises(ConfigError, match=expected) as caught:
        stage()
    assert len(str(caught.value)) < 2_000


def test_a_category_without_a_deployment_is_told() -> None:
    @flow
    def stage() -> None:
        start_run(CATEGORY.stage.category("pages"), category, ("a",))

    with pytest.raises(ConfigError, match=r"no deployment apart\.ingestion\.pages.*bootstrap"):
        stage()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (Crashed(message="Its pod is gone."), "The run ended Crashed: Its pod is gone"),
        (Cancelled(message="By hand."), "The run ended Cancelled: By hand"),
        (None, "The run ended Cancelled: It was deleted"),
    ],
    ids=["crashed", "cancelled", "deleted"],
)
def test_a_run_that_raised_nothing_is_told_by_its_state(
    client: SyncPrefectClient, state: State[None] | None, expected: str
) -> None:
    @flow
    def stage() -> None:
        run = start_run(CATEGORY, category, ("a",))
        if state:
            client.set_flow_run_state(run.id, state, force=True)
        else:
            client.delete_flow_run(run.id)
        with pytest.raises(RunFailedError, match=expected) as caught:
            result_of(wait_for_runs([run])[run.id])
        assert caught.value.__notes__ == [f"run {run.name}"]

    stage()


def test_more_runs_than_the_api_returns_at_once_are_waited_for(client: SyncPrefectClient) -> None:
    runs = [client.create_flow_run(category, state=Completed()) for _ in range(201)]

    ended = wait_for_runs(runs)

    assert len(ended) == 201
    assert all(run.state and run.state.is_completed() for run in ended.values())


def test_what_cannot_be_read_any_more_is_told_by_the_state(client: SyncPrefectClient) -> None:
    @flow(persist_result=True)
    def stage() -> None:
        run = start_run(CATEGORY, category, ("a",))
        context = FlowRunContext.get()
        assert context is not None
        record = context.result_store.create_result_record("lost", key="lost")
        client.set_flow_run_state(run.id, Failed(message="It broke", data=record), force=True)

        with pytest.raises(RunFailedError, match="The run ended Failed: It broke") as caught:
            result_of(wait_for_runs([run])[run.id])
        assert caught.value.__cause__ is not None

    stage()
