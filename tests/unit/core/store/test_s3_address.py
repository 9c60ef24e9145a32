from __future__ import annotations

import pytest

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.store import department_url, open_store
from airnub_prefect_starter.core.store.layout import MARKER_KEY
from airnub_prefect_starter.core.store.s3_address import S3Address, parse_s3_url


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://airnub/store", "airnub", "store"),
        ("s3://airnub/store/project_alpha", "airnub", "store/project_alpha"),
        ("s3://airnub/store/", "airnub", "store"),
        ("s3://airnub", "airnub", ""),
        ("s3://airnub/", "airnub", ""),
        ("s3://my.bucket-1/a.b/c=d/_e", "my.bucket-1", "a.b/c=d/_e"),
    ],
)
def test_reads_an_address(url: str, bucket: str, prefix: str) -> None:
    found = parse_s3_url(url)
    assert found == S3Address(bucket, prefix)
    assert parse_s3_url(found.url) == found


@pytest.mark.parametrize("prefix", ["", "store/alpha"])
def test_gives_names_and_takes_them_back(prefix: str) -> None:
    address = S3Address("airnub", prefix)
    assert address.name(MARKER_KEY) == f"{prefix}/cas.json".lstrip("/")
    assert address.key(address.name(MARKER_KEY)) == MARKER_KEY


def test_is_below_a_root() -> None:
    assert parse_s3_url(department_url("s3://airnub/store", "alpha")).prefix == "store/alpha"
    assert parse_s3_url(department_url("s3://airnub", "alpha")).prefix == "alpha"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("s3:airnub/store", "cannot be the name of a bucket"),
        ("s3:///store", "cannot be the name of a bucket"),
        ("s3://Airnub/store", "cannot be the name of a bucket"),
        ("s3://ab/store", "cannot be the name of a bucket"),
        ("s3://air_nub/store", "cannot be the name of a bucket"),
        ("s3://airnub//store", "cannot be a part of the prefix"),
        ("s3://airnub/a/../b", "cannot be a part of the prefix"),
        ("s3://airnub/a b", "cannot be a part of the prefix"),
        ("s3://airnub/store?region=x", "it is not s3://bucket/prefix"),
        ("s3://airnub/store#x", "it is not s3://bucket/prefix"),
        ("s3://airnub/" + "a/" * 200, "longer than 300 bytes"),
        ("s3://minio:9000/airnub", "keys and ports do not belong into it"),
    ],
)
def test_refuses_what_is_no_address(url: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        open_store(url)


def test_does_not_repeat_keys_that_somebody_wrote_into_an_address() -> None:
    with pytest.raises(ConfigError) as caught:
        open_store("s3://AKIAEXAMPLE:hunter2@airnub/store")
    assert "hunter2" not in str(caught.value)
    assert "AKIAEXAMPLE" not in str(caught.value)
