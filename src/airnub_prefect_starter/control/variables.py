"""Prefect Variables; those with our tag are ours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate
from prefect.client.schemas.objects import Variable

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import MANAGED_TAG, owners_of
from airnub_prefect_starter.control.desired import VariableSpec
from airnub_prefect_starter.control.reconcile import Current, Fields, Kind, pages
from airnub_prefect_starter.core.variables import MAX_VARIABLE_CHARACTERS


class Variables(Kind[VariableSpec]):
    """Variables by name."""

    name = "variable"

    def describe(self, spec: VariableSpec) -> Fields:
        """See ``Kind.describe``.

        Raises:
            ConfigError: The value is longer than Prefect allows. No retry.
        """
        size = len(json.dumps(spec.value))
        if size > MAX_VARIABLE_CHARACTERS:
            raise ConfigError(
                f"Variable {spec.name} has {size:,} characters of at most "
                f"{MAX_VARIABLE_CHARACTERS:,}",
                "Split it",
            )
        return {"value": spec.value, "tags": list(_tags(spec))}

    def owners(self, spec: VariableSpec) -> tuple[str, ...]:
        """See ``Kind.owners``."""
        return spec.owners

    def read(self, client: SyncPrefectClient) -> Mapping[str, Current]:
        """See ``Kind.read``."""

        def page(limit: int, offset: int) -> Sequence[Variable]:
            # The client's own method cannot go beyond the first page.
            body = {"limit": limit, "offset": offset}
            response = client.request("POST", "/variables/filter", json=body)
            return Variable.model_validate_list(response.json())

        return {each.name: _current(each) for each in pages(page)}

    def write(self, client: SyncPrefectClient, spec: VariableSpec, current: Current | None) -> None:
        """See ``Kind.write``."""
        value, tags = spec.value, list(_tags(spec))
        if current is None:
            client.create_variable(VariableCreate(name=spec.name, value=value, tags=tags))
        else:
            client.update_variable(VariableUpdate(name=spec.name, value=value, tags=tags))

    def delete(self, client: SyncPrefectClient, current: Current) -> None:
        """See ``Kind.delete``."""
        client.delete_variable_by_name(current.id)


def _tags(spec: VariableSpec) -> list[str]:
    return sorted({MANAGED_TAG, *spec.tags})


def _current(variable: Variable) -> Current:
    tags = sorted(variable.tags)
    fields: Fields = {"value": variable.value, "tags": list(tags)}
    return Current(variable.name, fields, managed=MANAGED_TAG in tags, owners=owners_of(tags))
