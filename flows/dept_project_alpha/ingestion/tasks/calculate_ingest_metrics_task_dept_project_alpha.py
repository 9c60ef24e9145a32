"""Task: what an ingestion run cost and kept, in numbers."""

from collections import Counter

from prefect import task

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.manifest_models import SourceResult


class IngestMetrics(ConfigModel):
    """Sources by outcome, and bytes."""

    sources: int
    stored: int
    deduplicated: int
    not_modified: int
    repaired: int
    bytes_received: int
    bytes_described: int
    requests: int


@task(name="Calculate Ingest Metrics (Project Alpha)")
def calculate_ingest_metrics_task_dept_project_alpha(results: list[SourceResult]) -> IngestMetrics:
    """Count the results of a stage; failed sources are not among them."""
    outcomes = Counter(result.outcome for result in results)
    return IngestMetrics(
        sources=len(results),
        stored=outcomes["stored"],
        deduplicated=outcomes["deduplicated"],
        not_modified=outcomes["not_modified"],
        repaired=outcomes["repaired"],
        bytes_received=sum(result.bytes_in for result in results),
        bytes_described=sum(result.blob.size for result in results),
        requests=sum(result.attempts for result in results),
    )
