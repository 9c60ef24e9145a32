"""The text of robots.txt as the rules for one agent. Source: RFC 9309, and Crawl-delay."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

_RECORD = re.compile(r"\s*([A-Za-z-]+)\s*:\s*([^#]*)")
_AGENT = re.compile(r"\*|[A-Za-z_-]+")
_DELAY = re.compile(r"\d{1,6}(?:\.\d{1,6})?|\.\d{1,6}", re.ASCII)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = string.ascii_letters + string.digits + "-._~"  # RFC 3986, 2.3

Record = tuple[str, str]


@dataclass(frozen=True)
class Rules:
    """What one agent may read: ``allow`` and ``disallow`` with patterns, and ``crawl-delay``."""

    records: tuple[Record, ...]

    def allow(self, url: str) -> bool:
        """Tell whether an address may be read: the longest pattern decides (RFC 9309, 2.2.2)."""
        parts = urlsplit(url)
        path = _normal((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        best = max(
            (
                (len(pattern), name == "allow")  # of equally long ones the one that allows
                for name, pattern in self.records
                if name != "crawl-delay" and pattern and _matches(pattern, path)
            ),
            default=(0, True),
        )
        return best[1]

    def delay_s(self) -> float | None:
        """Return the pause between requests that is asked for, in seconds."""
        asked = [value for name, value in self.records if name == "crawl-delay"]
        return max((float(each) for each in asked if _DELAY.fullmatch(each)), default=None)


def parse_robots(text: str, agent: str) -> Rules:
    """Read the groups for an agent, together if there are several, else those for ``*``."""
    groups: dict[str, list[Record]] = {}
    named: set[str] = set()  # of all agents only two can matter, however many a file names
    in_rules = False
    for name, value in _records(text):
        if name == "user-agent":
            named = set() if in_rules else named
            in_rules = False
            token = _AGENT.match(value)
            named |= {token[0].lower() if token else ""} & {agent.lower(), "*"}
            groups |= {each: [] for each in named if each not in groups}
        else:
            in_rules = True
            for each in named:
                groups[each].append((name, value))
    return Rules(tuple(groups.get(agent.lower(), groups.get("*", ()))))


def _records(text: str) -> Iterator[Record]:
    for line in text.splitlines():
        found = _RECORD.match(line)
        name = found[1].lower() if found else ""
        if found and name in ("allow", "disallow"):
            yield name, _normal(found[2].strip())
        elif found and name in ("user-agent", "crawl-delay"):
            yield name, found[2].strip()


def _matches(pattern: str, path: str) -> bool:
    """Compare with ``*`` for anything and a final ``$`` for the end (RFC 9309, 2.2.3)."""
    to_the_end = pattern.endswith("$")
    first, *others = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    last = others.pop() if others and to_the_end else ""
    for part in others:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    if not to_the_end:
        return True
    return at == len(path) if "*" not in pattern else path[at:].endswith(last)


def _normal(path: str) -> str:
    """Escape what is not ASCII and nothing that needs no escape, so that octets can be compared."""
    return _ESCAPE.sub(_escape, quote(path, safe=string.printable))


def _escape(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return char if char in _UNRESERVED else found[0].upper()
