"""A registry of features as Markdown, with the values that each has."""

from __future__ import annotations

from airnub_prefect_starter.core.feature_store.registry import Feature, FeatureRegistry
from airnub_prefect_starter.core.markdown import escape_markdown, markdown_table
from airnub_prefect_starter.core.monitoring.profiles import Profile

_MOST = 3


def registry_markdown(registry: FeatureRegistry, profile: Profile) -> str:
    """Show every entry of a registry, and the values that the reference profile has of it."""
    header = ("feature", "type", "version", "what it is", "values", "source", "tags", "owner")
    return "\n\n".join(
        [
            f"# Features: {escape_markdown(profile.table)}",
            f"**{len(registry.features)} features** by `{escape_markdown(registry.key)}` and time,"
            f" version {escape_markdown(registry.version)}.",
            markdown_table(header, (_row(each, profile) for each in registry.entries)),
        ]
    )


def _row(feature: Feature, profile: Profile) -> tuple[str, ...]:
    texts = (feature.data_type, feature.version, feature.description, _values(feature, profile))
    more = (feature.source, ", ".join(feature.tags), feature.owner)
    return (f"`{escape_markdown(feature.name)}`", *map(escape_markdown, (*texts, *more)))


def _values(feature: Feature, profile: Profile) -> str:
    if number := profile.numbers.get(feature.name):
        return f"mean {number.mean:,.4g}, standard deviation {number.deviation:,.4g}"
    shares = profile.categories.get(feature.name, {})
    most = sorted(shares.items(), key=lambda each: -each[1])[:_MOST]
    return ", ".join(f"{name} {share:.0%}" for name, share in most if share)
