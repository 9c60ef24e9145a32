"""The department data_lake."""

from airnub_prefect_starter.common.names import Department

DEPARTMENT = Department("data_lake", "Data Lake")
