"""Servers that are not quite S3, and keys that may not do everything: nothing is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from airnub_prefect_starter.common.errors import (
    ConfigError,
    ObjectNotFoundError,
    RefConflictError,
    StoreDeniedError,
    StoreIntegrityError,
    StoreUnavailableError,
)
from airnub_prefect_starter.core.store import Store, open_store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import BLOBS, TMP, blob_key
from airnub_prefect_starter.core.store.protocol import PutStatus
from airnub_prefect_starter.core.store.s3 import S3Backend
from airnub_prefect_starter.core.store.s3_abilities import forget_abilities
from airnub_prefect_starter.core.store.verify import verify
from tests.broken_s3 import BrokenS3, always, times
from tests.fake_s3 import Answer, Request, error
from tests.store_conformance import fetch, put, read
from tests.unit.core.store.s3_tools import NOTHING, REF, URL, backend, held, lose_answer


@pytest.mark.parametrize(
    "manner", ["obeys_if_none_match", "understands_conditions", "inverts_if_none_match"]
)
def test_does_without_conditions(
    broken: BrokenS3, manner: str, caplog: pytest.LogCaptureFixture
) -> None:
    setattr(broken.s3.manners, manner, manner.startswith("inverts"))
    store = open_store(URL)
    with caplog.at_level(logging.WARNING):
        assert fetch(store, b"one").outcome == "stored"
        assert fetch(store, b"one").outcome == "not_modified"
        assert fetch(store, b"two").outcome == "stored"
    assert [each.message for each in caplog.records if "the last wins" in each.message] != []
    assert len(caplog.records) == 1
    assert verify(store, level="deep").ok
    with pytest.raises(RefConflictError):
        store.backend.cas(REF, b"{}", '"stale"')
    with pytest.raises(RefConflictError):
        store.backend.cas(REF, b"{}", None)


def test_knows_its_own_write_by_its_bytes(broken: BrokenS3) -> None:
    patient = backend(retries=2)
    broken.rules.append(lose_answer(broken, "PUT Object", REF))
    token = patient.cas(REF, b"mine", None)
    with patient.open(REF) as reader:
        assert (reader.read(), reader.stat.token) == (b"mine", token)
    assert [each.method for each in broken.requests if each.key.endswith(REF)][:2] == ["PUT"] * 2


def test_does_not_take_anothers_write_for_its_own(broken: BrokenS3) -> None:
    patient = backend(retries=2)

    def overtake(request: Request) -> Answer | None:
        if request.name != "PUT Object" or not request.key.endswith(REF):
            return None
        broken.s3.put(request.key, b"another's")
        return NOTHING

    broken.rules.append(times(1, overtake))
    with pytest.raises(RefConflictError):
        patient.cas(REF, b"mine", None)


def test_a_blob_whose_answer_was_lost_is_there(broken: BrokenS3) -> None:
    store = Store(backend(retries=2))
    broken.rules.append(lose_answer(broken, "PUT Object", blob_key(Digest.of(b"bytes"))))
    assert store.put_bytes(b"bytes")[1] == "deduplicated"
    assert store.read_blob(Digest.of(b"bytes").text) == b"bytes"


def conflicts(request: Request) -> Answer | None:
    if request.name == "PUT Object" and TMP not in request.key:
        return error(409, "ConditionalRequestConflict")
    return None


def test_waits_for_the_end_of_a_conflict(broken: BrokenS3, plain: S3Backend) -> None:
    broken.rules.append(times(3, conflicts))
    assert put(plain, b"bytes")[1] is PutStatus.CREATED
    broken.rules.append(times(3, conflicts))
    assert plain.cas(REF, b"{}", None)


def test_gives_a_conflict_up_that_does_not_end(broken: BrokenS3, plain: S3Backend) -> None:
    broken.rules.append(conflicts)
    with pytest.raises(StoreUnavailableError, match="ConditionalRequestConflict"):
        put(plain, b"bytes")
    with pytest.raises(RefConflictError):
        plain.cas(REF, b"{}", None)


def test_reads_back_what_a_server_does_not_check(broken: BrokenS3, plain: S3Backend) -> None:
    broken.s3.manners.checks_digests = False
    key, _ = put(plain, b"bytes")
    stat = plain.stat(key)
    assert stat is not None
    assert stat.sha256 is None  # the server only repeats what it was told
    broken.s3.manners.stores_framing = True
    with pytest.raises(StoreIntegrityError, match="came back with the digest"):
        put(plain, b"others")
    assert held(broken, BLOBS).keys() == {key}


def test_reads_what_is_there_where_no_digests_are_kept(broken: BrokenS3) -> None:
    broken.s3.manners.keeps_digests = False
    store = open_store(URL)
    store.put_bytes(b"bytes")
    broken.s3.put(f"stores/alpha/{blob_key(Digest.of(b'bytes'))}", b"bytez")
    assert store.put_bytes(b"bytes")[1] == "repaired"
    assert verify(store, level="checksum").unproven == 1


def test_opens_no_store_where_bodies_are_altered(broken: BrokenS3) -> None:
    broken.s3.manners.stores_framing = True
    broken.s3.manners.checks_digests = False
    with pytest.raises(ConfigError, match=r"cas\.json is"):
        open_store(URL)


def test_takes_a_403_for_missing_where_the_listing_says_so(broken: BrokenS3) -> None:
    broken.s3.manners.denies_what_is_missing = True
    store = open_store(URL)
    assert fetch(store, b"bytes").outcome == "stored"
    assert fetch(store, b"bytes").outcome == "not_modified"
    assert store.ref("alpha", "other") is None
    key = blob_key(Digest.of(b"never put"))
    assert store.backend.stat(key) is None
    with pytest.raises(ObjectNotFoundError):
        read(store.backend, key)


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("HEAD Object", lambda store: store.backend.stat(REF)),
        ("GET Object", lambda store: store.ref("alpha", "airports")),
        ("GET Bucket", lambda store: list(store.refs())),
        ("PUT Object", lambda store: fetch(store, b"newer")),
    ],
)
def test_a_403_that_is_one_stays_one(
    broken: BrokenS3, plain: S3Backend, name: str, use: Callable[[Store], object]
) -> None:
    store = Store(plain)
    fetch(store, b"bytes")
    before = held(broken, "")
    broken.rules.append(always(name, error(403, "AccessDenied")))
    with pytest.raises(StoreDeniedError):
        use(store)
    assert held(broken, "") == before


def test_a_key_that_only_reads_believes_nothing(broken: BrokenS3) -> None:
    fetch(open_store(URL), b"bytes")
    forget_abilities()
    broken.rules.append(always("PUT Object", error(403, "AccessDenied")))
    reading = open_store(URL, create=False)
    assert verify(reading, level="checksum").unproven == 1
    assert verify(reading, level="deep").ok
