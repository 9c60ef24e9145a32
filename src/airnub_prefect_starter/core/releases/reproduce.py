"""Making a release again from its raw bytes, elsewhere, and telling whether it is the same.

All that is needed is in the store: manifests lead from the released data sets to the bytes that
were fetched, and say of each step between them which parameters it had. The steps are run again in
a store of their own, and what they give is compared by digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.utils import CHUNK_BYTES
from airnub_prefect_starter.core.derivation import TABLE_DIGEST
from airnub_prefect_starter.core.lake.snapshots import SNAPSHOT
from airnub_prefect_starter.core.manifest_models import (
    DerivedManifest,
    DerivedOutput,
    DerivedResult,
    FetchManifest,
    Producer,
    Record,
)
from airnub_prefect_starter.core.releases.records import Release
from airnub_prefect_starter.core.store import FetchCommit, Store
from airnub_prefect_starter.core.store.commits import PRODUCER
from airnub_prefect_starter.core.tables import PARQUET, read_parquet

Replay = Callable[[Store, DerivedManifest], DerivedResult]
"""Runs a step again, in another store, as its manifest says that it was run."""

Verdict = Literal["same", "same rows", "other bytes", "within tolerance", "different", "missing"]


class Compared(Record):
    """One thing that was made again: a file, a table or a number."""

    step: str
    what: str
    released: str
    again: str
    verdict: Verdict

    @property
    def matches(self) -> bool:
        """Whether it counts as made again."""
        return self.verdict not in ("different", "missing")


class Reproduction(Record):
    """What became of making a release again.

    ``other_code`` names the steps whose source text differs from the one that made the release;
    ``made_by`` and ``here`` are the programs.
    """

    release: str
    compared: tuple[Compared, ...]
    other_code: tuple[str, ...] = ()
    made_by: Producer
    here: Producer = PRODUCER
    model: str | None = None

    @property
    def is_equal(self) -> bool:
        """Whether all of it is the same, metrics within their tolerance."""
        return all(each.matches for each in self.compared)


class Reproducer:
    """Runs the steps that led to manifests again.

    Args:
        source: The store that has the release.
        work: An empty store.
        replays: Source id of a derived manifest → how its step is run. Namespaces say which
            category runs a step, not what it does.
    """

    def __init__(self, source: Store, work: Store, replays: Mapping[str, Replay]) -> None:
        self._source = source
        self._replays = replays
        self.work = work
        self.compared: list[Compared] = []
        self.other_code: list[str] = []
        self._current: dict[str, str] = {}

    def make(self, manifest_digest: str) -> None:
        """Make what a manifest describes, after all that it was made of, unless that is done.

        Raises:
            ConfigError: Nobody knows how a step is run. No retry.
            StoreError: A manifest or blob cannot be read. No retry.
            StarterError: What the step itself raises.
        """
        manifest = self._source.manifest(manifest_digest)
        if isinstance(manifest, DerivedManifest):
            for digest in dict.fromkeys(each.manifest for each in manifest.inputs):
                self.make(digest)
        ref = f"{manifest.namespace}/{manifest.source_id}"
        if self._current.get(ref) == manifest_digest:
            return
        if isinstance(manifest, FetchManifest):
            self._copy(manifest)
        else:
            self._replay(ref, manifest)
        self._current[ref] = manifest_digest

    def _copy(self, manifest: FetchManifest) -> None:
        """Put fetched bytes under the same ref; they must be those that the manifest names."""
        with self.work.spool() as spool:
            with self._source.open_blob(manifest.blob.digest, size=manifest.blob.size) as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    spool.write(chunk)
            self.work.commit_fetch(
                FetchCommit(
                    namespace=manifest.namespace,
                    source_id=manifest.source_id,
                    source=manifest.source,
                    spool=spool,
                    media_type=manifest.blob.media_type,
                    expected=manifest.blob.digest,
                    annotations=manifest.annotations,
                )
            )

    def _replay(self, ref: str, manifest: DerivedManifest) -> None:
        if manifest.source_id not in self._replays:
            raise ConfigError(
                f"Nobody knows how {ref} is made", "Use the version of the project that released it"
            )
        result = self._replays[manifest.source_id](self.work, manifest)
        made = self.work.manifest(result.manifest)
        if isinstance(made, DerivedManifest) and _code(made) != _code(manifest):
            self.other_code.append(ref)
        again = {output.name: output for output in result.outputs}
        for output in manifest.outputs:
            released = _digest(output, manifest.annotations.get(TABLE_DIGEST))
            made_again = again.get(output.name)
            found = _digest(made_again, result.table_digest) if made_again else ""
            self.compared.append(
                Compared(
                    step=ref,
                    what=output.name,
                    released=released,
                    again=found,
                    verdict="same" if found == released else self._difference(output, made_again),
                )
            )

    def _difference(self, output: DerivedOutput, again: DerivedOutput | None) -> Verdict:
        if again is None:
            return "missing"
        if output.blob.media_type == PARQUET and self._rows_are_equal(output, again):
            return "same rows"
        return "different"

    def _rows_are_equal(self, output: DerivedOutput, again: DerivedOutput) -> bool:
        """Compare rows: another version of the Parquet library may encode them otherwise."""
        before = read_parquet(self._source.read_blob(output.blob.digest))
        return before.equals(read_parquet(self.work.read_blob(again.blob.digest)))


def reproduce_data(
    source: Store, release: Release, work: Store, replays: Mapping[str, Replay]
) -> Reproducer:
    """Make all data sets of a release again in an empty store.

    Raises:
        StarterError: See `Reproducer.make`.
    """
    reproducer = Reproducer(source, work, replays)
    for each in release.sources:
        reproducer.make(each.manifest)
    return reproducer


def compare_metrics(
    step: str, released: Mapping[str, float], again: Mapping[str, float], tolerance: float
) -> Iterator[Compared]:
    """Compare numbers by name; those that differ by no more than the tolerance are good."""
    for name, value in released.items():
        found = again.get(name)
        text = "" if found is None else f"{found:.6f}"
        yield Compared(
            step=step,
            what=name,
            released=f"{value:.6f}",
            again=text,
            verdict=_verdict(value, found, tolerance),
        )


def _verdict(released: float, again: float | None, tolerance: float) -> Verdict:
    if again is None:
        return "missing"
    if again == released:
        return "same"
    return "within tolerance" if abs(again - released) <= tolerance else "different"


def _code(manifest: DerivedManifest) -> object:
    return manifest.parameters.get("code")


def _digest(output: DerivedOutput, table_digest: str | None) -> str:
    """Give the digest of a file, or of the rows that a step put into a table.

    A table's version is its store's own, and it may have rows of other days.
    """
    of_rows = table_digest if output.blob.media_type == SNAPSHOT else None
    return of_rows or output.blob.digest
