"""A table of features as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airnub_prefect_starter.core.features.metadata import (
    FeatureMetadata,
    feature_table,
    group_table,
)
from airnub_prefect_starter.core.markdown import escape_markdown, frame_table, image, short_digest

_MANY = 40


def features_markdown(heading: str, metadata: FeatureMetadata, plots: Mapping[str, bytes]) -> str:
    """Show the groups, each feature with its values in its own units, and the plots."""
    return "\n\n".join(_sections(heading, metadata, plots))


def _sections(heading: str, metadata: FeatureMetadata, plots: Mapping[str, bytes]) -> Iterator[str]:
    yield f"# {escape_markdown(heading)}: {len(metadata.features)} features"
    yield (
        f"{metadata.rows:,} rows, fitted on the earliest {metadata.fitted_on_rows:,}; "
        f"table {short_digest(metadata.table_digest)}"
    )
    yield frame_table(group_table(metadata))
    for name, png in plots.items():
        yield image(name.replace("_", " "), png)
    for group, names in metadata.groups.items():
        if len(names) <= _MANY:
            yield f"## {group.capitalize()}"
            yield frame_table(feature_table(metadata, group))
        else:
            shown = ", ".join(escape_markdown(name) for name in names)
            yield f"## {group.capitalize()}\n\n{shown}"
    if metadata.dropped:
        yield "Constant in the training rows, so left out: " + ", ".join(
            f"{escape_markdown(name)} ({escape_markdown(what)})"
            for name, what in metadata.dropped.items()
        )
