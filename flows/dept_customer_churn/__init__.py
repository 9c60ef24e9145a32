"""The department customer_churn."""

from airnub_prefect_starter.common.names import Department

DEPARTMENT = Department("customer_churn", "Customer Churn")
