"""Stores in the bucket of a server that misbehaves on demand."""

from __future__ import annotations

from airnub_prefect_starter.core.store.layout import ref_key
from airnub_prefect_starter.core.store.s3 import S3Backend
from airnub_prefect_starter.core.store.s3_bucket import S3Sizes
from tests.broken_s3 import BrokenS3, Rule, times
from tests.fake_s3 import Answer, Request
from tests.s3_kit import bucket_of, s3_backend

URL = "s3://bucket/stores/alpha"
REF = ref_key("alpha", "airports")
NOTHING = Answer(0, drop=True)


def backend(*, retries: int = 0, sizes: S3Sizes | None = None) -> S3Backend:
    """Open the store, to be used with so many retries."""
    s3_backend(URL)
    return S3Backend(bucket_of(URL, retries=retries, sizes=sizes))


def held(broken: BrokenS3, prefix: str) -> dict[str, bytes]:
    """What the server holds of a store."""
    start = f"stores/alpha/{prefix}"
    return {
        name.removeprefix("stores/alpha/"): each.data
        for name, each in broken.s3.objects.items()
        if name.startswith(start)
    }


def lose_answer(broken: BrokenS3, name: str, key: str) -> Rule:
    """Do what is asked of a key, and break the connection before the answer; once."""

    def lose(request: Request) -> Answer | None:
        if request.name != name or not request.key.endswith(key):
            return None
        broken.s3.run(request)
        return NOTHING

    return times(1, lose)
