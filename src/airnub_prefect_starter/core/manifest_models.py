"""What the store remembers about bytes: descriptors, manifests, refs, run reports.

All are closed, frozen and serialised canonically (sorted keys, no spaces, UTF-8, no floats), so
that equal facts have equal bytes and a manifest's key is the SHA-256 of its bytes. No model holds a
storage address, a host path or a credential: those change while manifests do not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)

from airnub_prefect_starter.common.clock import rfc3339

DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"
FETCHED: Literal["application/vnd.airnub.manifest.fetched.v1+json"] = (
    "application/vnd.airnub.manifest.fetched.v1+json"
)
DERIVED: Literal["application/vnd.airnub.manifest.derived.v1+json"] = (
    "application/vnd.airnub.manifest.derived.v1+json"
)
OCTET_STREAM = "application/octet-stream"
RULES = "rules"
"""Annotation of a fetched manifest: how its blob was cut out of what the source sent."""

Outcome = Literal["stored", "deduplicated", "not_modified", "repaired"]
ColumnKind = Literal[
    "boolean",
    "bytes",
    "date",
    "decimal",
    "float",
    "integer",
    "json",
    "text",
    "time",
    "timestamp",
    "timestamp_utc",
    "untyped",
    "uuid",
]


def _aware_seconds(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone")
    return moment.replace(microsecond=0)


DigestText = Annotated[str, StringConstraints(pattern=DIGEST_PATTERN)]
StoreName = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
RefText = Annotated[
    str, StringConstraints(pattern=rf"{NAME_PATTERN.removesuffix('$')}/{NAME_PATTERN[1:]}")
]
Moment = Annotated[
    datetime, AfterValidator(_aware_seconds), PlainSerializer(rfc3339, when_used="json")
]


def canonical_json(value: Any) -> bytes:
    """Serialise a JSON value to its one canonical form.

    Raises:
        TypeError: The value holds a float (its text depends on the writer) or is not JSON.
    """
    _refuse_floats(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError(f"{value!r}: floats have no canonical text; use an integer or a string")
    if isinstance(value, Mapping):
        for key, each in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{key!r}: keys must be strings")
            _refuse_floats(each)
    elif isinstance(value, list | tuple):
        for each in value:
            _refuse_floats(each)


class Record(BaseModel):
    """Base of everything that is written to the store."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def canonical(self) -> bytes:
        """Return the canonical bytes; fields that are None are left out."""
        return canonical_json(self.model_dump(mode="json", exclude_none=True))


class Descriptor(Record):
    """Some bytes: what they claim to be, their digest and their size in bytes."""

    media_type: str = OCTET_STREAM
    digest: DigestText
    size: int = Field(ge=0)


class Source(Record):
    """Where fetched bytes came from. Addresses carry no credentials."""

    url: str
    final_url: str
    etag: str | None = None
    last_modified: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    filename: str | None = None
    redirects: tuple[str, ...] = ()
    claimed_digest: DigestText | None = None


class RunInfo(Record):
    """The run that wrote something; empty outside Prefect."""

    flow_run_id: str | None = None
    task_run_id: str | None = None
    deployment: str | None = None


class Producer(Record):
    """The program that wrote a manifest."""

    name: str = "airnub-prefect-starter"
    version: str


class TableColumn(Record):
    """A column of a table in a database; ``kind`` says how its values are written."""

    name: str
    kind: ColumnKind
    nullable: bool


class Watermark(Record):
    """How far a table was read: the greatest value of a column that grows.

    ``tail`` is the digest of the rows that have it: others may come that have it too.
    """

    column: str
    last: str
    tail: DigestText


class TableRead(Record):
    """What was read of a table in a database: all of it, or the rows since an earlier read.

    ``continues`` is the manifest whose rows come before these. Where a row stands in both, the one
    of the later read counts.
    """

    columns: tuple[TableColumn, ...]
    schema_digest: DigestText
    rows: int = Field(ge=0)
    watermark: Watermark | None = None
    continues: DigestText | None = None


