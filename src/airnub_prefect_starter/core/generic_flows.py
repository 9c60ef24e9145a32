"""Flows of no department: those that ``configs/generic_flows.yaml`` lists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from airnub_prefect_starter.common.names import GenericFlow
from airnub_prefect_starter.core.configuration import ConfigModel, load_yaml
from airnub_prefect_starter.core.departments import Schedule

GENERIC_FLOWS = Path("configs", "generic_flows.yaml")


class GenericFlowSpec(ConfigModel):
    """When a flow of no department runs."""

    description: str = ""
    schedule: Schedule = Field(
        default=Schedule(cron="15 5 * * *"), description="Daily, unless it says otherwise"
    )


class GenericFlows(ConfigModel):
    """``configs/generic_flows.yaml``."""

    report_drift: GenericFlowSpec | None = Field(
        default=None, description="Tells in what the server differs from Git"
    )

    def named(self) -> Iterator[tuple[GenericFlow, GenericFlowSpec]]:
        """List the flows that there are."""
        for name, spec in self:
            if spec is not None:
                yield GenericFlow(name), spec


def load_generic_flows(root: Path) -> GenericFlows:
    """Read the file; a project without it has no such flows.

    Raises:
        ConfigError: It is wrong; one line per mistake. No retry.
    """
    file = root / GENERIC_FLOWS
    return load_yaml(file, GenericFlows) if file.exists() else GenericFlows()
