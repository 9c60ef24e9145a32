"""Objects too large for one call."""

from __future__ import annotations

import pytest

from airnub_prefect_starter.common.errors import (
    StoreError,
    StoreIntegrityError,
    StoreUnavailableError,
)
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import BLOBS, QUARANTINE, TMP, Key, blob_key
from airnub_prefect_starter.core.store.protocol import PutStatus
from airnub_prefect_starter.core.store.s3 import S3Backend
from airnub_prefect_starter.core.store.s3_bucket import S3Sizes
from tests.broken_s3 import BrokenS3, always, times
from tests.fake_s3 import error
from tests.store_conformance import put, read
from tests.unit.core.store.s3_tools import backend, held, lose_answer

SMALL_PARTS = S3Sizes(single_put_max=100, part_min=60, copy_max=100)
BIG = bytes(range(250))


@pytest.fixture
def parts(broken: BrokenS3) -> S3Backend:
    """A backend that puts and copies 250 bytes in five parts."""
    return backend(sizes=SMALL_PARTS)


def part_numbers(broken: BrokenS3) -> list[str]:
    return sorted(
        each.query["partNumber"]
        for each in broken.requests
        if each.name == "PUT Part" and TMP not in each.key
    )


def test_puts_in_parts(broken: BrokenS3, parts: S3Backend) -> None:
    key, status = put(parts, BIG)
    assert (status, read(parts, key)) == (PutStatus.CREATED, BIG)
    assert part_numbers(broken) == ["1", "2", "3", "4", "5"]
    assert put(parts, BIG)[1] is PutStatus.EXISTS
    assert read(parts, key) == BIG
    assert broken.s3.uploads == {}
    stat = parts.stat(key)
    assert stat is not None
    assert stat.sha256 is None


def test_copies_in_parts(broken: BrokenS3, parts: S3Backend) -> None:
    key, _ = put(parts, BIG)
    before = parts.stat(key)
    assert parts.touch(key)
    assert parts.stat(key) != before
    assert parts.move(key, Key(f"{QUARANTINE}x"))
    assert read(parts, Key(f"{QUARANTINE}x")) == BIG
    assert parts.stat(key) is None


@pytest.mark.parametrize("number", ["1", "3", "5"])
def test_leaves_nothing_of_an_upload_that_fails(
    broken: BrokenS3, parts: S3Backend, number: str
) -> None:
    broken.rules.append(
        lambda each: error(500, "InternalError") if each.query.get("partNumber") == number else None
    )
    with pytest.raises(StoreUnavailableError, match="InternalError"):
        put(parts, BIG)
    assert broken.s3.uploads == {}
    assert held(broken, BLOBS) == {}


def test_repeats_a_part_from_its_start(broken: BrokenS3) -> None:
    patient = backend(retries=2, sizes=SMALL_PARTS)
    broken.rules.append(times(1, always("PUT Part", error(500, "InternalError"))))
    key, _ = put(patient, BIG)
    assert read(patient, key) == BIG


def test_tells_the_first_error_when_removing_fails_too(
    broken: BrokenS3, parts: S3Backend, caplog: pytest.LogCaptureFixture
) -> None:
    put(parts, b"probe first" * 10)
    broken.rules += [
        always("POST Upload", error(507, "XMinioStorageFull")),
        always("DELETE Upload", error(500, "InternalError")),
    ]
    with pytest.raises(StoreError, match="XMinioStorageFull"):
        put(parts, BIG)
    assert any("stays until gc" in each.message for each in caplog.records)
    assert len(broken.s3.uploads) == 1


@pytest.mark.parametrize(
    ("conditional", "status"), [(True, PutStatus.EXISTS), (False, PutStatus.CREATED)]
)
def test_knows_its_own_completion(broken: BrokenS3, conditional: bool, status: PutStatus) -> None:
    broken.s3.manners.obeys_if_none_match = conditional
    patient = backend(retries=2, sizes=SMALL_PARTS)
    key = blob_key(Digest.of(BIG))
    broken.rules.append(lose_answer(broken, "POST Upload", key))
    assert put(patient, BIG)[1] is status
    assert read(patient, key) == BIG
    assert broken.s3.uploads == {}


def test_notices_an_object_of_another_size(broken: BrokenS3, parts: S3Backend) -> None:
    put(parts, b"probe first" * 10)
    broken.s3.manners.stores_framing = True
    with pytest.raises(StoreIntegrityError, match="250 bytes was put in parts, and 255 bytes"):
        put(parts, BIG)
