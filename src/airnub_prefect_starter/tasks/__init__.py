"""Prefect tasks over `core`: retries, caching and concurrency, nothing else."""
