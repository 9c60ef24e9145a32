"""HTML that a stranger wrote: decoded, and taken apart into links, text and tables."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from email.message import Message
from typing import Any, TypeAlias
from urllib.parse import urldefrag, urljoin

import lxml.etree
import lxml.html

from airnub_prefect_starter.common.errors import TooLargeError

META_BYTES = 4096

_META_CHARSET = re.compile(
    rb"<meta[^>]{0,400}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE
)
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xfe\xff", "utf-16"), (b"\xff\xfe", "utf-16"))
# Codecs of Python that are no charsets of documents; some of them execute escapes.
_NOT_CHARSETS = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
_SKIPPED = ("script", "style", "noscript", "template", "nav", "header", "footer", "aside")
_INLINE = frozenset(
    {
        *("a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "del", "dfn", "em", "font"),
        *("i", "ins", "kbd", "mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup"),
        *("time", "tt", "u", "var", "wbr"),
    }
)

Table = list[list[str]]
_Element: TypeAlias = Any  # lxml has no types of its own


def decode_html(raw: bytes, content_type: str | None = None) -> str:
    """Decode a page: by byte order mark, else header, else ``<meta>``, else UTF-8.

    Bytes that do not fit become U+FFFD. Source: HTML standard, 13.2.3.2.

    Args:
        raw: The page.
        content_type: The header that it came with.
    """
    return raw.decode(detect_charset(raw, content_type), errors="replace")


def detect_charset(raw: bytes, content_type: str | None = None) -> str:
    """Return the name of the codec that `decode_html` uses."""
    for mark, codec in _BOMS:
        if raw.startswith(mark):
            return codec
    header = Message()
    header["Content-Type"] = content_type or ""
    in_header = _codec(header.get_param("charset"))
    if in_header:
        return in_header
    found = _META_CHARSET.search(raw[:META_BYTES])
    in_meta = _codec(found[1].decode()) if found else None
    # It was read as ASCII, so UTF-16 cannot be true.
    return in_meta if in_meta and not in_meta.startswith("utf-16") else "utf-8"


def extract_links(html: str | bytes, base_url: str) -> list[str]:
    """Return the absolute http(s) addresses that a page links to, once each, in its order.

    Raises:
        TooLargeError: The page nests too deeply. No retry.
    """
    tree = _parse(html)
    if tree is None:
        return []
    base = next((each.get("href", "") for each in tree.iter("base")), "")
    start = _join(base_url, base) or base_url
    targets = (_join(start, each.get("href")) for each in tree.iter("a", "area"))
    return list(dict.fromkeys(each for each in targets if each))


def extract_text(html: str | bytes) -> str:
    """Return a page's main text: a line per block, without navigation, scripts and styles.

    Raises:
        TooLargeError: The page nests too deeply. No retry.
    """
    tree = _parse(html)
    if tree is None:
        return ""
    for each in list(tree.iter(*_SKIPPED)):
        each.drop_tree()
    main = next(iter([*tree.iter("main"), *tree.iter("article"), *tree.iter("body")]), tree)
    lines = (" ".join(line.split()) for line in "".join(_pieces(main)).split("\n"))
    return "\n".join(line for line in lines if line)


def extract_tables(html: str | bytes) -> list[Table]:
    """Return a page's tables as rows of cell texts, those of tables in tables apart.

    Raises:
        TooLargeError: The page nests too deeply. No retry.
    """
    tree = _parse(html)
    return [] if tree is None else [_rows(table) for table in tree.iter("table")]


def _rows(table: _Element) -> Table:
    own = (row for row in table.iter("tr") if next(row.iterancestors("table")) is table)
    return [[_cell(cell) for cell in row if cell.tag in ("td", "th")] for row in own]


def _cell(cell: _Element) -> str:
    return " ".join("".join(cell.itertext()).split())


def _pieces(element: _Element) -> Iterator[str]:
    for event, each in lxml.etree.iterwalk(element, events=("start", "end")):
        if each.tag not in _INLINE:
            yield "\n"
        found = each.text if event == "start" else each.tail if each is not element else None
        if found:
            yield " ".join(f"x{found}x".split())[1:-1]


def _parse(html: str | bytes) -> _Element | None:
    text = decode_html(html) if isinstance(html, bytes) else html
    # As bytes, so that neither <meta> nor an XML declaration has a say in the encoding.
    raw = text.encode(errors="replace")
    if not raw.strip():
        return None
    parser = lxml.html.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=False
    )
    try:
        tree = lxml.html.document_fromstring(raw, parser=parser)
    except lxml.etree.ParserError:  # nothing but comments
        return None
    if any(each.type == lxml.etree.ErrorTypes.ERR_RESOURCE_LIMIT for each in parser.error_log):
        raise TooLargeError("The page nests deeper than 256 levels", "Ask the owner of the site")
    return tree


def _join(base: str, target: str | None) -> str | None:
    try:
        joined = urldefrag(urljoin(base, (target or "").strip())).url
    except ValueError:  # no address at all, such as http://[x
        return None
    return joined if joined.startswith(("http://", "https://")) and target else None


def _codec(label: object) -> str | None:
    if not isinstance(label, str) or len(label) > 40:
        return None
    try:
        found = codecs.lookup(label.strip())
        b"a".decode(found.name, "replace")  # refuses codecs that do not give text, such as base64
    except (LookupError, ValueError):
        return None
    # As browsers do: these labels stand for Windows-1252 (Encoding standard, 4.2).
    name = "cp1252" if found.name in ("ascii", "iso8859-1") else found.name
    return None if name.replace("_", "-") in _NOT_CHARSETS else name
