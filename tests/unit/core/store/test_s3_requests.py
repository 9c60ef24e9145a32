"""What is sent to a server, and what comes of answers that are late, cut or wrong."""

from __future__ import annotations

import pytest

from airnub_prefect_starter.common.errors import (
    CorruptObjectError,
    StoreDeniedError,
    StoreUnavailableError,
)
from airnub_prefect_starter.core.store import Store, open_store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import BLOBS, QUARANTINE, Key, blob_key
from airnub_prefect_starter.core.store.protocol import PutStatus
from airnub_prefect_starter.core.store.s3 import S3Backend
from tests.broken_s3 import BrokenS3, always, times
from tests.fake_s3 import Answer, Request, error
from tests.store_conformance import blob_of, fetch, put
from tests.unit.core.store.s3_tools import URL, backend, held


@pytest.mark.parametrize("size", [0, 1 << 20, (1 << 20) + 1])
def test_sends_a_body_once_with_its_digest_and_no_framing(
    broken: BrokenS3, plain: S3Backend, size: int
) -> None:
    put(plain, b"x" * size)
    (sent,) = [each for each in broken.requests if BLOBS in each.key and each.method == "PUT"]
    assert sent.headers["content-length"] == str(size)
    assert sent.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert "x-amz-checksum-sha256" in sent.headers["authorization"]
    assert ("if-none-match" in sent.headers) is (size <= 1 << 20)
    for name in ("transfer-encoding", "content-encoding", "x-amz-trailer", "x-amz-checksum-crc32"):
        assert name not in sent.headers


def test_looks_before_it_puts_much(broken: BrokenS3, plain: S3Backend) -> None:
    data = b"x" * (2 << 20)
    put(plain, data)
    before = len(broken.requests)
    assert put(plain, data)[1] is PutStatus.EXISTS
    assert broken.names()[before:] == ["HEAD Object"]


def test_lists_page_by_page(broken: BrokenS3, plain: S3Backend) -> None:
    keys = [Key(f"results/{number:04}") for number in range(2500)]
    for key in keys:
        broken.s3.put(f"stores/alpha/{key}", b"")
    before = len(broken.requests)
    assert [stat.key for stat in plain.list("results/")] == keys
    assert broken.names()[before:] == ["GET Bucket"] * 3
    plain.delete(keys)
    assert broken.names()[before + 3 :] == ["POST Bucket"] * 3
    assert held(broken, "results/") == {}


def test_satisfies_servers_that_demand_an_md5(broken: BrokenS3, plain: S3Backend) -> None:
    broken.s3.manners.demands_md5 = True
    first, second = put(plain, b"first")[0], put(plain, b"second")[0]
    plain.delete([first, second])
    assert held(broken, BLOBS) == {}


def test_tells_what_could_not_be_deleted(broken: BrokenS3, plain: S3Backend) -> None:
    refusal = "<Error><Key>x</Key><Code>AccessDenied</Code><Message>No</Message></Error>"
    answer = Answer(200, f"<DeleteResult>{refusal}</DeleteResult>".encode())
    broken.rules.append(always("POST Bucket", answer))
    with pytest.raises(StoreDeniedError):
        plain.delete([put(plain, b"first")[0]])


@pytest.mark.parametrize("cut_at", [0, 1, 99_999])
@pytest.mark.parametrize("whole", [True, False], ids=["read", "stream"])
def test_a_cut_answer_is_no_damage(broken: BrokenS3, cut_at: int, whole: bool) -> None:
    store = open_store(URL)
    digest = blob_of(fetch(store, b"x" * 100_000))
    answer = Answer(200, b"x" * 100_000, headers_of(broken, blob_key(digest)), cut_at=cut_at)
    broken.rules.append(times(1, lambda each: answer if is_get(each, blob_key(digest)) else None))
    with pytest.raises(StoreUnavailableError):
        store.read_blob(digest.text) if whole else drain(store, digest)
    assert list(store.backend.list(QUARANTINE)) == []
    assert store.read_blob(digest.text) == b"x" * 100_000


def test_a_length_that_is_too_small_is_no_damage(broken: BrokenS3) -> None:
    store = open_store(URL)
    digest = blob_of(fetch(store, b"bytes"))
    headers = {**headers_of(broken, blob_key(digest)), "Content-Length": "4"}
    short = Answer(200, b"byte", headers)
    broken.rules.append(lambda each: short if is_get(each, blob_key(digest)) else None)
    with pytest.raises(CorruptObjectError, match="is sound, yet"):
        store.read_blob(digest.text)
    broken.rules.clear()
    assert store.read_blob(digest.text) == b"bytes"


def drain(store: Store, digest: Digest) -> None:
    with store.open_blob(digest.text) as stream:
        while stream.read(1000):
            pass


def is_get(request: Request, key: Key) -> bool:
    return request.name == "GET Object" and request.key == f"stores/alpha/{key}"


def headers_of(broken: BrokenS3, key: Key) -> dict[str, str]:
    stored = broken.s3.objects[f"stores/alpha/{key}"]
    return {"ETag": stored.etag, "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT"}


def test_repeats_what_is_to_be_repeated(broken: BrokenS3) -> None:
    patient = backend(retries=2)
    slow = always("PUT Object", error(503, "SlowDown"))
    broken.rules.append(times(1, slow))
    assert put(patient, b"bytes")[1] is PutStatus.CREATED


def test_gives_up_on_a_server_that_stays_slow(broken: BrokenS3, plain: S3Backend) -> None:
    broken.rules.append(always("PUT Object", error(503, "SlowDown")))
    with pytest.raises(StoreUnavailableError, match="SlowDown") as caught:
        put(plain, b"bytes")
    assert caught.value.transient
