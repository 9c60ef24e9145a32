"""What each feature is: the one list that tables, documentation and models are checked against.

The fields of an entry are those of the document's feature store, and an owner.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Self

from pydantic import Field, model_validator

from airnub_prefect_starter.common.identifiers import unknown
from airnub_prefect_starter.core.configuration import ConfigModel

EVENT_TIMESTAMP, CREATED_AT, FEATURE_VERSION = "event_timestamp", "created_at", "feature_version"
OWN_COLUMNS = (EVENT_TIMESTAMP, CREATED_AT, FEATURE_VERSION)
"""Columns of every feature table beside its key: the time that a row is about, the time at which it
was written, and the version of the registry that it was made by."""

FeatureType = Literal["string", "int", "float", "bool"]


class Feature(ConfigModel):
    """One feature, as people look it up."""

    name: str = Field(min_length=1)
    description: str = Field(min_length=1)
    source: str = Field(min_length=1, description="Where its values come from")
    version: str = Field(default="1.0", description="Raise it when its values mean something else")
    data_type: FeatureType
    tags: tuple[str, ...] = ()
    owner: str = Field(min_length=1)


class FeatureRegistry(ConfigModel):
    """The features of one table, in the order of its columns.

    ``label`` is an entry too: it is no feature, and is never given where features are asked for.
    """

    key: str
    version: str = Field(description="Of the whole list; rows state it")
    features: tuple[Feature, ...] = Field(min_length=1)
    label: Feature | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [self.key, *OWN_COLUMNS, *(each.name for each in self.entries)]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"{', '.join(repeated)}: named twice, or a name of the table's own")
        return self

    @property
    def entries(self) -> tuple[Feature, ...]:
        """The features and, last, the label."""
        return (*self.features, *((self.label,) if self.label else ()))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the features, without the label's."""
        return tuple(each.name for each in self.features)

    def chosen(self, names: Iterable[str]) -> tuple[Feature, ...]:
        """Give the entries of some features, in the order asked for.

        Raises:
            UnknownNameError: One is not in the registry. No retry.
        """
        known = {each.name: each for each in self.features}
        wanted = tuple(names)
        for name in wanted:
            if name not in known:
                raise unknown("feature", name, known)
        return tuple(known[name] for name in wanted)

    def to_json(self) -> bytes:
        """Serialise, for people and for other programs."""
        return self.model_dump_json(indent=1).encode()
