from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from pydantic import SecretStr

from airnub_prefect_starter.common.errors import (
    BlockedUrlError,
    DigestMismatchError,
    PayloadError,
    SourceRejectedError,
    SourceUnavailableError,
    StarterError,
    TooLargeError,
)
from airnub_prefect_starter.core.api_handlers import (
    JSON_LINES,
    core_fetch_api_and_store,
    parse_api_response,
)
from airnub_prefect_starter.core.http.client import HttpClient
from airnub_prefect_starter.core.manifest_models import FetchManifest, SourceResult
from airnub_prefect_starter.core.sources import ApiSource
from tests.fault_server import Behaviour, Exchange, FaultServer, cut, ok, repr_digest, status
from tests.fetch_kit import LOOPBACK, QUICK, Kept, PatientClient

ITEMS = [{"id": number, "name": f"é{number}", "value": number / 4} for number in range(7)]
LINES = b"".join(
    f'{{"id":{each["id"]},"name":"{each["name"]}","value":{each["value"]}}}\n'.encode()
    for each in ITEMS
)


def body(items: Any, **more: Any) -> bytes:
    return json.dumps({"items": items, **more}).encode()


def page(items: Any, headers: dict[str, str] | None = None, **more: Any) -> Behaviour:
    return ok(body(items, **more), Content_Type="application/json", **(headers or {}))


def source_at(url: str, **changes: Any) -> ApiSource:
    return ApiSource.model_validate(
        {
            "source_id": "api",
            "url": url,
            "items_path": "items",
            "access": LOOPBACK,
            "limits": QUICK,
            **changes,
        }
    )


def fetch(
    kept: Kept, client: HttpClient, url: str, secret: SecretStr | None = None, **changes: Any
) -> SourceResult:
    return core_fetch_api_and_store(
        kept.store, source_at(url, **changes), namespace="apis", client=client, auth=secret
    )


def parameters(faults: FaultServer) -> list[str]:
    return [path.partition("?")[2] for path in faults.paths()]


def test_items_are_kept_one_a_line(faults: FaultServer, kept: Kept, client: PatientClient) -> None:
    url = faults.on("/api", page(ITEMS, total=7))

    result = fetch(kept, client, url, total_path="total")

    assert kept.store.read_blob(result.blob.digest) == LINES
    assert parse_api_response(LINES) == ITEMS
    found = kept.store.manifest(result.manifest)
    assert isinstance(found, FetchManifest)
    assert found.blob.media_type == JSON_LINES
    assert found.annotations == {
        "items": "7",
        "pages": "1",
        "rules": '{"items_path":"items","paging":{"kind":"none"},'
        '"total_header":null,"total_path":"total"}',
    }
    assert found.source.filename == "api.ndjson"


@pytest.mark.parametrize("shape", ["pages of 3", "pages of 7", "other key order and spacing"])
def test_equal_items_give_equal_bytes(
    faults: FaultServer, kept: Kept, client: PatientClient, shape: str
) -> None:
    if shape == "other key order and spacing":
        mixed = [dict(reversed(each.items())) for each in ITEMS]
        text = json.dumps({"total": 7, "items": mixed}, indent=3, ensure_ascii=False)
        url = faults.on("/api", ok(text.encode()))
        result = fetch(kept, client, url)
    else:
        size = int(shape.removeprefix("pages of "))
        pages = [page(ITEMS[at : at + size], total=7) for at in range(0, 7, size)]
        url = faults.on("/api", *pages)
        result = fetch(kept, client, url, paging={"kind": "offset"}, total_path="total")

    assert kept.store.read_blob(result.blob.digest) == LINES


