"""What a caller hands to a commit and what it gets back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from airnub_prefect_starter.core.manifest_models import (
    OCTET_STREAM,
    DerivedInput,
    DerivedManifest,
    DerivedOutput,
    Outcome,
    Producer,
    Ref,
    RowCounts,
    RunInfo,
    Source,
    TableRead,
    canonical_json,
)
from airnub_prefect_starter.core.store.spool import Spool

PRODUCER = Producer(version=metadata.version("airnub-prefect-starter"))


@dataclass(frozen=True)
class Validators:
    """What to send with the next GET of a source: If-None-Match and If-Modified-Since.

    They are those of the bytes with ``digest``, and hold for ``url`` alone.
    """

    etag: str | None
    last_modified: str | None
    url: str | None
    digest: str


@dataclass(frozen=True)
class FetchCommit:
    """A body fetched from a source; ``expected`` is a digest that was known before."""

    namespace: str
    source_id: str
    source: Source
    spool: Spool
    media_type: str = OCTET_STREAM
    expected: str | None = None
    run: RunInfo = field(default_factory=RunInfo)
    annotations: Mapping[str, str] = field(default_factory=dict)
    table: TableRead | None = None


@dataclass(frozen=True)
class DerivedCommit:
    """A computation: inputs and parameters to outputs, whose blobs are in the store already."""

    namespace: str
    source_id: str
    inputs: tuple[DerivedInput, ...]
    outputs: tuple[DerivedOutput, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    rows: RowCounts | None = None
    run: RunInfo = field(default_factory=RunInfo)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Committed:
    """How a commit ended, and the ref that is in place now.

    The ref is another writer's if that one fetched the same source at the same time and later.
    """

    outcome: Outcome
    ref: Ref


def made_alike(
    manifest: DerivedManifest, inputs: tuple[DerivedInput, ...], parameters: Mapping[str, Any]
) -> bool:
    """Tell whether a derivation had these inputs and parameters and this version of the program."""
    return (
        manifest.inputs == inputs
        and canonical_json(manifest.parameters) == canonical_json(parameters)
        and manifest.producer == PRODUCER
    )
