"""What a run publishes about the tables of a lake."""

from collections.abc import Sequence

from airnub_prefect_starter.common.names import Category
from airnub_prefect_starter.core.lake.report import tables_markdown
from airnub_prefect_starter.core.lake.snapshots import parse_snapshot
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.tasks.artifacts import publish_markdown
from airnub_prefect_starter.tasks.run_context import department_store


def publish_tables(category: Category, results: Sequence[DerivedResult]) -> None:
    """Publish versions, batches, how columns changed, and what was rejected or warned about."""
    store = department_store(category.department)
    snapshots = [parse_snapshot(store, each.outputs[0].blob.digest) for each in results]
    publish_markdown(
        artifact_key(category.deployment, "tables"),
        tables_markdown(category.flow_name, snapshots),
        f"Tables of {category.flow_name}",
    )
