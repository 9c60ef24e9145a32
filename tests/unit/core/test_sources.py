from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.configuration import ConfigModel, load_yaml, validate_value
from airnub_prefect_starter.core.sources import (
    AccessPolicy,
    ApiSource,
    AuthHeader,
    CursorPaging,
    DatabaseSource,
    FileSource,
    HttpLimits,
    PageSource,
)

GIVEN = {"source_id": "a", "url": "https://h.example/p"}


def test_defaults_are_those_of_the_design() -> None:
    limits = HttpLimits()

    assert limits.max_bytes == 10 * 2**30
    assert (limits.connect_timeout_s, limits.idle_timeout_s) == (10, 30)
    assert limits.total_timeout_s == 6 * 3600
    assert (limits.min_bytes_per_s, limits.rate_window_s) == (1024, 60)
    assert (limits.max_redirects, limits.max_requests_per_host) == (5, 4)
    assert AccessPolicy() == AccessPolicy(allow_networks=(), allow_ports=None, allow_hosts=None)


def test_kinds_promise_their_media_type() -> None:
    assert FileSource.model_validate(GIVEN).media_type is None
    assert ApiSource.model_validate(GIVEN).media_type == "application/json"
    assert PageSource.model_validate(GIVEN).media_type == "text/html"


def test_paging_is_chosen_by_its_kind() -> None:
    source = ApiSource.model_validate({**GIVEN, "paging": {"kind": "cursor", "next_path": "n"}})

    assert source.paging == CursorPaging(kind="cursor", next_path="n")


@pytest.mark.parametrize(
    ("model", "wrong"),
    [
        pytest.param(FileSource, {"url": "ftp://h/p"}, id="scheme"),
        pytest.param(FileSource, {"url": "http://user:pw@h/p"}, id="credentials"),
        pytest.param(FileSource, {"source_id": "Ab c"}, id="source id"),
        pytest.param(FileSource, {"expected_digest": "md5:1"}, id="digest"),
        pytest.param(FileSource, {"media_type": "csv"}, id="media type"),
        pytest.param(FileSource, {"typo": 1}, id="unknown key"),
        pytest.param(FileSource, {"access": {"allow_networks": ["10.0.0.1/8"]}}, id="host bits"),
        pytest.param(FileSource, {"access": {"allow_ports": [0]}}, id="port"),
        pytest.param(FileSource, {"limits": {"max_bytes": 0}}, id="limit"),
        pytest.param(FileSource, {"auth": {"secret": "A Secret"}}, id="secret's name"),
        pytest.param(ApiSource, {"paging": {"kind": "scroll"}}, id="paging"),
        pytest.param(ApiSource, {"paging": {"kind": "page", "size": 3}}, id="half a size"),
    ],
)
def test_what_is_wrong_is_refused(model: type[ConfigModel], wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate({**GIVEN, **wrong})

    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://user:s3cr3t@h/p", "credentials"),
        ("https://user:s3/s3cr3t@h/p", "is not an address"),
        ("ftp://h/?api_key=s3cr3t", "neither http nor https"),
    ],
)
def test_secrets_in_an_address_are_not_repeated(tmp_path: Path, url: str, reason: str) -> None:
    path = tmp_path / "source.yaml"
    path.write_text(f"source_id: a\nurl: {url}\n", encoding="utf-8")

    with pytest.raises(ConfigError, match=rf"source\.yaml:2:6: url: .*{reason}") as caught:
        load_yaml(path, FileSource)
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(ConfigError, match="valid string") as caught:
        validate_value({**GIVEN, "url": [url]}, FileSource, "Variable x")
    assert "s3cr3t" not in str(caught.value)


def test_a_secret_is_named_not_given() -> None:
    assert AuthHeader(secret="the-token").model_dump() == {  # noqa: S106 - a name, not a value
        "secret": "the-token",
        "header": "Authorization",
        "prefix": "Bearer ",
    }


TABLE = {"source_id": "a", "url": "sqlite:////shop.db", "table": "items", "key": ["id"]}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"url": "postgresql://me:hunter2@h/d"}, "name a secret of the department"),
        ({"url": "mysql://h/d"}, "neither a postgresql"),
        ({"key": []}, "at least 1"),
        ({"key": ["id", "id"]}, "key names a column twice"),
        ({"columns": ["name"]}, "'id' of key or watermark is not among the columns"),
        ({"columns": ["id"], "watermark": "w"}, "'w' of key or watermark"),
        ({"chunk_rows": 0}, "greater than or equal to 1"),
        ({"chunk_rows": 10**7}, "less than or equal to 1000000"),
        ({"on_schema_change": "ignore"}, "'fail' or 'accept'"),
        ({"query": "SELECT 1"}, "Extra inputs"),
        ({"secret": "A Secret"}, "match pattern"),
        ({"source_id": "a-{date}"}, "its address has none"),
        ({"table": "items_{date:%Y%m%d}"}, "source_id has none"),
        ({"url": "sqlite:////shop-{date}.db"}, "source_id has none"),
        ({"db_schema": "shop_{date:%Y}"}, "source_id has none"),
        ({"columns": ["id", "on_{date:%j}"]}, "source_id has none"),
        ({"url": "sqlite:////{day}.db"}, "{day} stands for nothing"),
        ({"url": "postgresql://me:{hunter2}@h/d"}, "name a secret of the department"),
        ({"db_schema": "{Date}"}, "{Date} stands for nothing"),
        ({"key": ["{id}"]}, "{id} stands for nothing"),
    ],
)
def test_a_table_that_is_described_wrongly(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason) as found:
        DatabaseSource.model_validate({**TABLE, **changes})

    assert "hunter2" not in str(found.value)


def test_rows_are_ordered_by_the_watermark_then_the_key() -> None:
    table = DatabaseSource.model_validate({**TABLE, "key": ["w", "id"], "watermark": "w"})

    assert table.order == ("w", "id")


def test_a_digest_at_the_end_of_an_address_is_expected() -> None:
    source = FileSource.model_validate({**GIVEN, "url": f"{GIVEN['url']}#sha256={'A' * 64}"})

    assert (source.url, source.expected_digest) == (GIVEN["url"], f"sha256:{'a' * 64}")
    assert FileSource.model_validate(source.model_dump()) == source


@pytest.mark.parametrize(
    ("model", "changes", "said"),
    [
        (FileSource, {"url": "file:///a.csv"}, "set access.allow_files"),
        (FileSource, {"url": "file://host/a.csv", "access": {"allow_files": True}}, "file:///"),
        (
            FileSource,
            {"url": "file:///a.csv", "access": {"allow_files": True}, "auth": {"secret": "s"}},
            "auth does not apply",
        ),
        (ApiSource, {"url": "file:///a.csv", "access": {"allow_files": True}}, "http"),
        (
            FileSource,
            {"url": f"https://h/a#sha256={'a' * 64}", "expected_digest": f"sha256:{'b' * 64}"},
            "different digests",
        ),
        (FileSource, {"url": f"https://h/a#sha256={'a' * 63}"}, "64 hex digits"),
        (FileSource, {"url": f"https://h/a#sha-256={'a' * 64}"}, "64 hex digits"),
    ],
    ids=[
        "not-allowed",
        "another-host",
        "with-a-secret",
        "an-api",
        "two-digests",
        "a-digit-short",
        "no-digest",
    ],
)
def test_a_file_is_a_source_only_where_that_is_meant(
    model: type[ConfigModel], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        model.model_validate({**GIVEN, **changes})
