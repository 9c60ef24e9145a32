"""Computing bytes from stored bytes once: inputs by ref, and no work where nothing has changed.

Processing and analysis both stand on this. What a derivation is made of (its input manifests and
blobs, its parameters, the source text of the code) is compared with the manifest of its last run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from airnub_prefect_starter.common.errors import (
    ConfigError,
    CorruptObjectError,
    ObjectNotFoundError,
)
from airnub_prefect_starter.common.utils import generate_sha256_hash
from airnub_prefect_starter.core.increments import continued
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedManifest,
    DerivedOutput,
    DerivedResult,
    Descriptor,
    Outcome,
    RowCounts,
    RunInfo,
    canonical_json,
)
from airnub_prefect_starter.core.store import DerivedCommit, Store
from airnub_prefect_starter.core.store.commits import made_alike

log = logging.getLogger(__name__)

REJECTED = "rejected.parquet"
TABLE_DIGEST = "table_digest"


@dataclass(frozen=True)
class Derivation:
    """What a derived ref is made of; equal derivations have equal outputs."""

    namespace: str
    source_id: str
    inputs: tuple[DerivedInput, ...]
    parameters: Mapping[str, Any]


def split_ref(text: str) -> tuple[str, str]:
    """Split ``namespace/source_id``.

    Raises:
        ConfigError: It is not of that form. No retry.
    """
    namespace, slash, source_id = text.partition("/")
    if not (namespace and slash and source_id) or "/" in source_id:
        raise ConfigError(f"{text!r} is not NAMESPACE/SOURCE_ID", "See `airnub store ls`")
    return namespace, source_id


def read_inputs(store: Store, refs: Iterable[str]) -> tuple[DerivedInput, ...]:
    """Look up what refs point to now: one input per blob, in the order given.

    A fetched ref gives its blob, a derived one each output but the rejected rows. One that is
    stored in increments gives them all, the newest first: of rows with one key, that one counts.

    Raises:
        ObjectNotFoundError: A ref is not in the store. No retry before its stage has run.
    """
    return tuple(each for text in refs for each in _inputs_of(store, text))


def read_input(store: Store, ref: str, output: str) -> DerivedInput:
    """Look up one output of a derived ref, by its name.

    Raises:
        ObjectNotFoundError: The ref is not in the store, or has no such output. No retry.
    """
    for each in read_inputs(store, [ref]):
        manifest = store.manifest(each.manifest)
        outputs = manifest.outputs if isinstance(manifest, DerivedManifest) else ()
        if any(found.blob.digest == each.blob and found.name == output for found in outputs):
            return each
    raise ObjectNotFoundError(
        f"{ref} has no output {output}", "See `airnub store show`, correct the YAML"
    )


def _inputs_of(store: Store, text: str) -> Iterator[DerivedInput]:
    namespace, source_id = split_ref(text)
    ref = store.ref(namespace, source_id)
    if ref is None:
        stage = namespace.partition(".")[0]
        raise ObjectNotFoundError(
            f"Input {text} is not in the store", f"Run it first: airnub run DEPARTMENT {stage}"
        )
    for manifest, blob in _blobs_of(store, ref.manifest.digest):
        yield DerivedInput(
            namespace=namespace, source_id=source_id, manifest=manifest, blob=blob.digest
        )


def _blobs_of(store: Store, digest: str) -> Iterator[tuple[str, Descriptor]]:
    manifest = store.manifest(digest)
    if isinstance(manifest, DerivedManifest):
        for output in manifest.outputs:
            if output.name != REJECTED:
                yield digest, output.blob
    else:
        yield digest, manifest.blob
        for older, found in continued(store, manifest):
            yield older, found.blob


def only_output(result: DerivedResult, media_type: str | None = None) -> DerivedOutput:
    """Find the one output of a result, of a media type if one is named; rejected rows are none.

    Raises:
        ObjectNotFoundError: There is no such output, or there are several. No retry.
    """
    found = [
        each
        for each in result.outputs
        if each.name != REJECTED and media_type in {None, each.blob.media_type}
    ]
    if len(found) == 1:
        return found[0]
    names = ", ".join(each.name for each in found) or "none"
    raise ObjectNotFoundError(
        f"{result.namespace}/{result.source_id}: one output of {media_type or 'any type'} is "
        f"expected, there are: {names}",
        "Name the output to read in the task",
    )


def code_digest(*modules: ModuleType) -> str:
    """Return ``sha256:<hex>`` of the source text of modules: the code version of a derivation."""
    parts = {
        module.__name__: generate_sha256_hash(Path(str(module.__file__))) for module in modules
    }
    return f"sha256:{generate_sha256_hash(canonical_json(parts))}"


def find_unchanged(store: Store, derivation: Derivation) -> DerivedResult | None:
    """Return the last result if it was made of the same and its outputs are there, else None."""
    try:
        ref = store.ref(derivation.namespace, derivation.source_id)
        manifest = store.manifest(ref.manifest.digest) if ref else None
        if ref and isinstance(manifest, DerivedManifest) and _is_of(manifest, derivation, store):
            return describe(manifest, ref.manifest.digest, "not_modified")
    except (ObjectNotFoundError, CorruptObjectError) as error:
        log.warning("%s; %s is computed again", error, derivation.source_id)
    return None


def _is_of(manifest: DerivedManifest, derivation: Derivation, store: Store) -> bool:
    if not made_alike(manifest, derivation.inputs, derivation.parameters):
        return False
    for output in manifest.outputs:
        with store.open_blob(output.blob.digest, size=output.blob.size):
            pass  # raises where it is gone or has another size
    return True


def put_outputs(store: Store, files: Mapping[str, tuple[bytes, str]]) -> tuple[DerivedOutput, ...]:
    """Store files as outputs, in their order: name → bytes and media type.

    Raises:
        StoreError: They cannot be stored; retry where it is transient.
    """
    return tuple(
        DerivedOutput(name=name, blob=store.put_bytes(raw, media_type=media_type)[0])
        for name, (raw, media_type) in files.items()
    )


def commit(
    store: Store,
    derivation: Derivation,
    outputs: Iterable[DerivedOutput],
    *,
    rows: RowCounts | None = None,
    table_digest: str | None = None,
    run: RunInfo,
) -> DerivedResult:
    """Write the manifest and the ref of a derivation whose output blobs are stored.

    Raises:
        StoreError: See `Store.commit_derived`.
    """
    committed = store.commit_derived(
        DerivedCommit(
            namespace=derivation.namespace,
            source_id=derivation.source_id,
            inputs=derivation.inputs,
            outputs=tuple(outputs),
            parameters=derivation.parameters,
            rows=rows,
            run=run,
            annotations={TABLE_DIGEST: table_digest} if table_digest else {},
        )
    )
    digest = committed.ref.manifest.digest
    manifest = store.manifest(digest)
    if not isinstance(manifest, DerivedManifest):
        raise CorruptObjectError(f"{digest} is not a derived manifest", "Run `airnub store verify`")
    return describe(manifest, digest, committed.outcome)


def describe(manifest: DerivedManifest, digest: str, outcome: Outcome) -> DerivedResult:
    """Give the result that a derived manifest stands for."""
    return DerivedResult(
        namespace=manifest.namespace,
        source_id=manifest.source_id,
        outcome=outcome,
        manifest=digest,
        outputs=manifest.outputs,
        rows=manifest.rows,
        table_digest=manifest.annotations.get(TABLE_DIGEST),
    )
