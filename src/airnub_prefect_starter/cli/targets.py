"""What a command's target names: a digest or its beginning, or a ref."""

from __future__ import annotations

import re
from collections.abc import Iterator

from airnub_prefect_starter.common.errors import (
    ConfigError,
    ObjectNotFoundError,
    UnknownNameError,
)
from airnub_prefect_starter.common.identifiers import nearest
from airnub_prefect_starter.common.utils import sanitize_filename
from airnub_prefect_starter.core.derivation import split_ref
from airnub_prefect_starter.core.increments import continued
from airnub_prefect_starter.core.manifest_models import DerivedManifest, FetchManifest
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.digest import ALGORITHM
from airnub_prefect_starter.core.store.layout import BLOBS, MANIFESTS, Key, digest_of

MIN_HEX = 8
SHORT_HEX = 12
_BEGINNING = re.compile(rf"({ALGORITHM}:)?([0-9a-f]{{{MIN_HEX},64}})")


def short(digest: str) -> str:
    """Give the beginning of a digest, which commands take in its place."""
    return digest.removeprefix(f"{ALGORITHM}:")[:SHORT_HEX]


def find_digest(store: Store, text: str) -> str:
    """Find the blob or manifest that a digest or its beginning names.

    Raises:
        ConfigError: The text cannot be the beginning of a digest. No retry.
        ObjectNotFoundError: There is no such object. No retry.
        UnknownNameError: There are several. No retry.
    """
    return digest_of(_find_key(store, text, (BLOBS, MANIFESTS))).text


def find_manifest(store: Store, target: str) -> FetchManifest | DerivedManifest:
    """Read the manifest that its digest, or the beginning of that, or a ref names.

    Raises:
        StoreError: There is none, or it is corrupt. No retry.
        ConfigError: As for `find_digest`. No retry.
    """
    if "/" in target:
        return _manifest_of_ref(store, target)
    return store.manifest(digest_of(_find_key(store, target, (MANIFESTS,))).text)


def find_blobs(store: Store, target: str) -> dict[str, str]:
    """Find what a blob's or manifest's digest, or a ref, stands for: file name → digest.

    The names are safe relative paths of which none leads into another, whoever chose them. A ref
    that is stored in increments stands for them all, numbered in the order in which they came.

    Raises:
        StoreError: There is none, or it is corrupt. No retry.
        ConfigError: As for `find_digest`, or two names would be one file. No retry.
    """
    if "/" in target:
        return _files_of_ref(store, target)
    key = _find_key(store, target, (BLOBS, MANIFESTS))
    digest = digest_of(key)
    if key.startswith(BLOBS):
        return {digest.hex: digest.text}
    return _file_names(store.manifest(digest.text))


def _find_key(store: Store, text: str, prefixes: tuple[str, ...]) -> Key:
    found = _BEGINNING.fullmatch(text)
    if not found:
        raise ConfigError(
            f"{text[:80]!r} is neither a digest nor NAMESPACE/SOURCE",
            f"Give {MIN_HEX} or more lower-case hexadecimal digits, or see `airnub store ls`",
        )
    keys = list(_keys_from(store, found[2], prefixes))
    if not keys:
        what = "manifest" if prefixes == (MANIFESTS,) else "blob or manifest"
        raise ObjectNotFoundError(
            f"No {what} of this store has the digest {text}", "See `airnub store ls manifests`"
        )
    digests = {digest_of(key).text for key in keys}
    if len(digests) > 1:
        raise UnknownNameError(
            f"{text} is the beginning of {len(digests)} digests",
            f"Give more of it: {', '.join(sorted(digests)[:5])}",
        )
    return keys[0]


def _keys_from(store: Store, digits: str, prefixes: tuple[str, ...]) -> Iterator[Key]:
    for prefix in prefixes:
        for stat in store.backend.list(f"{prefix}{ALGORITHM}/{digits[:2]}/{digits}"):
            yield stat.key


def _manifest_of_ref(store: Store, target: str) -> FetchManifest | DerivedManifest:
    namespace, source_id = split_ref(target)
    ref = store.ref(namespace, source_id)
    if ref is None:
        hint = nearest(target, [f"{space}/{name}" for space, name, _ in store.refs()])
        raise ObjectNotFoundError(
            f"There is no ref {target}",
            f"Did you mean {hint}?" if hint else "See `airnub store ls`",
        )
    return store.manifest(ref.manifest.digest)


def _files_of_ref(store: Store, target: str) -> dict[str, str]:
    manifest = _manifest_of_ref(store, target)
    if isinstance(manifest, DerivedManifest) or manifest.continues is None:
        return _file_names(manifest)
    older = [each for _, each in continued(store, manifest)]
    in_order = [
        name_and_blob
        for each in (*reversed(older), manifest)
        for name_and_blob in _file_names(each).items()
    ]
    return {f"{number:04}-{name}": blob for number, (name, blob) in enumerate(in_order, start=1)}


def _file_names(manifest: FetchManifest | DerivedManifest) -> dict[str, str]:
    if isinstance(manifest, FetchManifest):
        name = manifest.source.filename or manifest.source_id
        return {sanitize_filename(name): manifest.blob.digest}
    names = [_relative(output.name) for output in manifest.outputs]
    for name in names:
        if names.count(name) > 1 or any(each.startswith(f"{name}/") for each in names):
            raise ConfigError(
                f"More than one output would be written to {name!r}",
                "Get each by its digest: `airnub store show` lists them",
            )
    digests = [output.blob.digest for output in manifest.outputs]
    return dict(zip(names, digests, strict=True))


def _relative(name: str) -> str:
    return "/".join(sanitize_filename(part) for part in name.split("/"))
