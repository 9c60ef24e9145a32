"""Writers and gc at the same time in a bucket, where a look and a delete are two requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import Key, blob_key, manifest_key
from airnub_prefect_starter.core.store.protocol import Body, PutStatus, Stat
from airnub_prefect_starter.core.store.reachable import blobs_of, inputs_of
from airnub_prefect_starter.core.store.s3 import S3Backend
from airnub_prefect_starter.core.store.s3_abilities import abilities
from airnub_prefect_starter.core.store.s3_bucket import Answer, S3Bucket
from airnub_prefect_starter.core.store.s3_client import client_for
from airnub_prefect_starter.core.store.verify import verify
from tests.integration.store.stepping import ROUNDS, Stepper, play_round
from tests.s3_kit import S3Server, s3_backend
from tests.unit.core.store.tools import HandClock

LOOK_EVERY = 10


class ClockedS3Backend(S3Backend):
    """A backend whose objects are dated by a hand clock."""

    def __init__(self, bucket: S3Bucket, clock: HandClock) -> None:
        super().__init__(bucket)
        self._clock = clock
        self._times: dict[Key, int] = {}

    def stat(self, key: Key) -> Stat | None:
        found = super().stat(key)
        return found and self._dated(found)

    def list(self, prefix: str) -> Iterator[Stat]:
        return map(self._dated, super().list(prefix))

    def put(self, key: Key, body: Body, *, sha256: Digest, size: int, if_absent: bool) -> PutStatus:
        status = super().put(key, body, sha256=sha256, size=size, if_absent=if_absent)
        if status is PutStatus.CREATED:
            self._times[key] = self._clock.ns
        return status

    def cas(self, key: Key, data: bytes, expect: str | None) -> str:
        token = super().cas(key, data, expect)
        self._times[key] = self._clock.ns
        return token

    def now_ns(self) -> int:
        return self._clock.ns

    def _copy(self, key: Key, target: Key, size: int) -> bool:
        copied = super()._copy(key, target, size)
        self._times[target] = self._clock.ns
        return copied

    def _let_a_second_pass(self, head: Answer) -> None:
        """Nothing to wait for: the hand clock is days ahead of any object that is touched."""

    def _dated(self, stat: Stat) -> Stat:
        return replace(stat, modified_ns=self._times.get(stat.key, stat.modified_ns))


def require_resolvable(store: Store) -> None:
    for _, _, ref in store.refs():
        require_manifest(store, Digest(ref.manifest.digest), ref)


def require_manifest(store: Store, digest: Digest, named_by: object) -> None:
    assert store.backend.stat(manifest_key(digest)), f"{named_by} leads to {digest}, which is gone"
    manifest = store.manifest(digest.text)
    for blob, _ in blobs_of(manifest):
        assert store.backend.stat(blob_key(blob)), f"{digest} lost {blob}"
    for each in inputs_of(manifest):
        require_manifest(store, each, digest)


@pytest.mark.parametrize("seed", range(8))
def test_refs_always_resolve_while_gc_runs(s3: S3Server, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a seed that repeats the order is the point
    clock = HandClock()
    bucket = s3_backend(s3.url()).bucket
    abilities(bucket)  # found out under a lock, which an actor must not hold while others go on
    store = Store(ClockedS3Backend(bucket, clock), clock)

    def look() -> None:
        if random.randrange(LOOK_EVERY) == 0:
            require_resolvable(store)

    stepper = Stepper(random, look)
    client_for(bucket.connection).meta.events.register("before-send.s3", lambda **_: stepper.step())
    for _ in range(ROUNDS):
        play_round(store, clock, stepper, random)
        require_resolvable(store)
    assert verify(store, level="deep").ok
