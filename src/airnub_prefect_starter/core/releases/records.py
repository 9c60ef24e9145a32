"""What a release says of its data sets, and what two releases differ in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from airnub_prefect_starter.core.manifest_models import (
    DigestText,
    Moment,
    Producer,
    Record,
    RefText,
    RunInfo,
    StoreName,
    canonical_json,
)
from airnub_prefect_starter.core.releases.dvc import DIR, DvcFile, pointer
from airnub_prefect_starter.core.store.digest import Digest


class TableVersion(Record):
    """The version of a Delta table that a released file has the rows of."""

    table: str
    version: int = Field(ge=0)
    rows: int = Field(ge=0)
    digest: DigestText


class ReleasedSource(Record):
    """Where released bytes come from: a ref as it was, and how it was made.

    ``code`` and ``parameters`` are those of a derived ref; of a fetched one there are none.
    """

    ref: RefText
    manifest: DigestText
    made_by: Producer
    code: DigestText | None = None
    parameters: Mapping[str, Any] = {}
    table: TableVersion | None = None


class ReleasedDataset(Record):
    """A file or a folder, by the hashes that DVC and the store know it by.

    ``md5`` ends in ``.dir`` for a folder; ``files`` of a file is that file alone. ``refs`` are the
    sources of the files, in their order.
    """

    name: str
    md5: str
    files: tuple[DvcFile, ...]
    refs: tuple[RefText, ...]

    @property
    def size(self) -> int:
        """Size in bytes of all files."""
        return sum(each.size for each in self.files)

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.md5.endswith(DIR)


class Release(Record):
    """Data sets under one number; never changes. ``content`` is the digest of their hashes."""

    schema_version: Literal[1] = 1
    name: StoreName
    number: int = Field(ge=1)
    previous: int | None = None
    created_at: Moment
    content: DigestText
    datasets: tuple[ReleasedDataset, ...]
    sources: tuple[ReleasedSource, ...]
    run: RunInfo = RunInfo()
    producer: Producer

    def source(self, ref: str) -> ReleasedSource:
        """Give where the bytes of a ref come from."""
        return next(each for each in self.sources if each.ref == ref)

    def pointers(self) -> dict[str, bytes]:
        """Write the pointer files of all data sets, by file name."""
        return {f"{each.name}.dvc": self._pointer(each) for each in self.datasets}

    def _pointer(self, dataset: ReleasedDataset) -> bytes:
        tables = [found for ref in dataset.refs if (found := self.source(ref).table)]
        meta: dict[str, Any] = {"release": f"{self.name}@{self.number}"}
        meta["sha256"] = {each.name: each.sha256 for each in dataset.files}
        meta["manifests"] = {ref: self.source(ref).manifest for ref in dataset.refs}
        if tables:
            meta["delta"] = {each.table: each.version for each in tables}
        if self.run.flow_run_id:
            meta["run"] = self.run.flow_run_id
        return pointer(dataset.name, dataset.md5, dataset.files, meta)


class DatasetChange(Record):
    """How a data set differs from the release before; sizes in bytes."""

    name: str
    change: Literal["added", "changed", "same", "removed"]
    size_before: int = 0
    size: int = 0
    files: tuple[str, ...] = ()


def content_of(datasets: tuple[ReleasedDataset, ...]) -> str:
    """Give the digest of what data sets hold, whichever run wrote them."""
    hashes = [
        [each.name, each.md5, [[file.name, file.sha256, file.size] for file in each.files]]
        for each in datasets
    ]
    return Digest.of(canonical_json(hashes)).text


def changes_between(before: Release | None, after: Release) -> list[DatasetChange]:
    """Tell what became of each data set from one release to another."""
    old = {each.name: each for each in before.datasets} if before else {}
    found = [_change(old.get(each.name), each) for each in after.datasets]
    names = {each.name for each in after.datasets}
    gone = [each for each in old.values() if each.name not in names]
    return [
        *found,
        *(DatasetChange(name=each.name, change="removed", size_before=each.size) for each in gone),
    ]


def _change(before: ReleasedDataset | None, after: ReleasedDataset) -> DatasetChange:
    if before is None:
        return DatasetChange(name=after.name, change="added", size=after.size)
    old = {each.name: each.sha256 for each in before.files}
    new = {each.name: each.sha256 for each in after.files}
    files = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return DatasetChange(
        name=after.name,
        change="same" if before.md5 == after.md5 else "changed",
        size_before=before.size,
        size=after.size,
        files=tuple(files),
    )
