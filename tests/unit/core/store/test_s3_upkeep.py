"""What gc needs of a server."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from threading import Thread

import pytest

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.store import open_store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.gc import mark, sweep
from airnub_prefect_starter.core.store.layout import BLOBS, QUARANTINE, TMP, Key, blob_key
from airnub_prefect_starter.core.store.s3 import S3Backend
from tests.broken_s3 import BrokenS3, always
from tests.fake_s3 import Answer, Request, Upload, error
from tests.store_conformance import put, read
from tests.unit.core.store.s3_tools import URL, held


def test_gc_refuses_when_the_servers_clock_is_wrong(broken: BrokenS3) -> None:
    store = open_store(URL)
    broken.s3.manners.clock_ahead = timedelta(minutes=6)
    with pytest.raises(ConfigError, match="clock"):
        mark(store)


def test_gc_ends_uploads_that_a_killed_writer_left(
    broken: BrokenS3, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(URL)
    now = broken.s3.now()
    broken.s3.uploads = {
        "old": Upload(f"stores/alpha/{BLOBS}x", now - timedelta(hours=25)),
        "young": Upload(f"stores/alpha/{BLOBS}x", now),
        "another's": Upload("stores/beta/x", now - timedelta(days=9)),
    }
    broken.s3.put(f"stores/alpha/{TMP}probe-1", b"", modified=now - timedelta(hours=25))
    assert sweep(store).temps == 2
    assert len(broken.s3.uploads) == 3
    assert sweep(store, apply=True).temps == 2
    assert broken.s3.uploads.keys() == {"young", "another's"}
    assert held(broken, TMP) == {}
    broken.rules.append(always("GET Uploads", error(403, "AccessDenied")))
    assert sweep(store, apply=True).temps == 0
    assert any("cannot be listed" in each.message for each in caplog.records)


def test_moves_only_the_bytes_that_it_saw(broken: BrokenS3, plain: S3Backend) -> None:
    key, _ = put(plain, b"rotten", key=blob_key(Digest.of(b"good")))

    def heal(request: Request) -> Answer | None:
        if "x-amz-copy-source" not in request.headers:
            return None
        answer = broken.s3.run(request)
        broken.s3.put(f"stores/alpha/{key}", b"good")
        return answer

    broken.rules.append(heal)
    assert plain.move(key, Key(f"{QUARANTINE}x"))
    assert read(plain, Key(f"{QUARANTINE}x")) == b"rotten"
    assert read(plain, key) == b"good"


@pytest.mark.parametrize("kept", [True, False])
def test_a_writer_waits_until_gc_has_decided(
    broken: BrokenS3, plain: S3Backend, kept: bool
) -> None:
    key, _ = put(plain, b"bytes")
    claim = f"stores/alpha/{TMP}claim-{Digest.of(key.encode()).hex}-1"
    broken.s3.put(claim, b"")
    looks = 0

    def decide(request: Request) -> None:
        nonlocal looks
        looks += request.name == "GET Bucket"
        if looks == 3:
            broken.s3.objects.pop(claim, None)
            if not kept:
                broken.s3.objects.pop(f"stores/alpha/{key}", None)

    broken.rules.append(decide)
    assert plain.touch(key) is kept
    assert looks == 3


def test_a_claim_that_a_killed_gc_left_is_of_no_effect(broken: BrokenS3, plain: S3Backend) -> None:
    key, _ = put(plain, b"bytes")
    long_ago = broken.s3.now() - timedelta(hours=1)
    name = f"stores/alpha/{TMP}claim-{Digest.of(key.encode()).hex}-1"
    broken.s3.put(name, b"", modified=long_ago)
    assert plain.touch(key)


def test_a_touch_between_gcs_look_and_its_delete_is_not_lost(
    broken: BrokenS3, plain: S3Backend
) -> None:
    """Either the object stays, or the writer hears that it is gone and puts it again."""
    key, _ = put(plain, b"bytes")
    seen = plain.stat(key)
    assert seen is not None
    answers: list[bool] = []
    writer = Thread(target=lambda: answers.append(plain.touch(key)))

    def overtake(request: Request) -> None:
        if request.name == "DELETE Object" and request.key.endswith(key):
            broken.requests.clear()
            writer.start()
            wait_until(lambda: answers or "GET Bucket" in broken.names())

    broken.rules.append(overtake)
    discarded = plain.discard(seen, keep_in_trash=False)
    writer.join()
    assert (discarded, answers) == (True, [False])
    assert plain.stat(key) is None


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
