"""Files of this machine as sources: through the same function as those of a server."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from airnub_prefect_starter.common.errors import (
    ConfigError,
    DigestMismatchError,
    PayloadError,
    StarterError,
    TooLargeError,
)
from airnub_prefect_starter.core.file_handlers import core_download_hash_store_and_manifest
from airnub_prefect_starter.core.manifest_models import FetchManifest, SourceResult
from airnub_prefect_starter.core.sources import FileSource
from tests.fetch_kit import Kept

BODY = b"a,b\n1,2\n"
DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


def _fetch(kept: Kept, path: Path, **changes: Any) -> SourceResult:
    given = {"source_id": "f", "url": path.as_uri(), "access": {"allow_files": True}, **changes}
    source = FileSource.model_validate(given)
    return core_download_hash_store_and_manifest(kept.store, source, namespace="files")


def test_a_file_is_stored_under_its_name_and_not_its_folder(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "a b.csv"
    path.write_bytes(BODY)

    first = _fetch(kept, path, media_type="text/csv", expected_digest=DIGEST)
    second = _fetch(kept, path, media_type="text/csv", expected_digest=DIGEST)

    assert (first.outcome, second.outcome) == ("stored", "not_modified")
    assert kept.store.read_blob(first.blob.digest) == BODY
    manifest = kept.store.manifest(first.manifest)
    assert isinstance(manifest, FetchManifest)
    assert (manifest.source.url, manifest.source.filename) == ("file:a b.csv", "a b.csv")
    assert str(tmp_path) not in manifest.model_dump_json()


@pytest.mark.parametrize(
    ("body", "changes", "error"),
    [
        (None, {}, ConfigError),
        (b"", {}, PayloadError),
        (b"<!DOCTYPE html><html>", {"media_type": "text/csv"}, PayloadError),
        (BODY, {"limits": {"max_bytes": 3}}, TooLargeError),
        (BODY + b" ", {"expected_digest": DIGEST}, DigestMismatchError),
    ],
    ids=["missing", "empty", "a-web-page", "too-large", "wrong-digest"],
)
def test_of_a_wrong_file_nothing_is_stored(
    body: bytes | None,
    changes: dict[str, Any],
    error: type[StarterError],
    kept: Kept,
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.csv"
    if body is not None:
        path.write_bytes(body)
    before = kept.files()

    with pytest.raises(error):
        _fetch(kept, path, **changes)

    assert kept.files() == before
