"""Rows that people send for scoring: what they must look like, and one line for what is wrong.

A form is a closed Pydantic model made of a model version's own features, so what a model was not
trained on is refused before it is scored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import ErrorDetails

from airnub_prefect_starter.common.errors import PayloadError
from airnub_prefect_starter.core.mistakes import mistakes_of, reason
from airnub_prefect_starter.core.ml.registry import ModelVersion
from airnub_prefect_starter.core.table_schema import Column

_MOST_MISTAKES = 10
_LONGEST_TEXT = 200


def _as_they_are(rows: pd.DataFrame) -> pd.DataFrame:
    return rows


@dataclass(frozen=True)
class FeatureBuilder:
    """How features are computed of what people know; by default they are what is sent.

    Attributes:
        computed_of: Feature → the columns that it is computed of.
        columns: What columns that are sent may hold.
        hints: Column → what else to say of it to who sends it.
        compute: Adds the features to rows of such columns.
    """

    computed_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columns: Mapping[str, Column] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)
    compute: Callable[[pd.DataFrame], pd.DataFrame] = _as_they_are


def form_of(version: ModelVersion, builder: FeatureBuilder) -> type[BaseModel]:
    """Make the form of the rows that a version scores, the key an optional field of it.

    A category may be one that the version was trained on, and no other.
    """
    fields: dict[str, Any] = {
        column.name: (_type(column), Field(description=_description(column, builder)))
        for column in _columns(version, builder)
    }
    fields[version.key] = (str | None, Field(default=None, max_length=_LONGEST_TEXT))
    name = f"{version.name.title().replace('_', '')}Input"
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())
    form: type[BaseModel] = create_model(name, __config__=config, **fields)
    return form


def read_rows(form: type[BaseModel], rows: Sequence[object]) -> pd.DataFrame:
    """Check rows against a form, and give them as a frame in its order of columns.

    Raises:
        PayloadError: A row does not fit; each of the first ten mistakes is a line that names row,
            field and what is allowed. No retry.
    """
    accepted, shown, more = [], list[str](), 0
    for number, row in enumerate(rows, start=1):
        try:
            accepted.append(form.model_validate(row).model_dump())
        except ValidationError as error:
            where = f"row {number}: " if len(rows) > 1 else ""
            found = mistakes_of(error)
            # Words take time, and who sends much must not get much of it.
            named = found[: _MOST_MISTAKES - len(shown)]
            shown += [where + _line(form, each) for each in named]
            more += len(found) - len(named)
    if shown:
        told = [*shown, f"and {more} mistakes more"] if more else shown
        raise PayloadError("\n".join(told), "Correct what is named, and send it again")
    return pd.DataFrame(accepted, columns=[*form.model_fields])


def _columns(version: ModelVersion, builder: FeatureBuilder) -> Iterator[Column]:
    """Give the columns that must be sent: of features that are computed, what they are made of."""
    needed = dict.fromkeys(
        name for feature in version.columns for name in builder.computed_of.get(feature, (feature,))
    )
    stated_first = [name for name in builder.columns if name in needed]
    for name in dict.fromkeys([*stated_first, *needed]):
        stated = builder.columns.get(name)
        is_number = stated is not None and stated.dtype != "string"
        if name in version.categorical and not is_number:
            yield Column(name=name, dtype="string", allowed=version.categorical[name])
        else:
            yield stated or Column(name=name, dtype="float")


def _type(column: Column) -> Any:
    if column.dtype == "string":
        return Literal[column.allowed] if column.allowed else str
    if column.dtype == "bool":
        return bool
    least = None if column.minimum is None else float(column.minimum)
    greatest = None if column.maximum is None else float(column.maximum)
    return Annotated[int if column.dtype == "int" else float, Field(ge=least, le=greatest)]


def _description(column: Column, builder: FeatureBuilder) -> str:
    return "; ".join(filter(None, [_allowed(column), builder.hints.get(column.name)]))


def _allowed(column: Column) -> str:
    if column.allowed:
        return " or ".join(map(repr, column.allowed))
    if column.minimum is None and column.maximum is None:
        return f"a number ({column.dtype})"
    return f"{column.dtype} from {column.minimum} to {column.maximum}"


def _line(form: type[BaseModel], error: ErrorDetails) -> str:
    name = ".".join(map(str, error["loc"]))[:_LONGEST_TEXT] or "the row"
    said = reason(form, error)
    absent = error["type"] == "missing" or error["input"] is None
    if absent and name in form.model_fields:
        said += f"; it is {form.model_fields[name].description}"
    return f"{name}: {said}"
