"""Releases in the content store: numbered once, by whoever writes the number first.

::

    releases/<name>/release-<n>.json    which data sets release n has, with every hash
    dvc/files/md5/ab/<30 hex>           their bytes, as a DVC remote has them

What a release names is kept from garbage collection by pins, and the versions of Delta tables that
it was made of by maintenance, since pins lead to them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from airnub_prefect_starter.common.errors import (
    ConfigError,
    CorruptObjectError,
    ObjectNotFoundError,
    RefConflictError,
)
from airnub_prefect_starter.core.derivation import (
    Derivation,
    code_digest,
    commit,
    find_unchanged,
    put_outputs,
    read_inputs,
)
from airnub_prefect_starter.core.lake.snapshots import SNAPSHOT, parse_snapshot
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedManifest,
    DerivedResult,
    RunInfo,
)
from airnub_prefect_starter.core.releases import dvc, lineage, records
from airnub_prefect_starter.core.releases.config import DatasetSpec, ReleasedPart, ReleaseStep
from airnub_prefect_starter.core.releases.lineage import require_one_making
from airnub_prefect_starter.core.releases.records import (
    Release,
    ReleasedDataset,
    ReleasedSource,
    TableVersion,
    content_of,
)
from airnub_prefect_starter.core.store import Store, numbered
from airnub_prefect_starter.core.store.commits import PRODUCER
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import RELEASES, Key

RELEASE = "release.json"
_JSON, _YAML = "application/json", "application/yaml"
_SUFFIXES = {"gzip": "gz", "x-gzip": "gz"}
_ATTEMPTS = 8
_MODULES = (dvc, lineage, records)


def core_release_datasets(
    store: Store, step: ReleaseStep, *, namespace: str, run: RunInfo | None = None
) -> DerivedResult:
    """Release data sets under the next number, unless the last release has the same bytes.

    Outputs are ``release.json`` and a pointer file per data set.

    Raises:
        ObjectNotFoundError: A ref or output is missing, or newer than what was made of it; run the
            stages before. No retry.
        RefConflictError: Other releasers took every number that was tried. A retry helps.
        StoreError: The store cannot read or write; retry where it is transient.
    """
    run = run or RunInfo()
    inputs = read_inputs(store, _refs_of(step))
    parameters = {
        "code": code_digest(*_MODULES, sys.modules[__name__]),
        "step": step.model_dump(mode="json"),
    }
    derivation = Derivation(namespace, step.source_id, inputs, parameters)
    unchanged = find_unchanged(store, derivation)
    if unchanged and _is_whole(store, read_result(store, unchanged)):
        return unchanged
    require_one_making(store, inputs)
    datasets = tuple(_put_dataset(store, each, inputs) for each in step.datasets)
    sources = tuple(_sources(store, inputs))
    release = _release(store, step.name, datasets, sources, run)
    pointers = {name: (text, _YAML) for name, text in release.pointers().items()}
    files = {RELEASE: (release.canonical(), _JSON), **pointers}
    return commit(store, derivation, put_outputs(store, files), run=run)


def releases(store: Store, name: str) -> list[int]:
    """List the numbers of the releases that there are, the first one first.

    Raises:
        StoreError: The store cannot be read.
    """
    return numbered.numbers(store.backend, f"{_folder(name)}release-")


def read_release(store: Store, name: str, number: int) -> Release:
    """Read a release.

    Raises:
        ObjectNotFoundError: There is none of that number. No retry.
        CorruptObjectError: It is not a release, or was changed. No retry.
    """
    key = release_key(name, number)
    data = numbered.read(store.backend, key)
    if data is None:
        known = ", ".join(map(str, releases(store, name))) or "none"
        raise ObjectNotFoundError(f"There is no release {name}@{number}", f"There are: {known}")
    release = _parse(data, key)
    if (release.name, release.number) != (name, number):
        raise CorruptObjectError(f"{key} is release {release.name}@{release.number}")
    return release


def latest_release(store: Store, name: str) -> Release | None:
    """Read the release with the greatest number, if there is one.

    Raises:
        StoreError: The store cannot be read.
    """
    known = releases(store, name)
    return read_release(store, name, known[-1]) if known else None


def read_result(store: Store, result: DerivedResult) -> Release:
    """Read back the release of a result, whichever run made it.

    Raises:
        StoreError: It is missing or corrupt. No retry.
    """
    (blob,) = (each.blob.digest for each in result.outputs if each.name == RELEASE)
    return _parse(store.read_blob(blob), blob)


def parse_name(text: str) -> tuple[str, int]:
    """Split ``customer_churn@3``.

    Raises:
        ConfigError: It is not of that form. No retry.
    """
    name, _, number = text.partition("@")
    if not name or not number.isdecimal() or not number.isascii():
        raise ConfigError(f"{text!r} is not NAME@NUMBER", "Write such as customer_churn@1")
    return name, int(number)


def release_key(name: str, number: int) -> Key:
    """Give the key of a release."""
    return Key(f"{_folder(name)}release-{number}.json")


def _folder(name: str) -> str:
    return f"{RELEASES}{name}/"


def _release(
    store: Store,
    name: str,
    datasets: tuple[ReleasedDataset, ...],
    sources: tuple[ReleasedSource, ...],
    run: RunInfo,
) -> Release:
    """Give the last release if it has the same bytes, else write the next one."""
    content = content_of(datasets)
    for _ in range(_ATTEMPTS):
        last = latest_release(store, name)
        if last is not None and last.content == content:
            return last
        # First the pins: what has a number must never be collected.
        for each in sources:
            store.pin(f"release.{name}.{Digest(each.manifest).hex[:12]}", each.manifest)
        release = Release(
            name=name,
            number=last.number + 1 if last else 1,
            previous=last.number if last else None,
            created_at=store.clock(),
            content=content,
            datasets=datasets,
            sources=sources,
            run=run,
            producer=PRODUCER,
        )
        if numbered.claim(store.backend, release_key(name, release.number), release.canonical()):
            return release
    raise RefConflictError(f"Others released {name} {_ATTEMPTS} times meanwhile", "Try again")


def _put_dataset(
    store: Store, spec: DatasetSpec, inputs: tuple[DerivedInput, ...]
) -> ReleasedDataset:
    files = tuple(
        dvc.put_file(store, *_file_of(store, name, part, inputs))
        for name, part in spec.parts.items()
    )
    md5 = dvc.put_folder(store, files) if spec.folder else files[0].md5
    refs = tuple(dict.fromkeys(part.ref for part in spec.parts.values()))
    return ReleasedDataset(name=spec.name, md5=md5, files=files, refs=refs)


def _file_of(
    store: Store, name: str, part: ReleasedPart, inputs: tuple[DerivedInput, ...]
) -> tuple[str, str]:
    """Give the name of a released file, and its blob."""
    found = [each for each in inputs if f"{each.namespace}/{each.source_id}" == part.ref]
    manifest = store.manifest(found[0].manifest)
    if not isinstance(manifest, DerivedManifest):
        # A server may compress unasked; it is stored so, and must not be taken for a plain file.
        encoding = manifest.source.content_encoding
        suffix = f".{_SUFFIXES.get(encoding, encoding)}" if encoding else ""
        return f"{name}{suffix}", manifest.blob.digest
    outputs = {each.name: each.blob.digest for each in manifest.outputs}
    if part.output not in outputs:
        raise ObjectNotFoundError(
            f"{part.ref} has no output {part.output}", f"It has {', '.join(outputs)}"
        )
    return name, outputs[part.output]


def _sources(store: Store, inputs: Iterable[DerivedInput]) -> Iterator[ReleasedSource]:
    manifests = {f"{each.namespace}/{each.source_id}": each.manifest for each in inputs}
    for ref, digest in manifests.items():
        manifest = store.manifest(digest)
        found = ReleasedSource(ref=ref, manifest=digest, made_by=manifest.producer)
        yield _derived(store, found, manifest) if isinstance(manifest, DerivedManifest) else found


def _derived(store: Store, source: ReleasedSource, manifest: DerivedManifest) -> ReleasedSource:
    parameters = dict(manifest.parameters)
    code, table = parameters.pop("code", None), _table_of(store, manifest)
    return source.model_copy(update={"code": code, "parameters": parameters, "table": table})


def _table_of(store: Store, manifest: DerivedManifest) -> TableVersion | None:
    for output in manifest.outputs:
        if output.blob.media_type == SNAPSHOT:
            found = parse_snapshot(store, output.blob.digest)
            return TableVersion(
                table=found.table, version=found.version, rows=found.rows, digest=found.digest
            )
    return None


def _refs_of(step: ReleaseStep) -> list[str]:
    refs = (part.ref for each in step.datasets for part in each.parts.values())
    return list(dict.fromkeys(refs))


def _is_whole(store: Store, release: Release) -> bool:
    """Tell whether its number is this release's, and whether all that it leads to is there.

    Without conditional puts another releaser can take a number after it was read back.
    """
    key = release_key(release.name, release.number)
    data = numbered.read(store.backend, key)
    if data is None or _parse(data, key) != release:
        return False
    keys = {dvc.object_key(each.md5) for each in release.datasets}
    keys |= {dvc.object_key(file.md5) for each in release.datasets for file in each.files}
    return all(store.backend.stat(key) for key in keys)


def _parse(data: bytes, where: str) -> Release:
    try:
        release = Release.model_validate_json(data)
    except ValidationError as error:
        raise CorruptObjectError(
            f"{where} is not a release: {error.errors()[0]['msg']}",
            "Restore it from a backup; a later version of this program may have written it",
        ) from error
    if release.content != content_of(release.datasets):
        raise CorruptObjectError(f"{where} was changed", "Restore it from a backup")
    return release
