"""What analyses found, as artifacts; apart, since no other run needs a library that draws."""

from collections.abc import Sequence

from airnub_prefect_starter.common.identifiers import title
from airnub_prefect_starter.common.names import Category
from airnub_prefect_starter.core.analysis import read_findings
from airnub_prefect_starter.core.artifact_creators import findings_markdown
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.tasks.artifacts import publish_markdown
from airnub_prefect_starter.tasks.run_context import department_store


def publish_findings(category: Category, results: Sequence[DerivedResult]) -> None:
    """Publish the plots and summaries of each analysis."""
    store = department_store(category.department)
    for result in results:
        heading = title(result.source_id.replace("-", "_"))
        publish_markdown(
            artifact_key(category.deployment, result.source_id),
            findings_markdown(heading, read_findings(store, result)),
            f"Findings of {category.flow_name}",
        )
