"""Project Beta: one reference file and the flights of each day."""

from airnub_prefect_starter.common.names import Department

DEPARTMENT = Department("project_beta", "Project Beta")
