"""Small helpers under the documents' names, and sizes for people."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 1 << 20
_FALLBACK = "download"
_MAX_NAME_BYTES = 150
_RESERVED = re.compile(r"^(con|prn|aux|nul|(com|lpt)[\d¹²³])\s*(\.|$)", re.IGNORECASE)
_EDGES = re.compile(r"^[\s.]+|[\s.]+$")
_FORBIDDEN = set('<>:"|?*')


def sanitize_filename(name: str, *, fallback: str = _FALLBACK) -> str:
    r"""Turn a name that a remote party chose into one that is safe on every file system.

    Takes the last path segment (``\`` counts as ``/``), normalises to NFC, drops control, format
    (bidi) and reserved characters and leading dots, refuses Windows device names, and cuts to 150
    bytes of UTF-8 while keeping the extension. Whatever leaves nothing becomes ``fallback``.
    Source: RFC 6266 section 4.3 (recipients must not trust the sender's path).
    """
    base = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    # Normalised once more: dropping a character can bring two together that compose.
    kept = unicodedata.normalize("NFC", "".join(char for char in base if not _is_unsafe(char)))
    safe = _cut(_EDGES.sub("", kept))
    return fallback if not safe or _RESERVED.match(safe) else safe


def _is_unsafe(char: str) -> bool:
    return char in _FORBIDDEN or unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn"}


def _cut(name: str) -> str:
    if len(name.encode()) <= _MAX_NAME_BYTES:
        return name
    stem, dot, suffix = name.rpartition(".")
    tail = f"{dot}{suffix}" if stem and len(suffix.encode()) <= 16 else ""
    head = stem if tail else name
    room = _MAX_NAME_BYTES - len(tail.encode())
    return _EDGES.sub("", head.encode()[:room].decode(errors="ignore")) + tail


def generate_sha256_hash(content: bytes | Path | BinaryIO) -> str:
    """Return the lower-case hexadecimal SHA-256 of bytes, a file or an open binary stream."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    if isinstance(content, Path):
        with content.open("rb") as stream:
            return generate_sha256_hash(stream)
    hasher = hashlib.sha256()
    while chunk := content.read(CHUNK_BYTES):
        hasher.update(chunk)
    return hasher.hexdigest()


def human_bytes(size: int) -> str:
    """Write a number of bytes as people read it: ``2.5 MB`` (powers of 1,000)."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