PAGED: dict[str, tuple[dict[str, Any], list[Behaviour], list[str]]] = {
    "page number, total": (
        {"paging": {"kind": "page", "size_param": "n", "size": 4}, "total_path": "total"},
        [page(ITEMS[:4], total=7), page(ITEMS[4:], total=7)],
        ["n=4&page=1", "n=4&page=2"],
    ),
    "page number from 0, empty page": (
        {"paging": {"kind": "page", "page_param": "p", "first_page": 0}},
        [page(ITEMS[:4]), page(ITEMS[4:]), page([])],
        ["p=0", "p=1", "p=2"],
    ),
    "offset, server sends fewer than asked": (
        {"paging": {"kind": "offset", "size_param": "limit", "size": 5}, "params": {"q": "x y"}},
        [page(ITEMS[:4]), page(ITEMS[4:]), page([])],
        ["q=x+y&limit=5&offset=0", "q=x+y&limit=5&offset=4", "q=x+y&limit=5&offset=7"],
    ),
    "cursor, null at the end": (
        {"paging": {"kind": "cursor", "next_path": "meta.next"}},
        [page(ITEMS[:4], meta={"next": "a/b="}), page(ITEMS[4:], meta={"next": None})],
        ["", "cursor=a%2Fb%3D"],
    ),
    "cursor, a number, then left out": (
        {"paging": {"kind": "cursor", "cursor_param": "after", "next_path": "next"}},
        [page(ITEMS[:4], next=4), page(ITEMS[4:])],
        ["", "after=4"],
    ),
    "cursor, left out on the only page, total": (
        {"paging": {"kind": "cursor"}, "total_path": "total"},
        [page(ITEMS, total=7)],
        [""],
    ),
    "link header, total in a header": (
        {"paging": {"kind": "link"}, "total_header": "X-Total"},
        [
            page(ITEMS[:4], {"Link": '</api?at=4>; rel="next"', "X-Total": "7"}),
            page(ITEMS[4:], {"Link": '</api>; rel="first"', "X-Total": "7"}),
        ],
        ["", "at=4"],
    ),
}


@pytest.mark.parametrize(("changes", "pages", "asked"), PAGED.values(), ids=PAGED)
def test_pages_are_read_to_the_last(
    faults: FaultServer,
    kept: Kept,
    client: PatientClient,
    changes: dict[str, Any],
    pages: list[Behaviour],
    asked: list[str],
) -> None:
    result = fetch(kept, client, faults.on("/api", *pages), **changes)

    assert kept.store.read_blob(result.blob.digest) == LINES
    assert parameters(faults) == asked
    assert result.attempts == len(asked)


