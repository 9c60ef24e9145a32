"""Configuration of the stage: a section per category."""

from airnub_prefect_starter.core.configuration import ConfigModel
from flows.dept_customer_churn.versioning.dvc_release.config import DvcReleaseConfig


class VersioningConfig(ConfigModel):
    """What the stage works on."""

    dvc_release: DvcReleaseConfig
