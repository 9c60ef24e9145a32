"""How the Delta library reaches the bucket of a content store: as the store itself does."""

from __future__ import annotations

import boto3

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.store.s3_bucket import S3Bucket
from airnub_prefect_starter.core.store.s3_client import client_for


def storage_options(bucket: S3Bucket) -> dict[str, str]:
    """Give the options for a bucket: endpoint, region and keys, as boto3 finds them now.

    Keys that expire are read anew with every call. Without them the library's own defaults would
    wait for a server for three minutes.

    Raises:
        ConfigError: There are no keys. No retry.
    """
    client = client_for(bucket.connection)
    endpoint = str(client.meta.endpoint_url)
    return {
        "aws_endpoint_url": endpoint,
        "aws_region": client.meta.region_name or "us-east-1",
        "aws_allow_http": str(endpoint.startswith("http:")).lower(),
        "aws_virtual_hosted_style_request": "false",
        "aws_conditional_put": "etag",
        "connect_timeout": f"{bucket.connection.connect_timeout_s:g}s",
        "timeout": f"{bucket.connection.read_timeout_s:g}s",
        "max_retries": str(bucket.connection.retries),
        "retry_timeout": "30s",
        **_keys(),
    }


def _keys() -> dict[str, str]:
    found = boto3.session.Session().get_credentials()
    if found is None:
        raise ConfigError(
            "There are no keys for the object store",
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    keys = found.get_frozen_credentials()
    token = {"aws_session_token": keys.token} if keys.token else {}
    return {
        "aws_access_key_id": keys.access_key,
        "aws_secret_access_key": keys.secret_key,
        **token,
    }
