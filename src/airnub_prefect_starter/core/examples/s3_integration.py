"""A bucket at work: an object, the event that tells of it, a function, a catalog, and retention.

Against any S3 server; ``AWS_ENDPOINT_URL`` and the keys come from the environment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote_plus, urlsplit

import requests
from botocore.exceptions import ClientError
from requests.exceptions import RequestException

from airnub_prefect_starter.common.errors import (
    ConfigError,
    SourceRejectedError,
    SourceUnavailableError,
)
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.redaction import redact_url
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.s3_client import S3Connection, client_for
from airnub_prefect_starter.core.store.s3_faults import status_of, translated

Environment = Literal["dev", "staging", "prod"]

RAW, CATALOG = "raw-data/", "catalog/"
_FUNCTION_TIMEOUT_S = (5, 60)
_RETRIED = frozenset({408, 425, 429})


class EnvironmentConfig(ConfigModel):
    """What differs between environments."""

    environment: Environment
    function_memory_mb: int
    retention_days: int


ENVIRONMENTS: Mapping[Environment, EnvironmentConfig] = {
    "dev": EnvironmentConfig(environment="dev", function_memory_mb=256, retention_days=30),
    "staging": EnvironmentConfig(environment="staging", function_memory_mb=256, retention_days=30),
    "prod": EnvironmentConfig(environment="prod", function_memory_mb=512, retention_days=365),
}


@dataclass(frozen=True)
class StoredObject:
    """An object that was put: where, its size in bytes, and what the server calls its content."""

    bucket: str
    key: str
    size: int
    etag: str
    sha256: str
    put_at: datetime


def list_buckets() -> list[str]:
    """List the buckets that the key may see.

    Raises:
        StoreError: The server cannot be asked; retry where it is transient.
    """
    with translated("Listing buckets"):
        answer = _client().list_buckets()
    return sorted(each["Name"] for each in answer["Buckets"])


def put_raw(bucket: str, data: bytes, now: datetime) -> StoredObject:
    """Put data below ``raw-data/YYYY/MM/DD/HHMMSSffffff/data.json``, in UTC.

    With microseconds, since a second put within a second would replace the first.

    Raises:
        ConfigError: There is no such bucket. No retry.
        StoreError: It cannot be put; retry where it is transient.
    """
    now = now.astimezone(UTC)
    key = f"{RAW}{now:%Y/%m/%d/%H%M%S%f}/data.json"
    with translated(f"Writing s3://{bucket}/{key}"):
        answer = _client().put_object(
            Bucket=bucket, Key=key, Body=data, ContentType="application/json"
        )
    return StoredObject(
        bucket, key, len(data), answer["ETag"].strip('"'), Digest.of(data).text, now
    )


def created_event(put: StoredObject) -> dict[str, Any]:
    """Describe a put as S3 does when it calls a function (event version 2.1).

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": _client().meta.region_name or "us-east-1",
        "eventTime": f"{put.put_at:%Y-%m-%dT%H:%M:%S}.{put.put_at.microsecond // 1000:03}Z",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": put.bucket, "arn": f"arn:aws:s3:::{put.bucket}"},
            # The key is encoded as in a form, as the service does it.
            "object": {
                "key": quote_plus(put.key, safe="/"),
                "size": put.size,
                "eTag": put.etag,
            },
        },
    }
    return {"Records": [record]}


def call_function(url: str, event: Mapping[str, Any], memory_mb: int) -> dict[str, Any]:
    """Post an event to a function's address and give its status and answer.

    Raises:
        ConfigError: It is no address. No retry.
        SourceUnavailableError: It does not answer, or with 408, 425, 429 or 5xx. A retry may help.
        SourceRejectedError: It answers with another error. No retry.
    """
    shown = redact_url(url)
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ConfigError(f"{shown[:200]!r} is no function", "Write http://… or https://…")
    try:
        answer = requests.post(
            url,
            json=event,
            headers={"X-Memory-Mb": str(memory_mb)},
            timeout=_FUNCTION_TIMEOUT_S,
            allow_redirects=False,
        )
    except RequestException as error:
        raise SourceUnavailableError(
            f"The function {shown} cannot be called: {type(error).__name__}", "Check --function-url"
        ) from error
    code = answer.status_code
    if code >= 500 or code in _RETRIED:
        raise SourceUnavailableError(f"The function {shown} answered {code}", "Try again later")
    if code >= 300:
        raise SourceRejectedError(f"The function {shown} answered {code}", "Look at its log")
    return {"kind": "http", "status": code, "answer": answer.text[:1000]}


def write_entry(put: StoredObject, config: EnvironmentConfig) -> str:
    """Add an object to the catalog in its bucket; give the entry's key.

    Raises:
        StoreError: It cannot be put; retry where it is transient.
    """
    entry = {
        "location": f"s3://{put.bucket}/{put.key}",
        "format": "json",
        "size_bytes": put.size,
        "digest": put.sha256,
        "etag": put.etag,
        "created_at": f"{put.put_at:%Y-%m-%dT%H:%M:%SZ}",
        "environment": config.environment,
    }
    key = f"{CATALOG}{put.key.removeprefix(RAW)}"
    body = json.dumps(entry, indent=2, sort_keys=True).encode()
    with translated(f"Writing s3://{put.bucket}/{key}"):
        _client().put_object(Bucket=put.bucket, Key=key, Body=body, ContentType="application/json")
    return key


def read_catalog(bucket: str) -> list[dict[str, Any]]:
    """Read every entry of a bucket's catalog, in order of time.

    Raises:
        StoreError: It cannot be read; retry where it is transient.
    """
    client = _client()
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=CATALOG)
    with translated(f"Reading the catalog of {bucket}"):
        keys = [each["Key"] for page in pages for each in page.get("Contents", ())]
        bodies = [client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
    return [json.loads(body) for body in bodies]


def set_retention(bucket: str, config: EnvironmentConfig) -> int | None:
    """Let raw data expire as the environment says; give the days as the server reads them back.

    Other rules of the bucket stay. None where the server has no such rules.

    Raises:
        StoreError: The rules cannot be read or written; retry where it is transient.
    """
    name = "airnub-raw-data"
    rule = {
        "ID": name,
        "Status": "Enabled",
        "Filter": {"Prefix": RAW},
        "Expiration": {"Days": config.retention_days},
    }
    client = _client()
    with translated(f"Setting the retention of {bucket}"):
        try:
            others = [each for each in _rules(client, bucket) if each.get("ID") != name]
            client.put_bucket_lifecycle_configuration(
                Bucket=bucket, LifecycleConfiguration={"Rules": [*others, rule]}
            )
        except ClientError as error:
            if status_of(error) == 501:
                return None
            raise
        found = {each.get("ID"): each for each in _rules(client, bucket)}
    return int(found[name]["Expiration"]["Days"])


def _rules(client: Any, bucket: str) -> list[dict[str, Any]]:
    try:
        return list(client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration":
            return []
        raise


def _client() -> Any:
    return client_for(S3Connection())
