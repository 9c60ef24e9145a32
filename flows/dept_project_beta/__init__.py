"""The department project_beta."""

from airnub_prefect_starter.common.names import Department

DEPARTMENT = Department("project_beta", "Project Beta")
