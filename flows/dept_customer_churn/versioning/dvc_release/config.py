"""Configuration of the category."""

from airnub_prefect_starter.core.releases.config import ReleaseStep
from flows.dept_customer_churn import DEPARTMENT

CATEGORY = DEPARTMENT.stage("versioning").category("dvc_release", "release_datasets")


class DvcReleaseConfig(ReleaseStep):
    """Which data sets belong to each release."""
