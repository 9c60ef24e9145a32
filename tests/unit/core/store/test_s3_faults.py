"""What the S3 client raises, as errors of the store: kind, remedy, retry."""

from __future__ import annotations

import socket

import pytest
from botocore.exceptions import ClientError

from airnub_prefect_starter.common.errors import (
    ConfigError,
    NoSpaceError,
    ObjectNotFoundError,
    StarterError,
    StoreDeniedError,
    StoreIntegrityError,
    StoreUnavailableError,
)
from airnub_prefect_starter.core.store import layout, open_store
from airnub_prefect_starter.core.store.s3 import S3Backend
from airnub_prefect_starter.core.store.s3_faults import refusal
from tests.broken_s3 import BrokenS3, always
from tests.fake_s3 import Answer
from tests.s3_kit import bucket_of, reaching

URL = "s3://bucket/stores/alpha"


@pytest.mark.parametrize(
    ("status", "code", "kind", "remedy"),
    [
        (403, "AccessDenied", StoreDeniedError, "docs/store.md"),
        (403, "403", StoreDeniedError, "docs/store.md"),
        (401, "Unauthorized", StoreDeniedError, "docs/store.md"),
        (403, "InvalidAccessKeyId", StoreDeniedError, "AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", StoreDeniedError, "AWS_SECRET_ACCESS_KEY"),
        (400, "ExpiredToken", StoreDeniedError, "Renew"),
        (403, "RequestTimeTooSkewed", StoreDeniedError, "NTP"),
        (404, "NoSuchBucket", ConfigError, "--create-bucket"),
        (404, "NoSuchKey", ObjectNotFoundError, "airnub store ls"),
        (404, "404", ObjectNotFoundError, "airnub store ls"),
        (400, "BadDigest", StoreIntegrityError, "again"),
        (400, "XAmzContentChecksumMismatch", StoreIntegrityError, "again"),
        (507, "XMinioStorageFull", NoSpaceError, "space"),
        (507, "Whatever", NoSpaceError, "space"),
        (400, "XMinioAdminBucketQuotaExceeded", NoSpaceError, "quota"),
        (301, "PermanentRedirect", ConfigError, "AWS_REGION"),
        (400, "AuthorizationHeaderMalformed", ConfigError, "AWS_REGION"),
        (503, "SlowDown", StoreUnavailableError, "later"),
        (429, "TooManyRequests", StoreUnavailableError, "later"),
        (500, "InternalError", StoreUnavailableError, "AWS_ENDPOINT_URL"),
        (599, "", StoreUnavailableError, "AWS_ENDPOINT_URL"),
        (501, "NotImplemented", ConfigError, "doctor"),
        (400, "MalformedXML", StoreDeniedError, "doctor"),
    ],
)
def test_translates_an_answer(
    status: int, code: str, kind: type[StarterError], remedy: str
) -> None:
    answer = {
        "Error": {"Code": code, "Message": "Said so."},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    found = refusal(ClientError(answer, "PutObject"), "Writing x")
    assert type(found) is kind
    assert found.message.startswith(f"Writing x failed: {code}")
    assert not found.message.endswith(".")
    assert remedy in found.remedy


def test_names_the_region_that_the_server_expects() -> None:
    answer = {"Error": {"Code": "AuthorizationHeaderMalformed", "Region": "eu-west-1"}}
    found = refusal(ClientError(answer, "PutObject"), "Writing x")
    assert found.remedy == "Set AWS_REGION=eu-west-1"


def test_finds_no_bucket(broken: BrokenS3) -> None:
    broken.s3.manners.has_bucket = False
    for create in (True, False):
        with pytest.raises(ConfigError, match=r"NoSuchBucket.*--create-bucket"):
            open_store(URL, create=create)


def stat_something(**environment: str) -> None:
    with reaching(environment):
        S3Backend(bucket_of(URL, retries=0)).stat(layout.MARKER_KEY)


def test_finds_no_server(broken: BrokenS3) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(StoreUnavailableError, match=r"Could not connect.*AWS_ENDPOINT_URL"):
            stat_something(AWS_ENDPOINT_URL=endpoint)


def test_refuses_an_endpoint_that_is_none(broken: BrokenS3) -> None:
    with pytest.raises(ConfigError, match=r"Invalid endpoint: minio:9000.*AWS_ENDPOINT_URL"):
        stat_something(AWS_ENDPOINT_URL="minio:9000")


def test_finds_no_keys(broken: BrokenS3) -> None:
    with pytest.raises(ConfigError, match="AWS_ACCESS_KEY_ID"):
        stat_something(
            AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_EC2_METADATA_DISABLED="true"
        )
    assert broken.requests == []


def test_gives_up_on_a_server_that_is_no_s3(broken: BrokenS3) -> None:
    page = Answer(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})
    broken.rules.append(always("GET Object", page))
    with pytest.raises(ConfigError, match=r"cas\.json is b'<html>"):
        open_store(URL, create=False)
