"""The reconciler against a real server."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import (
    BlockDocumentUpdate,
    DeploymentUpdate,
    GlobalConcurrencyLimitUpdate,
    VariableCreate,
    VariableUpdate,
    WorkPoolUpdate,
)
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.settings import PREFECT_API_URL, temporary_settings
from pydantic import SecretStr

from airnub_prefect_starter.common.errors import ConfigError, DifferencesError, PlatformError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.bootstrap import _await_api, bootstrap, plan_bootstrap
from airnub_prefect_starter.control.deployments import read_deployments
from airnub_prefect_starter.control.desired import (
    AutomationSpec,
    DesiredState,
    ScheduleSpec,
    SecretSpec,
    VariableSpec,
    WorkPoolSpec,
    WorkQueueSpec,
)
from airnub_prefect_starter.control.differences import MASK
from airnub_prefect_starter.control.platform import quiet
from airnub_prefect_starter.control.pools import MANAGED_MARK
from airnub_prefect_starter.control.reconcile import Plan, Summary

INGESTION = "Ingestion Flow (Sample)/sample.ingestion"


@pytest.fixture(autouse=True)
def registered(client: SyncPrefectClient, desired: DesiredState, settings: Settings) -> None:
    """Begin every test with everything as it should be."""
    bootstrap(desired, settings=settings, on_progress=quiet)


@pytest.fixture
def register(settings: Settings) -> Callable[[DesiredState], Summary]:
    return lambda wanted: bootstrap(wanted, settings=settings, on_progress=quiet)


@pytest.fixture
def planned(settings: Settings) -> Callable[[DesiredState], Plan]:
    return lambda wanted: plan_bootstrap(wanted, settings=settings, on_progress=quiet)


def changes(plan: Plan) -> list[str]:
    return [str(change) for change in plan.changes]


def test_a_second_run_finds_nothing_to_do_and_keeps_every_id(
    client: SyncPrefectClient,
    desired: DesiredState,
    register: Callable[[DesiredState], Summary],
    planned: Callable[[DesiredState], Plan],
) -> None:
    before = {key: each.id for key, each in read_deployments(client).items()}

    summary = register(desired)

    assert summary.changes == ()
    assert summary.unchanged == 11
    assert {key: each.id for key, each in read_deployments(client).items()} == before
    planned(desired).require_none()


def edit_variable(client: SyncPrefectClient) -> None:
    client.update_variable(VariableUpdate(name="sample_config", value={"a": 1}))


def pause_deployment(client: SyncPrefectClient) -> None:
    client.pause_deployment(read_deployments(client)[INGESTION].id)


def edit_deployment(client: SyncPrefectClient) -> None:
    found = read_deployments(client)[INGESTION].id
    client.update_deployment(
        found, DeploymentUpdate(description="other", tags=["airnub"], concurrency_limit=9)
    )


def drop_schedules(client: SyncPrefectClient) -> None:
    found = read_deployments(client)[INGESTION]
    for schedule in found.schedules:
        client.delete_deployment_schedule(found.id, schedule.id)


def edit_block(client: SyncPrefectClient) -> None:
    document = client.read_block_document_by_name("sample", "content-store")
    client.update_block_document(
        document.id,
        BlockDocumentUpdate(data={"url": "file:///elsewhere"}, merge_existing_data=True),
    )


def edit_pool(client: SyncPrefectClient) -> None:
    client.update_work_pool("airnub", WorkPoolUpdate(is_paused=True))


def edit_queue(client: SyncPrefectClient) -> None:
    queue = client.read_work_queue_by_name("sample", "airnub")
    client.update_work_queue(queue.id, concurrency_limit=99)


def edit_limit(client: SyncPrefectClient) -> None:
    client.update_global_concurrency_limit("sample.pages", GlobalConcurrencyLimitUpdate(limit=7))


def disable_automation(client: SyncPrefectClient) -> None:
    client.pause_automation(find_automations(client)[0].id)


def bend_automation(client: SyncPrefectClient) -> None:
    found = find_automations(client)[0]
    fields = found.model_dump(mode="json", exclude={"owner_resource"})
    bent = AutomationCore.model_validate({**fields, "actions": [{"type": "do-nothing"}]})
    client.update_automation(found.id, bent)


def find_automations(client: SyncPrefectClient) -> list[Automation]:
    return [each for each in client.read_automations() if each.name.startswith("sample: ")]


@pytest.mark.parametrize(
    ("drift", "expected"),
    [
        (edit_variable, "update variable sample_config (value)"),
        (pause_deployment, f"update deployment {INGESTION} (paused)"),
        (edit_deployment, f"update deployment {INGESTION} (description, tags, concurrency)"),
        (drop_schedules, f"update deployment {INGESTION} (schedules)"),
        (edit_block, "update block content-store/sample (url)"),
        (edit_pool, "update work pool airnub (is_paused)"),
        (edit_queue, "update work queue airnub/sample (concurrency_limit)"),
        (edit_limit, "update limit sample.pages (slots)"),
        (disable_automation, "update automation sample: ingestion → processing (enabled)"),
        (bend_automation, "update automation sample: ingestion → processing (actions)"),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_what_was_changed_elsewhere_is_shown_and_put_right(
    client: SyncPrefectClient,
    desired: DesiredState,
    register: Callable[[DesiredState], Summary],
    planned: Callable[[DesiredState], Plan],
    drift: Callable[[SyncPrefectClient], None],
    expected: str,
) -> None:
    drift(client)

    plan = planned(desired)

    assert changes(plan) == [expected]
    with pytest.raises(DifferencesError, match="1 differences: update"):
        plan.require_none()
    assert register(desired).count("update") == 1
    planned(desired).require_none()


def test_schedules_are_compared_in_no_order(
    client: SyncPrefectClient, desired: DesiredState, register: Callable[[DesiredState], Summary]
) -> None:
    crons = ("0 6 * * *", "0 18 * * 1", "30 12 * * *")
    thrice = replace(desired.deployments[0], schedules=tuple(map(ScheduleSpec, crons)))
    wanted = replace(desired, deployments=(thrice, *desired.deployments[1:]))
    register(wanted)
    assert len(read_deployments(client)[INGESTION].schedules) == 3

    assert register(wanted).changes == ()


def test_what_nobody_here_can_read_in_an_automation_is_no_concern_unless_it_is_ours(
    client: SyncPrefectClient,
    desired: DesiredState,
    register: Callable[[DesiredState], Summary],
) -> None:
    found = find_automations(client)[0]
    fields = found.model_dump(mode="json", exclude={"owner_resource"})
    any_deployment = {"prefect.resource.id": "prefect.deployment.*"}
    bent = {**fields, "trigger": {**fields["trigger"], "match_related": any_deployment}}
    theirs = {**bent, "name": "theirs: any", "tags": []}
    client.create_automation(AutomationCore.model_validate(theirs))
    client.update_automation(found.id, AutomationCore.model_validate(bent))

    summary = register(desired)

    assert [str(each) for each in summary.changes] == [
        "update automation sample: ingestion → processing (trigger)"
    ]
    assert client.read_automations_by_name("theirs: any")


def test_a_deployment_that_was_deleted_and_made_again_is_triggered_again(
    client: SyncPrefectClient, desired: DesiredState, register: Callable[[DesiredState], Summary]
) -> None:
    client.delete_deployment(read_deployments(client)[INGESTION].id)

    summary = register(desired)

    assert sorted(str(change) for change in summary.changes) == [
        f"create deployment {INGESTION}",
        "update automation sample: ingestion → processing (trigger)",
    ]
    found = read_deployments(client)[INGESTION]
    assert str(found.id) in str(find_automations(client)[0].trigger)


def test_a_deployment_is_as_described(client: SyncPrefectClient, settings: Settings) -> None:
    found = read_deployments(client)[INGESTION]

    assert found.work_pool_name == "airnub"
    assert found.work_queue_name == "sample"
    assert found.path == str(settings.project_root)
    assert set(found.tags) == {"airnub", "department:sample"}
    assert found.global_concurrency_limit is not None
    assert found.global_concurrency_limit.limit == 1
    assert found.concurrency_options is not None
    assert found.concurrency_options.grace_period_seconds == 900
    assert [schedule.active for schedule in found.schedules] == [False]
    # Not a placeholder's: the parameter's model is spelled out.
    schema = found.parameter_openapi_schema
    assert schema is not None
    assert "numbers" in schema["definitions"]["Config"]["properties"]


def test_objects_without_the_tag_are_left_alone_and_ours_are_removed(
    client: SyncPrefectClient, desired: DesiredState, register: Callable[[DesiredState], Summary]
) -> None:
    flow_id = client.create_flow_from_name("Theirs")
    theirs = client.create_deployment(flow_id, "theirs", tags=["other"])
    client.create_variable(VariableCreate(name="theirs", value=1))
    automation = find_automations(client)[0]
    client.create_automation(
        AutomationCore.model_validate(
            {**automation.model_dump(mode="json"), "name": "theirs", "tags": []}
        )
    )
    smaller = replace(desired, variables=(), deployments=desired.deployments[:1], automations=())

    summary = register(smaller)

    assert sorted(str(change) for change in summary.changes) == [
        "delete automation sample: ingestion → processing",
        "delete deployment Failing Flow (Sample)/sample.failing",
        "delete deployment Processing Flow (Sample)/sample.processing",
        "delete variable sample_config",
    ]
    assert client.read_deployment(theirs).name == "theirs"
    assert client.read_variable_by_name("theirs") is not None
    assert client.read_automations_by_name("theirs")


def test_nothing_is_removed_unless_asked(desired: DesiredState, settings: Settings) -> None:
    summary = bootstrap(DesiredState(), settings=settings, on_progress=quiet, prune=())

    assert summary.changes == ()


def test_only_the_kinds_that_are_asked_for_are_looked_at(
    client: SyncPrefectClient, desired: DesiredState, settings: Settings
) -> None:
    pause_deployment(client)
    edit_variable(client)

    summary = bootstrap(desired, settings=settings, on_progress=quiet, kinds=("variable",))

    assert [str(each) for each in summary.changes] == ["update variable sample_config (value)"]


def test_an_automation_is_never_doubled_and_a_double_of_it_goes(
    client: SyncPrefectClient, desired: DesiredState, register: Callable[[DesiredState], Summary]
) -> None:
    first = find_automations(client)[0]
    client.create_automation(AutomationCore.model_validate(first.model_dump(mode="json")))
    assert len(find_automations(client)) == 2

    assert register(desired).count("delete") == 1

    assert len(find_automations(client)) == 1


def test_a_broken_flow_file_fails_alone_with_file_and_reason(
    client: SyncPrefectClient, desired: DesiredState, register: Callable[[DesiredState], Summary]
) -> None:
    good = replace(desired.deployments[1], name="sample.extra")
    wrong = {
        "no such module": replace(good, name="a", entrypoint="flows/broken.py:flow"),
        "no such function": replace(good, name="b", entrypoint="flows/sample.py:nothing"),
        "no such file": replace(good, name="c", entrypoint="flows/missing.py:flow"),
        "no flow": replace(good, name="d", entrypoint="flows/sample.py:Config"),
        "another name": replace(good, name="e", flow_name="Other"),
    }

    with pytest.raises(ExceptionGroup) as failure:
        register(replace(desired, deployments=(*desired.deployments, *wrong.values(), good)))

    texts = [str(each) for each in failure.value.exceptions]
    assert len(texts) == len(wrong)
    assert all(isinstance(each, ConfigError) for each in failure.value.exceptions)
    assert "flows/broken.py" in texts[0]
    assert "No module named 'no_such_module_anywhere'" in texts[0]
    assert "is called 'Processing Flow (Sample)', not 'Other'" in texts[-1]
    assert "Processing Flow (Sample)/sample.extra" in read_deployments(client)


def test_what_the_server_refuses_fails_alone_and_is_named(
    client: SyncPrefectClient, desired: DesiredState, register: Callable[[DesiredState], Summary]
) -> None:
    wrong = replace(
        desired,
        variables=(VariableSpec("Not A Name", 1), VariableSpec("fine", 2)),
        pools=(*desired.pools, WorkPoolSpec("airnub-other", type="nonsense")),
        deployments=(
            *desired.deployments,
            replace(desired.deployments[1], name="lost", pool="nowhere"),
        ),
        automations=(AutomationSpec("sample: lost", INGESTION, "No/where"),),
    )

    with pytest.raises(ExceptionGroup) as failure:
        register(wrong)

    texts = " ".join(str(each) for each in failure.value.exceptions)
    assert len(failure.value.exceptions) == 4
    for name in ("Not A Name", "nonsense", "lost", "No/where"):
        assert name in texts
    assert client.read_variable_by_name("fine") is not None


def test_a_pool_of_another_type_is_refused_with_a_remedy(
    desired: DesiredState, register: Callable[[DesiredState], Summary]
) -> None:
    with pytest.raises(ExceptionGroup) as failure:
        register(replace(desired, pools=(WorkPoolSpec("airnub", type="kubernetes"),)))

    (error,) = failure.value.exceptions
    assert isinstance(error, PlatformError)
    assert "is of type process, not kubernetes. Delete it" in str(error)


def test_a_variable_that_is_too_long_is_refused_before_it_is_sent(
    desired: DesiredState, register: Callable[[DesiredState], Summary]
) -> None:
    with pytest.raises(ExceptionGroup) as failure:
        register(replace(desired, variables=(VariableSpec("long", "x" * 5_000),)))

    assert "long has 5,002 characters of at most 5,000" in str(failure.value.exceptions[0])


def test_secrets_are_masked(desired: DesiredState, planned: Callable[[DesiredState], Plan]) -> None:
    (secret,) = desired.secrets
    other = replace(desired, secrets=(SecretSpec(secret.name, SecretStr("whisper")),))

    (change,) = planned(other).changes

    assert [(each.before, each.after) for each in change.differences] == [(MASK, MASK)]
    assert "hush" not in repr(change)
    assert "whisper" not in repr(other)


def test_queues_of_equal_priority_settle(
    desired: DesiredState, register: Callable[[DesiredState], Summary]
) -> None:
    queues = [WorkQueueSpec("airnub", name) for name in ("one", "sample", "two", "ten")]
    urgent = WorkQueueSpec("airnub", "urgent", priority=1)
    relaxed = [replace(each, priority=5) for each in queues]

    for wanted in (queues, [*queues, urgent], [*relaxed, urgent], list(desired.queues)):
        more = replace(desired, queues=tuple(wanted))
        register(more)
        assert register(more).changes == ()


def test_the_queue_of_a_department_that_is_gone_goes_and_no_other(
    client: SyncPrefectClient, desired: DesiredState, register: Callable[[DesiredState], Summary]
) -> None:
    register(
        replace(
            desired,
            pools=(*desired.pools, WorkPoolSpec("airnub-gone")),
            queues=(*desired.queues, WorkQueueSpec("airnub-gone", "gone")),
        )
    )
    client.create_work_queue("theirs", work_pool_name="airnub-gone")
    default = client.read_work_queue_by_name("default", "airnub-gone")
    client.update_work_queue(default.id, description=f"{MANAGED_MARK} by mistake")

    summary = register(desired)

    assert [str(each) for each in summary.changes] == ["delete work queue airnub-gone/gone"]
    left = {each.name for each in client.read_work_queues("airnub-gone")}
    assert left == {"default", "theirs"}


@pytest.mark.parametrize("pool_type", ["process", "docker", "kubernetes"])
def test_a_pool_gets_the_template_that_this_version_of_prefect_has(
    client: SyncPrefectClient,
    desired: DesiredState,
    register: Callable[[DesiredState], Summary],
    monkeypatch: pytest.MonkeyPatch,
    pool_type: str,
) -> None:
    # The server's answer may come from the internet.
    monkeypatch.setattr(client.__class__, "read_worker_metadata", None)
    name = f"airnub-{pool_type}"

    register(replace(desired, pools=(*desired.pools, WorkPoolSpec(name, type=pool_type))))

    template = client.read_work_pool(name).base_job_template
    assert {"job_configuration", "variables"} <= set(template)


def test_without_a_named_server_none_is_started(desired: DesiredState, settings: Settings) -> None:
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(PlatformError, match="PREFECT_API_URL is not set"),
    ):
        bootstrap(desired, settings=settings, on_progress=quiet)


def test_a_server_that_does_not_answer_is_reported(
    desired: DesiredState, settings: Settings
) -> None:
    impatient = settings.model_copy(update={"start_timeout_s": 0})
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(PlatformError, match="does not answer"),
    ):
        bootstrap(desired, settings=impatient, on_progress=quiet)


def test_waiting_for_a_server_is_told_now_and_then(
    client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([ConnectionError(), ConnectionError(), ConnectionError(), None])
    monkeypatch.setattr(client, "api_healthcheck", lambda: next(answers))
    told: list[str] = []

    _await_api(client, 60, told.append)

    assert told == [f"Waiting for {client.api_url}"]


def test_ids_are_kept_when_a_deployment_changes(
    client: SyncPrefectClient, desired: DesiredState, register: Callable[[DesiredState], Summary]
) -> None:
    def found() -> UUID:
        return read_deployments(client)[INGESTION].id

    before = found()
    changed = replace(desired.deployments[0], description="new words", schedules=())

    register(replace(desired, deployments=(changed, *desired.deployments[1:])))

    assert found() == before
