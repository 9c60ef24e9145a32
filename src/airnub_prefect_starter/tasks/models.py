"""What runs publish about models."""

import os
from collections.abc import Sequence

from prefect import get_run_logger

from airnub_prefect_starter.common.names import Category
from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.core.ml.markdown import promotions_markdown, training_markdown
from airnub_prefect_starter.core.ml.mlflow_mirror import VARIABLE, Mirrored
from airnub_prefect_starter.core.ml.promotion import Promotion
from airnub_prefect_starter.core.ml.step import CARD, REPORT, output_named, read_file, read_plots
from airnub_prefect_starter.tasks.artifacts import publish_markdown
from airnub_prefect_starter.tasks.run_context import department_store


def tracking_uri() -> str | None:
    """Give the address of the MLflow server, if one is named.

    Its client reads keys and limits from the environment alone: what ``.env`` says is put there.
    """
    environment = load_settings().environment
    for name, value in environment.items():
        if name.startswith("MLFLOW_"):
            os.environ.setdefault(name, value)
    return environment.get(VARIABLE)


def publish_trainings(category: Category, results: Sequence[DerivedResult]) -> None:
    """Publish the card and the plots of each training, whether it passed its gates or not."""
    store = department_store(category.department)
    for result in results:
        publish_markdown(
            artifact_key(category.deployment, result.source_id),
            training_markdown(
                read_file(store, result, CARD).decode(),
                read_plots(store, result),
                output_named(result, REPORT).blob.digest,
                department=category.department.id,
            ),
            f"Models of {category.flow_name}",
        )


def publish_promotions(
    category: Category, promotions: Sequence[Promotion], mirrored: Sequence[Mirrored]
) -> None:
    """Publish which versions count now; the last line that is logged names each champion."""
    if not promotions:
        return
    publish_markdown(
        artifact_key(category.deployment, "registry"),
        promotions_markdown(
            category.flow_name, promotions, {each.source_id: each.detail for each in mirrored}
        ),
        f"Versions registered by {category.flow_name}",
    )
    for each in promotions:
        get_run_logger().info("%s", each.line)