class FetchManifest(Record):
    """Bytes fetched from a source: source → blob."""

    schema_version: Literal[1] = 1
    media_type: Literal["application/vnd.airnub.manifest.fetched.v1+json"] = FETCHED
    namespace: StoreName
    source_id: StoreName
    blob: Descriptor
    source: Source
    fetched_at: Moment
    previous: DigestText | None = None
    producer: Producer
    run: RunInfo = RunInfo()
    annotations: Mapping[str, str] = {}
    table: TableRead | None = None

    @property
    def continues(self) -> DigestText | None:
        """The manifest whose bytes come before these; None if these are the whole."""
        return self.table.continues if self.table else None

    @property
    def verbatim(self) -> bool:
        """Whether the blob is what the source sent, and not what rules made of it."""
        return RULES not in self.annotations


class DerivedInput(Record):
    """One input of a derivation: the ref it was read through and the manifest it pointed to."""

    namespace: StoreName
    source_id: StoreName
    manifest: DigestText
    blob: DigestText


class DerivedOutput(Record):
    """One output of a derivation, by name (a partition, a report, a plot)."""

    name: str
    blob: Descriptor


class RowCounts(Record):
    """Rows of a derivation; they must reconcile: in = out + rejected + duplicates."""

    rows_in: int = Field(ge=0)
    rows_out: int = Field(ge=0)
    rejected: int = Field(ge=0)
    duplicates: int = Field(ge=0)

    def reconciles(self) -> bool:
        """Tell whether every row that came in is accounted for."""
        return self.rows_in == self.rows_out + self.rejected + self.duplicates


class DerivedManifest(Record):
    """Bytes computed from other bytes: inputs + parameters + code → outputs.

    ``source_id`` is the name of the ref, as in a fetched manifest.
    """

    schema_version: Literal[1] = 1
    media_type: Literal["application/vnd.airnub.manifest.derived.v1+json"] = DERIVED
    namespace: StoreName
    source_id: StoreName
    inputs: tuple[DerivedInput, ...]
    outputs: tuple[DerivedOutput, ...]
    parameters: Mapping[str, Any] = {}
    rows: RowCounts | None = None
    created_at: Moment
    previous: DigestText | None = None
    producer: Producer
    run: RunInfo = RunInfo()
    annotations: Mapping[str, str] = {}


Manifest = Annotated[FetchManifest | DerivedManifest, Field(discriminator="media_type")]


class Ref(Record):
    """The only mutable object: the latest manifest of a source and the validators for the next GET.

    ``blob`` is the fetched blob; a derived ref has none (its outputs are in the manifest).
    """

    schema_version: Literal[1] = 1
    manifest: Descriptor
    blob: Descriptor | None = None
    etag: str | None = None
    last_modified: str | None = None
    url: str | None = None
    updated_at: Moment


class DerivedResult(Record):
    """How one derivation fared; ``table_digest`` says what rows it has, however they are encoded.

    ``rows`` counts those of a cleaning; a summary or a plot has neither counts nor table digest.
    """

    namespace: StoreName
    source_id: StoreName
    outcome: Outcome
    manifest: DigestText
    outputs: tuple[DerivedOutput, ...]
    rows: RowCounts | None = None
    table_digest: DigestText | None = None


class SourceResult(Record):
    """How one source fared in a run; also what task wrappers return and artifacts show."""

    source_id: StoreName
    namespace: StoreName
    outcome: Outcome
    manifest: DigestText
    blob: Descriptor
    bytes_in: int = Field(ge=0, description="Body bytes received over the network")
    attempts: int = Field(ge=1, description="Requests for this source, the successful one included")


class SourceFailure(Record):
    """A source that failed in a run, by class of error, with its message."""

    source_id: str
    namespace: str
    error: str
    message: str
    transient: bool
    exit_code: int


class ResourceUsage(Record):
    """What a run's process has used up to its report, and what its container may; None: no limit.

    Categories that share their stage's process share its numbers.
    """

    cpu_ms: int = Field(ge=0)
    peak_memory_bytes: int = Field(ge=0)
    container_peak_bytes: int | None = None
    memory_limit_bytes: int | None = None
    cpu_limit_millicores: int | None = None
    throttled_ms: int | None = None


class RunReport(Record):
    """One flow run: what it read and wrote. All that an unchanged run writes, but task results.

    ``about`` is the date for which it did so, ``usage`` what its process took.
    """

    schema_version: Literal[1] = 1
    run_id: str
    parent_run_id: str | None = None
    flow: str
    about: date | None = None
    started_at: Moment
    finished_at: Moment
    results: tuple[SourceResult, ...] = ()
    derived: tuple[DerivedResult, ...] = ()
    failures: tuple[SourceFailure, ...] = ()
    usage: ResourceUsage | None = None
