"""Automations: what starts a stage when another has completed, and what ends silent runs.

Those with our tag are ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from uuid import NAMESPACE_URL, UUID, uuid5

from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import RunDeployment
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import MANAGED_TAG, owners_of
from airnub_prefect_starter.control.deployments import known_ids, read_deployments
from airnub_prefect_starter.control.desired import AutomationSpec, EventRuleSpec
from airnub_prefect_starter.control.reconcile import Current, Fields, Kind, pages

_DEPLOYMENT = "prefect.deployment."
_STATES = {"completed": ("Completed",), "failed": ("Crashed", "Failed")}
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


AnySpec = AutomationSpec | EventRuleSpec


class Automations(Kind[AnySpec]):
    """Automations by name; a second one of the same name goes by its name and id."""

    name = "automation"

    def describe(self, spec: AnySpec) -> Fields:
        """See ``Kind.describe``."""
        common: Fields = {
            "description": spec.description,
            "enabled": True,
            "tags": [*sorted(spec.tags)],
        }
        if isinstance(spec, EventRuleSpec):
            return {**common, **_parts(_automation(spec, spec.trigger, spec.action), {})}
        # Deployments are compared by name: their ids differ from server to server.
        ids = {name: uuid5(NAMESPACE_URL, name) for name in (spec.after, spec.run)}
        automation = _automation(spec, _trigger(ids[spec.after], spec.when), _action(ids[spec.run]))
        return {**common, **_parts(automation, {str(id_): name for name, id_ in ids.items()})}

    def owners(self, spec: AnySpec) -> tuple[str, ...]:
        """See ``Kind.owners``."""
        return owners_of(spec.tags)

    def read(self, client: SyncPrefectClient) -> Mapping[str, Current]:
        """See ``Kind.read``."""
        names = {str(each.id): key for key, each in read_deployments(client).items()}
        found: dict[str, Current] = {}
        for each in pages(
            lambda limit, offset: client.read_automations(limit=limit, offset=offset)
        ):
            # The others are nobody's business here, also those of a name that is wanted.
            if MANAGED_TAG in each.tags:
                key = f"{each.name} ({each.id})" if each.name in found else each.name
                found[key] = _current(each, names)
        return found

    def write(self, client: SyncPrefectClient, spec: AnySpec, current: Current | None) -> None:
        """See ``Kind.write``.

        Raises:
            ConfigError: It names a deployment that is not registered. No retry.
        """
        if isinstance(spec, EventRuleSpec):
            automation = _automation(spec, spec.trigger, spec.action)
        else:
            automation = _automation(spec, *_on_end(client, spec))
        if current is None:
            client.create_automation(automation)
        else:
            client.update_automation(UUID(current.id), automation)

    def delete(self, client: SyncPrefectClient, current: Current) -> None:
        """See ``Kind.delete``."""
        client.delete_automation(UUID(current.id))


def _automation(
    spec: AnySpec, trigger: EventTrigger | Fields, action: RunDeployment | Fields
) -> AutomationCore:
    return AutomationCore.model_validate(
        {
            "name": spec.name,
            "description": spec.description,
            # An update sends what was set alone, and the rest would stay as it is.
            "enabled": True,
            "tags": sorted(spec.tags),
            "trigger": trigger,
            "actions": [action],
            "actions_on_trigger": [],
            "actions_on_resolve": [],
        }
    )


def _on_end(client: SyncPrefectClient, spec: AutomationSpec) -> tuple[EventTrigger, RunDeployment]:
    ids = known_ids(client, (spec.after, spec.run))
    for key in (spec.after, spec.run):
        if key not in ids:
            raise ConfigError(
                f"Automation {spec.name}: there is no deployment {key!r}",
                "See why it was not registered",
            )
    return _trigger(ids[spec.after], spec.when), _action(ids[spec.run])


def _parts(automation: AutomationCore, names: Mapping[str, str]) -> Fields:
    """Give trigger and actions as they are compared: sets in order, deployments by name."""
    fields = {"trigger", "actions", "actions_on_trigger", "actions_on_resolve"}
    parts = automation.model_dump(mode="json", include=fields)
    trigger = {
        key: sorted(value) if isinstance(value, list) else value
        for key, value in parts["trigger"].items()
    }
    text = json.dumps({**parts, "trigger": trigger})
    named: Fields = json.loads(_ID.sub(lambda id_: _named(id_[0], names), text))
    return named


def _named(id_: str, names: Mapping[str, str]) -> str:
    return json.dumps(names.get(id_, id_))[1:-1]


def _trigger(after: UUID, when: str) -> EventTrigger:
    return EventTrigger(
        match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
        match_related=ResourceSpecification(
            {
                "prefect.resource.id": f"{_DEPLOYMENT}{after}",
                "prefect.resource.role": "deployment",
            }
        ),
        expect={f"prefect.flow-run.{state}" for state in _STATES[when]},
        for_each={"prefect.resource.id"},
        posture=Posture.Reactive,
    )


def _action(run: UUID) -> RunDeployment:
    return RunDeployment(source="selected", deployment_id=run)


def _current(automation: Automation, names: Mapping[str, str]) -> Current:
    fields: Fields = {
        "description": automation.description,
        "enabled": automation.enabled,
        "tags": [*sorted(automation.tags)],
        **_parts(automation, names),
    }
    return Current(
        str(automation.id),
        fields,
        managed=True,
        owners=owners_of(automation.tags),
    )
