"""Backfills on a real server: what is missing, what is scheduled for it, and how it ends.

On disk only; the runs of the thirty days are written, not executed.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import VariableUpdate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Failed, Running, Scheduled

from airnub_prefect_starter.common.errors import ConfigError, PlatformError
from airnub_prefect_starter.common.names import Category, Stage
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.backfill import Backfill, open_backfill
from airnub_prefect_starter.control.deployments import read_deployments
from airnub_prefect_starter.control.platform import quiet
from airnub_prefect_starter.control.runs import find_deployment, follow_run, start_run
from airnub_prefect_starter.core.backfill import dates_between
from airnub_prefect_starter.core.configuration import load_yaml
from airnub_prefect_starter.core.departments import DepartmentEntry, load_catalog
from airnub_prefect_starter.core.file_handlers import core_download_hash_store_and_manifest
from airnub_prefect_starter.core.run_date import for_date
from airnub_prefect_starter.core.store import Store, department_url, layout, open_store
from airnub_prefect_starter.core.store.digest import Digest
from flows.dept_project_beta.ingestion.daily_flights.config import CATEGORY, DailyFlightsConfig
from tests.integration.flows.kit import ON_DISK, airnub

pytestmark = ON_DISK

TARGET = "project_beta/ingestion/daily_flights"
DEPLOYMENT = f"{CATEGORY.flow_name}/{CATEGORY.deployment}"
DAYS = dates_between(dt.date(2013, 1, 1), dt.date(2013, 1, 30), today=dt.date(2026, 1, 1))
RANGE = ("--from", str(DAYS[0]), "--to", str(DAYS[-1]))
LOST = [DAYS[2], DAYS[10], DAYS[28]]


@pytest.fixture
def client(registered: dict[str, str]) -> Iterator[SyncPrefectClient]:
    with (
        temporary_settings({PREFECT_API_URL: registered["PREFECT_API_URL"]}),
        get_client(sync_client=True) as opened,
    ):
        yield opened


@pytest.fixture
def entry(settings: Settings) -> DepartmentEntry:
    return load_catalog(settings).department("project_beta")


@pytest.fixture
def opened(
    client: SyncPrefectClient, entry: DepartmentEntry, waiting_queue: None
) -> Callable[[], Backfill]:
    return lambda: open_backfill(client, entry, CATEGORY)


@pytest.fixture
def waiting_queue(client: SyncPrefectClient, entry: DepartmentEntry) -> Iterator[None]:
    """Let no worker take what is scheduled, and leave nothing behind."""
    pool = entry.spec.work_pool
    queue = client.read_work_queue_by_name(entry.name.backfill_queue, pool)
    client.update_work_queue(queue.id, is_paused=True)
    before = set(run_ids(client))
    yield
    for run_id in set(run_ids(client)) - before:
        client.delete_flow_run(run_id)
    client.update_work_queue(queue.id, is_paused=False)


def run_ids(client: SyncPrefectClient) -> list[UUID]:
    deployment = find_deployment(client, DEPLOYMENT)
    of_category = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id]))
    return [run.id for run in client.read_flow_runs(flow_run_filter=of_category)]


def complete(client: SyncPrefectClient, **parameters: Any) -> None:
    """Write a completed run of the category, as if it had been executed."""
    deployment = find_deployment(client, DEPLOYMENT)
    # At once: as a scheduled run it could be the worker's before it is completed.
    client.create_flow_run_from_deployment(deployment.id, parameters=parameters, state=Completed())


def ingest(settings: Settings, date: dt.date) -> None:
    """Fetch a day into the department's store by what the category's task calls."""
    config = load_yaml(
        settings.project_root / CATEGORY.config_file, DailyFlightsConfig, settings=settings
    )
    store = open_store(department_url(settings.store_url, "project_beta"), durability="none")
    for source in for_date(config, date).files:
        core_download_hash_store_and_manifest(store, source, namespace=CATEGORY.namespace)


def blob_file(store: Store, settings: Settings, date: dt.date) -> Path:
    ref = store.ref(CATEGORY.namespace, f"flights-{date}")
    assert ref is not None
    assert ref.blob is not None
    root = Path(department_url(settings.store_url, "project_beta").removeprefix("file://"))
    return root / layout.blob_key(Digest(ref.blob.digest))


def run_backfill(environment: dict[str, str], *options: str) -> Any:
    done = airnub(environment, "backfill", TARGET, *RANGE, *options, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_flow_of_a_department_asks_for_a_date(
    client: SyncPrefectClient, settings: Settings
) -> None:
    catalog = load_catalog(settings)
    flows: list[Stage | Category] = [*catalog.stages, *catalog.categories]
    registered = read_deployments(client)

    for flow in flows:
        schema = registered[f"{flow.flow_name}/{flow.deployment}"].parameter_openapi_schema
        assert schema is not None
        allowed = schema["properties"]["date"]["anyOf"]
        assert {"type": "string", "format": "date"} in allowed, flow.deployment


def test_a_run_about_no_date_fails_before_its_flow_begins(
    client: SyncPrefectClient, settings: Settings
) -> None:
    run_id = start_run(client, DEPLOYMENT, {"date": "2013-02-30"})

    summary = follow_run(client, run_id, quiet)

    assert summary.state == "Failed"
    assert "date" in summary.message
    assert not summary.tasks


def test_exactly_the_days_whose_bytes_are_gone_are_run_again(
    registered: dict[str, str], client: SyncPrefectClient, settings: Settings, beta: Store
) -> None:
    for date in DAYS:
        ingest(settings, date)
        complete(client, date=str(date))
    digests = {date: blob_file(beta, settings, date).read_bytes() for date in LOST}
    for date in LOST:
        blob_file(beta, settings, date).unlink()

    planned = run_backfill(registered, "--missing", "data", "--dry-run")
    assert [each["date"] for each in planned["runs"]] == [str(date) for date in LOST]
    assert all(each["why"].endswith("is gone") for each in planned["runs"])
    assert run_backfill(registered, "--missing", "runs")["runs"] == []

    done = run_backfill(registered, "--missing", "data", "--run-backwards")

    found = [(each["date"], each["state"]) for each in done["runs"]]
    assert found == [(str(date), "Completed") for date in reversed(LOST)]
    assert {date: blob_file(beta, settings, date).read_bytes() for date in LOST} == digests
    for each in done["runs"]:
        run = client.read_flow_run(each["flow_run_id"])
        assert run.parameters == {"date": each["date"]}
        assert {"backfill", f"date:{each['date']}"} <= set(run.tags)
        assert run.work_queue_name == "project_beta-backfill"
    about = {each.run_id: each.about for each in beta.reports()}
    assert {about[each["flow_run_id"]] for each in done["runs"]} == set(LOST)

    assert run_backfill(registered, "--missing", "data")["runs"] == []


def test_a_plan_makes_no_store(registered: dict[str, str], tmp_path: Path) -> None:
    nowhere = {**registered, "AIRNUB_STORE_URL": (tmp_path / "store").as_uri()}

    planned = run_backfill(nowhere, "--dry-run")

    assert {each["why"] for each in planned["runs"]} == {"nothing was ever stored"}
    assert len(planned["runs"]) == len(DAYS)
    assert not list(tmp_path.iterdir())


def test_a_run_that_fails_is_named_by_its_date(
    registered: dict[str, str], client: SyncPrefectClient
) -> None:
    name = CATEGORY.stage.variable
    value = json.dumps(client.read_variable_by_name(name).value)  # type: ignore[union-attr]
    broken = json.loads(value.replace("/daily/", "/nowhere/"))
    client.update_variable(VariableUpdate(name=name, value=broken))
    try:
        done = airnub(registered, "backfill", TARGET, "--from", "2015-01-01", "--to", "2015-01-01")
    finally:
        client.update_variable(VariableUpdate(name=name, value=json.loads(value)))

    assert done.returncode == 1
    assert "error: 1 of 1 run did not complete: 2015-01-01 (Failed). See http" in done.stderr
    assert "1 of 1: 2015-01-01 is Failed" in done.stderr


def test_the_same_date_is_not_scheduled_twice(opened: Callable[[], Backfill]) -> None:
    date = dt.date(2014, 5, 1)
    first, other = opened(), opened()

    run = first.schedule(date)

    assert other.schedule(date).flow_run_id == run.flow_run_id
    assert opened().pending[date].flow_run_id == run.flow_run_id


def test_a_date_that_failed_gets_another_attempt(
    opened: Callable[[], Backfill], client: SyncPrefectClient
) -> None:
    date = dt.date(2014, 5, 2)
    first = opened().schedule(date)
    client.set_flow_run_state(first.flow_run_id, Failed(), force=True)

    again = opened().schedule(date)

    assert again.flow_run_id != first.flow_run_id
    assert date not in opened().completed


def test_a_run_without_a_date_is_about_the_day_before_it_was_due(
    opened: Callable[[], Backfill], client: SyncPrefectClient
) -> None:
    complete(client)
    complete(client, date="2014-05-03")

    today = dt.datetime.now(dt.UTC).date()
    found = opened().completed

    assert dt.date(2014, 5, 3) in found
    assert found & {today - dt.timedelta(days=1), today - dt.timedelta(days=2)}


def test_the_queue_and_the_deployment_say_how_many_run_at_once(
    opened: Callable[[], Backfill], client: SyncPrefectClient, entry: DepartmentEntry
) -> None:
    category, stage = opened(), open_backfill(client, entry, entry.stage("ingestion"))

    assert category.at_once(None, DAYS, wait=True) == 2
    assert category.at_once(1, DAYS, wait=True) == 1
    assert stage.at_once(None, DAYS, wait=True) == 1
    with pytest.raises(ConfigError, match="--concurrency 3 is more than the 2 of queue"):
        category.at_once(3, DAYS, wait=True)


def test_limits_of_nothing_are_refused_and_none_is_no_limit(
    client: SyncPrefectClient, entry: DepartmentEntry
) -> None:
    deployment = find_deployment(client, DEPLOYMENT)
    queue = client.read_work_queue_by_name(entry.name.backfill_queue, entry.spec.work_pool)

    def at_once(limit: int | None, wanted: int | None = None) -> int:
        limited = queue.model_copy(update={"concurrency_limit": limit})
        return Backfill(client, deployment, limited).at_once(wanted, DAYS[:3], wait=True)

    assert at_once(None) == 3
    assert at_once(None, wanted=5) == 3
    with pytest.raises(ConfigError, match="project_beta-backfill lets no run begin"):
        at_once(0)
    stage = entry.stage("ingestion")
    stopped = find_deployment(client, f"{stage.flow_name}/{stage.deployment}")
    assert stopped.global_concurrency_limit is not None
    stopped.global_concurrency_limit.limit = 0
    with pytest.raises(ConfigError, match=f"{stage.deployment} lets no run begin"):
        Backfill(client, stopped, queue).at_once(None, DAYS, wait=True)


def test_what_a_deployment_would_cancel_needs_somebody_who_waits(
    client: SyncPrefectClient, entry: DepartmentEntry
) -> None:
    stage = entry.stage("ingestion")
    deployment = find_deployment(client, f"{stage.flow_name}/{stage.deployment}")
    deployment.concurrency_options = ConcurrencyOptions(
        collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
    )
    queue = client.read_work_queue_by_name(entry.name.backfill_queue, entry.spec.work_pool)
    cancelling = Backfill(client, deployment, queue)

    assert cancelling.at_once(None, DAYS, wait=True) == 1
    assert cancelling.at_once(None, DAYS[:1], wait=False) == 1
    with pytest.raises(ConfigError, match="cancels what comes while 1 run"):
        cancelling.at_once(None, DAYS, wait=False)


def test_a_queue_that_is_not_registered_is_not_made(
    client: SyncPrefectClient, entry: DepartmentEntry
) -> None:
    renamed = replace(entry, name=replace(entry.name, id="project_gamma"))

    with pytest.raises(ConfigError, match="no work queue project_gamma-backfill"):
        open_backfill(client, renamed, CATEGORY)


def test_no_more_run_at_once_than_allowed_and_in_order(
    opened: Callable[[], Backfill], client: SyncPrefectClient
) -> None:
    days = [dt.date(2014, 6, day) for day in range(1, 6)]
    seen: list[list[dt.date]] = []

    def end_the_first() -> None:
        pending = opened().pending
        seen.append(sorted(set(days) & set(pending)))
        client.set_flow_run_state(pending[seen[-1][0]].flow_run_id, Completed(), force=True)

    ended = opened().run(days, 2, quiet, end_the_first)

    assert [(each.date, each.state) for each in ended] == [(day, "Completed") for day in days]
    assert seen == [days[0:2], days[1:3], days[2:4], days[3:5], days[4:5]]


def test_runs_that_others_began_take_their_places(
    opened: Callable[[], Backfill], client: SyncPrefectClient
) -> None:
    days = [dt.date(2014, 9, day) for day in range(1, 4)]
    deployment = find_deployment(client, DEPLOYMENT)
    other = client.create_flow_run_from_deployment(
        deployment.id, parameters={"date": str(days[0])}, state=Running()
    )
    client.create_flow_run_from_deployment(
        deployment.id,
        parameters={"date": str(days[2])},
        state=Scheduled(scheduled_time=dt.datetime.now(dt.UTC) + dt.timedelta(days=1)),
    )
    seen: list[set[dt.date]] = []

    def end_the_other_first() -> None:
        pending = opened().pending
        seen.append(set(days[:2]) & set(pending))
        ending = other.id if days[0] in pending else pending[days[1]].flow_run_id
        client.set_flow_run_state(ending, Completed(), force=True)

    (ended,) = opened().run([days[1]], 1, quiet, end_the_other_first)

    assert seen == [{days[0]}, {days[1]}]
    assert (ended.date, ended.state) == (days[1], "Completed")


def test_a_run_that_was_deleted_has_ended(
    opened: Callable[[], Backfill], client: SyncPrefectClient
) -> None:
    day = dt.date(2014, 7, 1)

    def delete() -> None:
        client.delete_flow_run(opened().pending[day].flow_run_id)

    (ended,) = opened().run([day], 1, quiet, delete)

    assert (ended.date, ended.state) == (day, "deleted")


@pytest.mark.parametrize("cause", [KeyboardInterrupt(), PlatformError("lost", "look")])
def test_an_interrupted_wait_leaves_the_scheduled_runs_and_says_so(
    opened: Callable[[], Backfill], cause: BaseException
) -> None:
    days = [dt.date(2014, 8, day) for day in range(1, 4)]
    said: list[str] = []

    def interrupt() -> None:
        raise cause

    with pytest.raises(type(cause)):
        opened().run(days, 2, said.append, interrupt)

    assert said == ["2 runs go on, 1 date was not scheduled: repeat the command for the rest"]
    assert set(days[:2]) <= set(opened().pending)