def test_a_body_that_is_one_object_is_one_item(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    result = fetch(kept, client, faults.on("/api", ok(b'{"b": 1, "a": 2}')), items_path="")

    assert kept.store.read_blob(result.blob.digest) == b'{"a":2,"b":1}\n'


def test_compressed_pages_are_unpacked(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    packed = gzip.compress(body(ITEMS))

    result = fetch(kept, client, faults.on("/api", ok(packed, Content_Encoding="gzip")))

    assert kept.store.read_blob(result.blob.digest) == LINES
    assert result.bytes_in == len(packed)


def test_the_secret_is_sent_and_not_kept(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    url = faults.on("/api", page(ITEMS))
    auth = {"secret": "api-key", "header": "X-Api-Key", "prefix": ""}

    fetch(kept, client, url, SecretStr("s3cr3t"), auth=auth)

    assert faults.requests[0].headers["x-api-key"] == "s3cr3t"
    assert not any(b"s3cr3t" in content for content in kept.files().values())


def conditional(items: Any, **more: Any) -> Behaviour:
    def behave(exchange: Exchange) -> None:
        if exchange.request.headers.get("if-none-match") == '"all"':
            exchange.respond(304, {"ETag": '"all"'})
        else:
            exchange.respond(200, {"ETag": '"all"'}, body(items, **more))

    return behave


@pytest.mark.parametrize(
    ("changes", "trusted"),
    [
        pytest.param({}, True, id="one page"),
        pytest.param({"paging": {"kind": "offset"}}, False, id="several pages"),
        pytest.param(
            {"paging": {"kind": "offset"}, "collection_validators": True}, True, id="as declared"
        ),
    ],
)
def test_a_304_of_the_first_page_counts_only_if_it_stands_for_all(
    faults: FaultServer,
    kept: Kept,
    client: PatientClient,
    changes: dict[str, Any],
    trusted: bool,
) -> None:
    url = faults.on("/api", conditional(ITEMS, total=7))
    fetch(kept, client, url, total_path="total", **changes)
    before = kept.files()

    again = fetch(kept, client, url, total_path="total", **changes)

    assert again.outcome == "not_modified"
    assert (again.bytes_in == 0) is trusted
    assert kept.files() == before


def test_other_rules_read_the_answer_again(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    url = faults.on("/api", conditional(ITEMS, rows=ITEMS[:2]))
    fetch(kept, client, url)

    result = fetch(kept, client, url, items_path="rows")

    assert (result.outcome, kept.store.read_blob(result.blob.digest).count(b"\n")) == ("stored", 2)


CURSOR_RULES: dict[str, Any] = {
    "paging": {"kind": "cursor"},
    "collection_validators": True,
    "total_path": "total",
}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"paging": {"kind": "cursor", "next_path": "after"}}, id="next_path"),
        pytest.param({"paging": {"kind": "cursor", "cursor_param": "c"}}, id="cursor_param"),
        pytest.param({"total_path": "count"}, id="total_path"),
        pytest.param({"total_path": None, "total_header": "X-Total"}, id="total_header"),
    ],
)
def test_any_other_rule_makes_the_request_unconditional(
    faults: FaultServer, kept: Kept, client: PatientClient, changes: dict[str, Any]
) -> None:
    headers = {"ETag": '"all"', "X-Total": "7"}
    url = faults.on("/api", page(ITEMS, headers, total=7, count=7, next_cursor=None, after=None))
    fetch(kept, client, url, **CURSOR_RULES)
    fetch(kept, client, url, **CURSOR_RULES)
    fetch(kept, client, url, **{**CURSOR_RULES, **changes})

    conditional = ["if-none-match" in request.headers for request in faults.requests]
    assert conditional == [False, True, False]


