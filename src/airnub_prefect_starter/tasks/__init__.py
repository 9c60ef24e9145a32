"""Prefect tasks over `core`: retries, caching and concurrency, nothing else."""

from airnub_prefect_starter.tasks.api_outages import wait_out_outages

wait_out_outages()
