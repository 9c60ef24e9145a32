"""Project Alpha: public APIs, scheduled files and web pages about flights."""

from airnub_prefect_starter.common.names import Department

DEPARTMENT = Department("project_alpha", "Project Alpha")