def test_a_damaged_page_is_read_once_more(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    damaged = page(ITEMS, {"Repr-Digest": repr_digest(b"")})

    result = fetch(kept, client, faults.on("/api", damaged, page(ITEMS)))

    assert kept.store.read_blob(result.blob.digest) == LINES


def test_numbers_are_kept_as_they_are_written(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    line = b'{"amount":12345678901234567.89,"b":1.10}'
    result = fetch(kept, client, faults.on("/api", ok(b'{"items": [' + line + b"]}")))

    assert kept.store.read_blob(result.blob.digest) == line + b"\n"


DEEP = b'{"items": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
PAGES = {"paging": {"kind": "page"}}
CURSOR = {"paging": {"kind": "cursor"}}

FAULTS: dict[str, tuple[list[Behaviour], dict[str, Any], type[StarterError]]] = {
    "not JSON": ([ok(b'{"items": [}')], {}, PayloadError),
    "HTML": ([ok(b"<p>Sorry</p>", Content_Type="text/html")], {}, PayloadError),
    "HTML that calls itself JSON": (
        [ok(b"<!doctype html><p>Log in</p>", Content_Type="application/json")],
        {},
        PayloadError,
    ),
    "nests absurdly": ([ok(DEEP)], {}, TooLargeError),
    "empty body": ([ok(b"")], {}, PayloadError),
    "cut": ([cut(body(ITEMS), 20)], {}, SourceUnavailableError),
    "no items there": ([ok(b'{"rows": []}')], {}, PayloadError),
    "items are no list": ([page("many")], {}, PayloadError),
    "items are no objects": ([page([1, 2])], {}, PayloadError),
    "no items at all": ([page([])], {}, PayloadError),
    "a list was promised, pages of objects came": (
        [ok(b'{"a": 1}')],
        {"items_path": "", **PAGES},
        PayloadError,
    ),
    "half a surrogate pair": ([ok(b'{"items": [{"a": "\\ud800"}]}')], {}, PayloadError),
    "number beyond doubles": ([ok(b'{"items": [{"a": 1e999}]}')], {}, PayloadError),
    "gzip bomb": (
        [ok(gzip.compress(b" " * 90_000_000), Content_Encoding="gzip")],
        {},
        TooLargeError,
    ),
    "unknown encoding": ([ok(body(ITEMS), Content_Encoding="br")], {}, PayloadError),
    "not the claimed digest": (
        [ok(body(ITEMS), Repr_Digest=repr_digest(b""))],
        {},
        DigestMismatchError,
    ),
    "not the expected digest": (
        [page(ITEMS)],
        {"expected_digest": "sha256:" + "2" * 64},
        DigestMismatchError,
    ),
    "fewer than the total": ([page(ITEMS, total=8)], {"total_path": "total"}, PayloadError),
    "more than the total": ([page(ITEMS, total=6)], {"total_path": "total"}, PayloadError),
    "total is no number": ([page(ITEMS, total="7")], {"total_path": "total"}, PayloadError),
    "total is missing": ([page(ITEMS)], {"total_path": "total"}, PayloadError),
    "total header is missing": ([page(ITEMS)], {"total_header": "X-Total"}, PayloadError),
    "the same page again and again": ([page(ITEMS)], PAGES, PayloadError),
    "a cursor that leads to itself": (
        [page(ITEMS[:3], next_cursor="a"), page(ITEMS[3:], next_cursor="a")],
        CURSOR,
        PayloadError,
    ),
    "cursors in a circle": (
        [page([{"id": at}], next_cursor="ab"[at % 2]) for at in range(9)],
        CURSOR,
        PayloadError,
    ),
    "a cursor that is none": ([page(ITEMS, next_cursor=["a"])], CURSOR, PayloadError),
    "a cursor left out, nothing to check by": ([page(ITEMS)], CURSOR, PayloadError),
    "links in a circle": (
        [page([{"id": at}], {"Link": '</api?x>; rel="next"'}) for at in range(9)],
        {"paging": {"kind": "link"}},
        PayloadError,
    ),
    "a link to a private address": (
        [page(ITEMS, {"Link": '<http://10.0.0.1/>; rel="next"'})],
        {"paging": {"kind": "link"}},
        BlockedUrlError,
    ),
    "too many pages": (
        [page([{"id": at}]) for at in range(9)],
        {"max_pages": 3, **PAGES},
        TooLargeError,
    ),
    "a page that is too large": ([page(ITEMS)], {"max_page_bytes": 50}, TooLargeError),
    "pages that are too large together": (
        [page([{"id": at, "text": "x" * 500_000}]) for at in range(9)],
        PAGES,
        TooLargeError,
    ),
    "the second page is missing": ([page(ITEMS), status(404)], PAGES, SourceRejectedError),
    "the second page is unavailable": ([page(ITEMS), status(500)], PAGES, SourceUnavailableError),
}


@pytest.mark.parametrize(("behaviours", "changes", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_an_error_of_its_kind_and_leaves_nothing(
    faults: FaultServer,
    kept: Kept,
    client: PatientClient,
    behaviours: list[Behaviour],
    changes: dict[str, Any],
    expected: type[StarterError],
) -> None:
    url = faults.on("/api", page([{"id": "good"}]))
    fetch(kept, client, url)
    before = kept.files()
    faults.on("/api", *behaviours)

    with pytest.raises(expected) as caught:
        fetch(kept, client, url, **changes)

    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    assert kept.files() == before


def test_an_empty_collection_may_be_allowed(
    faults: FaultServer, kept: Kept, client: PatientClient
) -> None:
    url = faults.on("/api", page([], total=0))

    result = fetch(kept, client, url, total_path="total", require_nonempty=False)

    assert result.blob.size == 0


@pytest.mark.parametrize("raw", [b"[1]\n", b'{"a":1}\n{"b"\n', b"\n"])
def test_stored_lines_that_are_no_objects(raw: bytes) -> None:
    with pytest.raises(PayloadError, match="Stored line"):
        parse_api_response(raw)
