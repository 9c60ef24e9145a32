from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.manifest_models import NAME_PATTERN
from airnub_prefect_starter.core.store import layout
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import Key

DIGESTS = st.binary().map(Digest.of)
NAMES = st.from_regex(NAME_PATTERN, fullmatch=True)
MOMENTS = st.integers(0, 1 << 32).map(lambda each: datetime.fromtimestamp(each, UTC))
HOSTILE = ["", "..", "../x", "a/b", "A", ".hidden", "-x", "a" * 64, "a\n", "ä", "a b", "a\0"]


@given(DIGESTS)
def test_round_trips_blobs_and_manifests(digest: Digest) -> None:
    blob, manifest = layout.blob_key(digest), layout.manifest_key(digest)
    assert blob == f"blobs/sha256/{digest.hex[:2]}/{digest.hex}"
    assert manifest == f"manifests/sha256/{digest.hex[:2]}/{digest.hex}.json"
    assert layout.digest_of(blob) == layout.digest_of(manifest) == digest
    assert blob.rpartition("/")[0] in layout.SHARDS


@given(NAMES, NAMES)
def test_round_trips_refs(namespace: str, source_id: str) -> None:
    assert layout.ref_name(layout.ref_key(namespace, source_id)) == (namespace, source_id)


@given(NAMES)
def test_round_trips_pins(name: str) -> None:
    assert layout.pin_name(layout.pin_key(name)) == name


@given(MOMENTS)
def test_round_trips_candidate_lists(moment: datetime) -> None:
    assert layout.candidates_time(layout.candidates_key(moment)) == moment


@given(st.text())
def test_lets_no_text_out_of_its_prefix(text: str) -> None:
    for make in (layout.pin_key, layout.result_key):
        try:
            key = make(text)
        except ConfigError:
            continue
        parts = key.split("/")
        assert parts[0] in {"pins", "results"}
        assert not {"", ".", ".."} & set(parts)
        assert not any(part.startswith(".") for part in parts)


@pytest.mark.parametrize("name", HOSTILE)
def test_refuses_names_that_are_none(name: str) -> None:
    with pytest.raises(ConfigError):
        layout.ref_key(name, "x")
    with pytest.raises(ConfigError):
        layout.ref_key("x", name)
    with pytest.raises(ConfigError):
        layout.pin_key(name)
    with pytest.raises(ConfigError):
        layout.report_key(name, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "key", ["blobs/sha256/aa/bb", "blobs/x", "blobs/sha256/00/" + "a" * 64, "blobs/" + "a" * 64]
)
def test_refuses_keys_it_does_not_make(key: str) -> None:
    with pytest.raises(ConfigError):
        layout.digest_of(Key(key))


def test_files_reports_under_the_day_in_utc() -> None:
    started = datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert layout.report_key("run-1", started) == "runs/2025/12/31/run-1.json"


def test_knows_its_own_marker() -> None:
    layout.check_marker(layout.MARKER)
    assert json.loads(layout.MARKER) == {
        "casLayoutVersion": 1,
        "algorithm": "sha256",
        "shard": [2],
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"\xff",
        b'{"casLayoutVersion":2,"algorithm":"sha256","shard":[2]}',
        b'{"casLayoutVersion":1,"algorithm":"sha512","shard":[2]}',
        b'{"casLayoutVersion":1,"algorithm":"sha256","shard":[2,2]}',
    ],
)
def test_refuses_other_layouts(data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"cas\.json"):
        layout.check_marker(data)
