"""What the first steps of the churn department work on, as configuration."""

from __future__ import annotations

from pydantic import Field

from airnub_prefect_starter.core.churn.telco import PartName
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.manifest_models import RefText


class SplitStep(ConfigModel):
    """One part of the churn table, by columns."""

    source_id: PartName = Field(description="Which part; also what it is stored as")
    input: RefText = Field(description="Ref of the whole table")
