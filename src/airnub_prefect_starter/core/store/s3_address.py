"""Addresses of stores in buckets: ``s3://bucket/prefix``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.store.layout import Key

SCHEME = "s3"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=-]{0,254}")
# A key of S3 has at most 1,024 bytes, and the longest of ours (in quarantine/) about 700.
_MAX_PREFIX_BYTES = 300


@dataclass(frozen=True, slots=True)
class S3Address:
    """A bucket and the prefix of a store in it, without slashes around it; may be empty."""

    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        """The address as it is written."""
        return f"{SCHEME}://{self.bucket}/{self.prefix}".rstrip("/")

    def name(self, key: str) -> str:
        """Return the object's name in the bucket of a key, or of the beginning of one."""
        return f"{self.prefix}/{key}" if self.prefix else key

    def key(self, name: str) -> Key:
        """Return the key of an object in the bucket."""
        return Key(name.removeprefix(f"{self.prefix}/") if self.prefix else name)


def parse_s3_url(url: str) -> S3Address:
    """Return the parts of ``s3://bucket[/prefix]``.

    Raises:
        ConfigError: It is no such address. No retry.
    """
    parts = urlsplit(url)
    prefix = parts.path.removeprefix("/").removesuffix("/")
    if parts.scheme != SCHEME or parts.query or parts.fragment:
        raise _no_address(url, "it is not s3://bucket/prefix")
    if "@" in parts.netloc or ":" in parts.netloc:
        raise _no_address("s3://…", "keys and ports do not belong into it")
    if not _BUCKET.fullmatch(parts.netloc):
        raise _no_address(url, f"{parts.netloc!r} cannot be the name of a bucket")
    for segment in prefix.split("/") if prefix else []:
        if not _SEGMENT.fullmatch(segment):
            raise _no_address(url, f"{segment!r} cannot be a part of the prefix")
    if len(prefix) > _MAX_PREFIX_BYTES:
        raise _no_address(url, f"the prefix is longer than {_MAX_PREFIX_BYTES} bytes")
    return S3Address(parts.netloc, prefix)


def _no_address(url: str, why: str) -> ConfigError:
    return ConfigError(
        f"{url!r} is not the address of a store: {why}",
        "Write s3://bucket/prefix; the endpoint and the keys are AWS_ENDPOINT_URL,"
        " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )
