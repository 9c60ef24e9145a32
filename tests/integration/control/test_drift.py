"""What people change on the server shows, goes when Git is applied, and comes from us alone."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import (
    BlockDocumentUpdate,
    DeploymentScheduleCreate,
    GlobalConcurrencyLimitCreate,
    GlobalConcurrencyLimitUpdate,
    VariableCreate,
    VariableUpdate,
    WorkPoolCreate,
    WorkPoolUpdate,
)
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.events.schemas.events import Event

from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control import drift
from airnub_prefect_starter.control.bootstrap import GROUPS, bootstrap, carry_out, plan_bootstrap
from airnub_prefect_starter.control.deployments import read_deployments
from airnub_prefect_starter.control.desired import (
    AutomationSpec,
    DesiredState,
    LimitSpec,
    VariableSpec,
    WorkQueueSpec,
)
from airnub_prefect_starter.control.differences import Change
from airnub_prefect_starter.control.platform import quiet
from airnub_prefect_starter.control.reconcile import Plan, Step
from airnub_prefect_starter.control.scope import EVERYTHING, Scope
from airnub_prefect_starter.control.wording import drift_lines

INGESTION = "Ingestion Flow (Sample)/sample.ingestion"
AUTOMATION = "sample: ingestion → processing"
Compare = Callable[..., Plan]
Edit = Callable[[SyncPrefectClient], None]


@pytest.fixture
def wanted(desired: DesiredState) -> DesiredState:
    """Describe one of everything, with the template of the pool as Git has it."""
    return replace(desired, pools=(replace(desired.pools[0], template_patch={}),))


@pytest.fixture(autouse=True)
def _registered(client: SyncPrefectClient, wanted: DesiredState, settings: Settings) -> None:
    bootstrap(wanted, settings=settings, on_progress=quiet)


@pytest.fixture
def compare(settings: Settings) -> Compare:
    def plan(
        state: DesiredState, scope: Scope = EVERYTHING, kinds: tuple[str, ...] | None = None
    ) -> Plan:
        return plan_bootstrap(state, settings=settings, on_progress=quiet, kinds=kinds, scope=scope)

    return plan


def lines(plan: Plan) -> list[str]:
    return [each.strip() for each in drift_lines(plan.changes)]


def named(plan: Plan) -> list[str]:
    return sorted(str(change) for change in plan.changes)


def edit_variable(client: SyncPrefectClient) -> None:
    client.update_variable(
        VariableUpdate(name="sample_config", value={"a": [1, 2.5, None], "b": "changed"})
    )


def edit_block(client: SyncPrefectClient) -> None:
    document = client.read_block_document_by_name("sample", "content-store")
    client.update_block_document(
        document.id, BlockDocumentUpdate(data={"url": "file:///x"}, merge_existing_data=True)
    )


def edit_secret(client: SyncPrefectClient) -> None:
    document = client.read_block_document_by_name("sample-token", "secret")
    client.update_block_document(document.id, BlockDocumentUpdate(data={"value": "whisper"}))


def pause(client: SyncPrefectClient) -> None:
    client.pause_deployment(read_deployments(client)[INGESTION].id)


def activate_schedule(client: SyncPrefectClient) -> None:
    found = read_deployments(client)[INGESTION]
    client.update_deployment_schedule(found.id, found.schedules[0].id, active=True)


def edit_schedule(client: SyncPrefectClient) -> None:
    found = read_deployments(client)[INGESTION]
    client.update_deployment_schedule(
        found.id,
        found.schedules[0].id,
        schedule=CronSchedule(cron="0 6 * * *", timezone="Europe/Dublin", day_or=False),
    )


def add_schedule(client: SyncPrefectClient) -> None:
    found = read_deployments(client)[INGESTION]
    schedule = CronSchedule(cron="0 1 * * *", timezone="UTC")
    client.create_deployment_schedules(
        found.id, [DeploymentScheduleCreate(schedule=schedule, active=False)]
    )


def parametrise_schedule(client: SyncPrefectClient) -> None:
    found = read_deployments(client)[INGESTION]
    changed = DeploymentScheduleCreate(
        schedule=found.schedules[0].schedule,
        active=False,
        parameters={"config": {"numbers": [1]}},
    )
    client.delete_deployment_schedule(found.id, found.schedules[0].id)
    client.create_deployment_schedules(found.id, [changed])


def update(client: SyncPrefectClient, **changes: object) -> None:
    # As the UI does it: the client's own method sends more than it is given.
    client.request(
        "PATCH",
        "/deployments/{id}",
        path_params={"id": read_deployments(client)[INGESTION].id},
        json=changes,
    )


def edit_tags(client: SyncPrefectClient) -> None:
    update(client, tags=["airnub", "department:sample", "mine"])


def edit_parameters(client: SyncPrefectClient) -> None:
    update(client, parameters={"config": {"numbers": [9]}})


def edit_environment(client: SyncPrefectClient) -> None:
    update(client, job_variables={"env": {"MY_TOKEN": "hush"}})


def edit_entrypoint(client: SyncPrefectClient) -> None:
    update(client, entrypoint="flows/sample.py:processing")


def raise_limit(client: SyncPrefectClient) -> None:
    update(
        client,
        concurrency_limit=9,
        concurrency_options={"collision_strategy": "ENQUEUE", "grace_period_seconds": 60},
    )


def switch_limit_off(client: SyncPrefectClient) -> None:
    limit = read_deployments(client)[INGESTION].global_concurrency_limit
    assert limit is not None
    client.update_global_concurrency_limit(limit.name, GlobalConcurrencyLimitUpdate(active=False))


def allow_any_parameters(client: SyncPrefectClient) -> None:
    update(client, enforce_parameter_schema=False)


def edit_pool(client: SyncPrefectClient) -> None:
    template = client.read_work_pool("airnub").base_job_template
    template["variables"]["properties"]["stream_output"]["default"] = False
    client.update_work_pool(
        "airnub", WorkPoolUpdate(base_job_template=template, is_paused=True, concurrency_limit=3)
    )


def edit_queue(client: SyncPrefectClient) -> None:
    queue = client.read_work_queue_by_name("sample", "airnub")
    client.update_work_queue(queue.id, concurrency_limit=99, is_paused=True)


def edit_limit(client: SyncPrefectClient) -> None:
    client.update_global_concurrency_limit(
        "sample.pages",
        GlobalConcurrencyLimitUpdate(limit=7, active=False, slot_decay_per_second=0.5),
    )


def automation(client: SyncPrefectClient) -> Automation:
    (found,) = client.read_automations_by_name(AUTOMATION)
    return found


def disable_automation(client: SyncPrefectClient) -> None:
    client.pause_automation(automation(client).id)


def edit_automation(client: SyncPrefectClient) -> None:
    found = automation(client)
    fields = found.model_dump(mode="json", exclude={"owner_resource"})
    failing = read_deployments(client)["Failing Flow (Sample)/sample.failing"].id
    fields["trigger"]["expect"] = ["prefect.flow-run.Failed"]
    fields["actions"][0]["deployment_id"] = str(failing)
    client.update_automation(found.id, AutomationCore.model_validate(fields))


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (
            edit_variable,
            ["~ changed variable sample_config", 'value.b: "ü" in Git, "changed" on the server'],
        ),
        (edit_secret, ["~ changed block secret/sample-token", 'value: "********" in Git']),
        (edit_block, ["~ changed block content-store/sample", '"file:///x" on the server']),
        (pause, [f"~ changed deployment {INGESTION}", "paused: false in Git, true on the server"]),
        (activate_schedule, ["schedules[0 6 * * *].active: false in Git, true on the server"]),
        (edit_schedule, ["schedules[0 6 * * *].day_or: true in Git, false on the server"]),
        (
            add_schedule,
            ['schedules[0 1 * * *]: (none) in Git, {"active": false, "cron": "0 1 * * *"'],
        ),
        (parametrise_schedule, ['schedules[0 6 * * *].parameters: (none) in Git, {"config"']),
        (edit_tags, ['tags: ["airnub", "department:sample"] in Git', '"mine"] on the server']),
        (edit_parameters, ['parameters.config: (none) in Git, {"numbers": [9]} on the server']),
        (
            edit_environment,
            ['job_variables.env.MY_TOKEN: (none) in Git, "********" on the server'],
        ),
        (edit_entrypoint, ['entrypoint: "flows/sample.py:ingestion" in Git']),
        (
            raise_limit,
            [
                "concurrency.limit: 1 in Git, 9 on the server",
                'concurrency.collision_strategy: "CANCEL_NEW" in Git, "ENQUEUE" on the server',
                "concurrency.grace_period_s: 900 in Git, 60 on the server",
            ],
        ),
        (switch_limit_off, ["concurrency.active: true in Git, false on the server"]),
        (allow_any_parameters, ["enforce_parameter_schema: true in Git, false on the server"]),
        (
            edit_pool,
            [
                "~ changed work pool airnub",
                "is_paused: false in Git, true on the server",
                "concurrency_limit: (none) in Git, 3 on the server",
                "properties.stream_output.default: true in Git, false on the server",
            ],
        ),
        (
            edit_queue,
            [
                "~ changed work queue airnub/sample",
                "is_paused: false in Git, true on the server",
                "concurrency_limit: 4 in Git, 99 on the server",
            ],
        ),
        (
            edit_limit,
            [
                "~ changed limit sample.pages",
                "slots: 2 in Git, 7 on the server",
                "active: true in Git, false on the server",
                "slot_decay_per_second: 0 in Git, 0.5 on the server",
            ],
        ),
        (
            disable_automation,
            [f"~ changed automation {AUTOMATION}", "enabled: true in Git, false on the server"],
        ),
        (
            edit_automation,
            [
                'trigger.expect: ["prefect.flow-run.Completed"] in Git',
                'actions[0].deployment_id: "Processing Flow (Sample)/sample.processing" in Git',
                '"Failing Flow (Sample)/sample.failing" on the server',
            ],
        ),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_an_edit_is_named_by_object_and_field_and_goes_when_git_is_applied(
    client: SyncPrefectClient,
    wanted: DesiredState,
    settings: Settings,
    compare: Compare,
    edit: Edit,
    expected: list[str],
) -> None:
    edit(client)

    plan = compare(wanted)

    told = "\n".join(lines(plan))
    assert [change.action for change in plan.changes] == ["update"]
    assert [part for part in expected if part not in told] == []
    assert "hush" not in told
    assert "whisper" not in told
    assert carry_out(plan, settings=settings, on_progress=quiet).count("update") == 1
    assert compare(wanted).changes == ()


def test_what_was_deleted_is_missing_and_comes_back(
    client: SyncPrefectClient, wanted: DesiredState, settings: Settings, compare: Compare
) -> None:
    client.delete_variable_by_name("sample_config")
    client.delete_global_concurrency_limit_by_name("sample.pages")
    client.delete_automation(automation(client).id)

    plan = compare(wanted)

    assert lines(plan) == [
        "- missing variable sample_config",
        "- missing limit sample.pages",
        f"- missing automation {AUTOMATION}",
    ]
    carry_out(plan, settings=settings, on_progress=quiet)
    assert compare(wanted).changes == ()


def with_another(wanted: DesiredState) -> DesiredState:
    """Add a department of its own: one of each kind that is pruned."""
    tags = ("airnub", "department:other")
    processing = wanted.deployments[1]
    deployment = replace(processing, name="other.processing", tags=tags, queue="other")
    rule = AutomationSpec("other: rule", after=INGESTION, run=deployment.key, tags=tags)
    return replace(
        wanted,
        variables=(*wanted.variables, VariableSpec("other_config", 1, tags)),
        queues=(*wanted.queues, WorkQueueSpec("airnub", "other")),
        limits=(*wanted.limits, LimitSpec("other.pages", 1)),
        deployments=(*wanted.deployments, deployment),
        automations=(*wanted.automations, rule),
    )


def test_a_department_is_planned_applied_and_pruned_alone(
    client: SyncPrefectClient, wanted: DesiredState, settings: Settings, compare: Compare
) -> None:
    other, sample = Scope(frozenset({"other"})), Scope(frozenset({"sample"}))
    both = with_another(wanted)
    pause(client)

    added = compare(both, other)
    carry_out(added, settings=settings, on_progress=quiet)

    assert named(added) == [
        "create automation other: rule",
        "create deployment Processing Flow (Sample)/other.processing",
        "create limit other.pages",
        "create variable other_config",
        "create work queue airnub/other",
    ]
    # Its queue moved the other's priority; nothing else of the other was touched.
    assert named(compare(both, sample)) == [f"update deployment {INGESTION} (paused)"]

    assert compare(wanted, sample).only("delete").changes == ()
    gone = compare(wanted, other)
    assert named(gone) == [
        "delete automation other: rule",
        "delete deployment Processing Flow (Sample)/other.processing",
        "delete variable other_config",
        "delete work queue airnub/other",
    ]
    assert {owner for change in gone.changes for owner in change.owners} == {"other"}
    carry_out(gone.only("delete"), settings=settings, on_progress=quiet)
    assert compare(wanted, other).changes == ()
    assert client.read_variable_by_name("sample_config") is not None


def test_objects_of_others_are_never_destroyed(
    client: SyncPrefectClient, wanted: DesiredState, settings: Settings, compare: Compare
) -> None:
    client.create_variable(VariableCreate(name="foreign", value=1, tags=["mine"]))
    client.create_work_pool(WorkPoolCreate(name="foreign", type="process"), overwrite=True)
    client.create_work_queue("foreign", work_pool_name="airnub")
    limit = GlobalConcurrencyLimitCreate(name="foreign", limit=1)
    client.create_global_concurrency_limit(limit)
    theirs = client.create_deployment(client.create_flow_from_name("Foreign"), "foreign")
    rule = automation(client).model_dump(mode="json", exclude={"owner_resource"})
    client.create_automation(AutomationCore.model_validate({**rule, "name": "foreign", "tags": []}))

    plan = compare(replace(wanted, variables=(), automations=(), deployments=(), queues=()))
    carry_out(plan, settings=settings, on_progress=quiet)

    assert {change.action for change in plan.changes} == {"delete"}
    assert not [change for change in plan.changes if "foreign" in change.name]
    assert client.read_variable_by_name("foreign") is not None
    assert client.read_work_pool("foreign").name == "foreign"
    assert client.read_work_queue_by_name("foreign", "airnub").name == "foreign"
    assert client.read_global_concurrency_limit_by_name("foreign").limit == 1
    assert client.read_deployment(theirs).name == "foreign"
    assert client.read_automations_by_name("foreign")


@pytest.mark.parametrize("ours", [True, False], ids=["beside ours", "alone"])
def test_an_automation_of_others_keeps_its_name_beside_ours(
    client: SyncPrefectClient,
    wanted: DesiredState,
    settings: Settings,
    compare: Compare,
    ours: bool,
) -> None:
    found = automation(client)
    fields = found.model_dump(mode="json", exclude={"owner_resource"})
    client.delete_automation(found.id)
    theirs = client.create_automation(
        AutomationCore.model_validate({**fields, "tags": [], "description": "theirs"})
    )
    if ours:
        client.create_automation(AutomationCore.model_validate(fields))

    plan = compare(wanted)
    carry_out(plan, settings=settings, on_progress=quiet)

    assert named(plan) == ([] if ours else [f"create automation {AUTOMATION}"])
    both = {each.id: each for each in client.read_automations_by_name(AUTOMATION)}
    assert (len(both), both[theirs].description) == (2, "theirs")
    client.delete_automation(theirs)
    assert compare(wanted).changes == ()


def test_an_event_of_many_departments_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []
    monkeypatch.setattr(
        drift,
        "emit_event",
        lambda **given: events.append(Event(occurred=dt.datetime.now(dt.UTC), **given)),
    )
    owners = [f"d{number:03}" for number in range(150)]
    changes = (Change("variable", owner, "create", owners=(owner,)) for owner in owners)

    drift.emit_drift(Plan(tuple(Step(each, print, ()) for each in changes), (), 0))

    (event,) = events
    assert [each.id for each in event.related] == [f"airnub.department.{o}" for o in owners[:90]]
    assert event.payload["departments"] == owners


def test_a_group_of_commands_looks_at_its_own_kinds(
    client: SyncPrefectClient, wanted: DesiredState, compare: Compare
) -> None:
    edit_variable(client)
    pause(client)

    assert named(compare(wanted, kinds=GROUPS["config"])) == [
        "update variable sample_config (value)"
    ]
    assert named(compare(wanted, kinds=GROUPS["deploy"])) == [
        f"update deployment {INGESTION} (paused)"
    ]


def test_flows_of_another_department_are_not_even_loaded(
    wanted: DesiredState, compare: Compare
) -> None:
    broken = replace(
        wanted.deployments[0], name="other.a", entrypoint="flows/broken.py:flow", tags=("airnub",)
    )
    state = replace(wanted, deployments=(*wanted.deployments, broken))

    assert compare(state, Scope(frozenset({"sample"}))).failures == ()
    assert len(compare(state).failures) == 1
