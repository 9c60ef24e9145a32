from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airnub_prefect_starter.common.errors import TooLargeError
from airnub_prefect_starter.core.html import (
    decode_html,
    detect_charset,
    extract_links,
    extract_tables,
    extract_text,
)

BASE = "https://site.example/dir/page.html"


def meta(charset: str) -> bytes:
    return f'<html><head><meta charset="{charset}"></head>é'.encode("latin-1")


@pytest.mark.parametrize(
    ("raw", "content_type", "charset"),
    [
        pytest.param("é".encode(), None, "utf-8", id="nothing said"),
        pytest.param("é".encode("utf-8-sig"), "text/html; charset=latin-1", "utf-8-sig", id="BOM"),
        pytest.param("é".encode("utf-16"), None, "utf-16", id="BOM of UTF-16"),
        pytest.param(b"", 'text/html; charset="ISO-8859-15"', "iso8859-15", id="header"),
        pytest.param(meta("koi8-r"), "text/html; charset=utf-8", "utf-8", id="header before meta"),
        pytest.param(meta("koi8-r"), "text/html", "koi8-r", id="meta"),
        pytest.param(
            b"<meta http-equiv='Content-Type' content='text/html; charset=koi8-r'>",
            None,
            "koi8-r",
            id="meta http-equiv",
        ),
        pytest.param(meta("iso-8859-1"), None, "cp1252", id="Latin-1 is Windows-1252"),
        pytest.param(meta("utf-16"), None, "utf-8", id="meta cannot be UTF-16"),
        pytest.param(meta("no-such"), "text/html; charset=neither", "utf-8", id="unknown"),
        pytest.param(meta("base64"), "text/html; charset=unicode_escape", "utf-8", id="no charset"),
        pytest.param(b" " * 5_000 + meta("koi8-r"), None, "utf-8", id="meta too late"),
    ],
)
def test_charset(raw: bytes, content_type: str | None, charset: str) -> None:
    assert detect_charset(raw, content_type) == charset


@pytest.mark.parametrize(
    ("raw", "content_type", "text"),
    [
        ("é".encode("utf-8-sig"), None, "é"),
        ("é".encode("utf-16"), None, "é"),
        (b"\x93\xe9\x94", "text/html; charset=iso-8859-1", "“é”"),
        (b"a\xffb", None, "a\ufffdb"),
    ],
)
def test_decoded(raw: bytes, content_type: str | None, text: str) -> None:
    assert decode_html(raw, content_type) == text


@pytest.mark.parametrize(
    ("html", "links"),
    [
        pytest.param(
            """<a href="a.html">A</a><a href="/b?x=1#part">B</a><a href="a.html#top">again</a>
            <a href="//other.example/c">C</a><area href=" d.html "><a name="none">N</a>""",
            [
                "https://site.example/dir/a.html",
                "https://site.example/b?x=1",
                "https://other.example/c",
                "https://site.example/dir/d.html",
            ],
            id="absolute, once, in order",
        ),
        pytest.param(
            """<a href="javascript:alert(1)">j</a><a href="mailto:a@b.example">m</a>
            <a href="data:text/html,x">d</a><a href="file:///etc/passwd">f</a><a href="">e</a>
            <a href="http://[x">broken</a>""",
            [],
            id="http and https only",
        ),
        pytest.param(
            '<base href="/other/"><a href="a.html">A</a>',
            ["https://site.example/other/a.html"],
            id="base",
        ),
        pytest.param(
            '<base href="javascript:x"><a href="a.html">A</a>',
            ["https://site.example/dir/a.html"],
            id="base that is none",
        ),
        pytest.param("", [], id="empty"),
        pytest.param("<!-- nothing -->", [], id="comment"),
    ],
)
def test_links(html: str, links: list[str]) -> None:
    assert extract_links(html, BASE) == links
    assert extract_links(html.encode(), BASE) == links


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param(
            """<body><nav>Menu</nav><main><h1>Title</h1><p>One <b>bold</b>word,
            <a>a link</a>.</p>tail<script>alert(1)</script><style>p{}</style></main>
            <footer>Imprint</footer></body>""",
            "Title\nOne boldword, a link.\ntail",
            id="main",
        ),
        pytest.param("<p>a<br>b</p><!-- c --><p>d &amp; &eacute;</p>", "a\nb\nd & é", id="body"),
        pytest.param("just text", "just text", id="no tags"),
        pytest.param(" ", "", id="empty"),
        pytest.param(
            '<?xml version="1.0" encoding="koi8-r"?><html><body>é</body></html>', "é", id="XHTML"
        ),
        pytest.param(
            '<!DOCTYPE x [<!ENTITY a "boom">]><p>&a;</p>', "]>\n&a;", id="own entities are text"
        ),
    ],
)
def test_text(html: str, text: str) -> None:
    assert extract_text(html) == text


def test_tables() -> None:
    html = """<table><caption>C</caption><thead><tr><th>A</th><th colspan=9999999>B</th></tr>
    </thead><tbody><tr><td> 1 <i>x</i></td><td><table><tr><td>inner</td></tr></table></td></tr>
    </tbody></table><table></table>"""

    assert extract_tables(html) == [[["A", "B"], ["1 x", "inner"]], [["inner"]], []]
    assert extract_tables("") == []


@pytest.mark.parametrize("extract", [extract_text, extract_tables])
def test_a_page_that_nests_absurdly(extract: object) -> None:
    assert callable(extract)
    with pytest.raises(TooLargeError, match="256 levels"):
        extract("<div>" * 100_000)


@given(st.text() | st.binary())
def test_anything_can_be_taken_apart(html: str | bytes) -> None:
    extract_text(html)
    extract_tables(html)
    assert all(link.startswith("http") for link in extract_links(html, BASE))
