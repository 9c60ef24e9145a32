from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airnub_prefect_starter.core.http.robots_text import parse_robots

AGENT = "airnub-prefect-starter"


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        ("Disallow:", "/", True),
        ("Disallow: /", "", False),
        ("Disallow: /a", "/a/b", False),
        ("Disallow: /a", "/b/a", True),
        ("Disallow: /*.pdf$", "/x/y.pdf", False),
        ("Disallow: /*.pdf$", "/x/y.pdf?z", True),
        ("Disallow: /*.pdf", "/x/y.pdf?z", False),
        ("Disallow: /*?", "/x?y=1", False),
        ("Disallow: /*?", "/x", True),
        ("Disallow: /a$", "/a", False),
        ("Disallow: /a$", "/ab", True),
        ("Disallow: /a*b*c$", "/a-c-b-c", False),
        ("Disallow: /a*b*c$", "/a-c-c", True),
        ("Disallow: /ab*b$", "/ab", True),
        ("Disallow: *", "/x", False),
        ("Disallow: /*", "/", False),
        ("Disallow: /x$y", "/x$yz", False),
        ("Disallow: /\nAllow: /a", "/a", True),
        ("Allow: /a\nDisallow: /a/b", "/a/b", False),
        ("Disallow: /a/b\nAllow: /a", "/a/b", False),
        ("Disallow: /a\nAllow: /a", "/a", True),
        ("Disallow: /*.html\nAllow: /a", "/a.html", False),
        ("Disallow: /caf%c3%A9", "/café", False),
        ("Disallow: /café", "/caf%C3%A9", False),
        ("Disallow: /%7Ejoe", "/~joe", False),
        ("Disallow: /a%2Fb", "/a/b", True),
        (" disallow : /a # why", "/a", False),
        ("Disallow /a", "/a", True),
    ],
)
def test_the_longest_matching_rule_decides(rules: str, path: str, allowed: bool) -> None:
    found = parse_robots(f"User-agent: *\n{rules}\n", AGENT)

    assert found.allow(f"http://h{path}") is allowed


OWN = "User-agent: Airnub-Prefect-Starter/1.0\n"


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        pytest.param("", True, id="nothing"),
        pytest.param("Disallow: /\n", True, id="for nobody"),
        pytest.param("User-agent: other\nDisallow: /\n", True, id="for another"),
        pytest.param("User-agent: airnub\nDisallow: /\n", True, id="for a part of the name"),
        pytest.param(f"{OWN}Disallow: /\nUser-agent: *\nAllow: /\n", False, id="for this one"),
        pytest.param(f"User-agent: *\nDisallow: /\n{OWN}Allow: /\n", True, id="in any order"),
        pytest.param(f"User-agent: *\nDisallow: /\n{OWN}", True, id="without rules"),
        pytest.param(f"{OWN}\nUser-agent: other\nDisallow: /\n", False, id="for two"),
        pytest.param(
            f"{OWN}Allow: /b\nUser-agent: other\nDisallow:\n{OWN}Disallow: /\n",
            False,
            id="in two groups",
        ),
        pytest.param(
            f"{OWN}Sitemap: /s\nUser-agent: other\nDisallow: /\n", False, id="with other records"
        ),
        pytest.param(f"{OWN}Disallow: /b\r\rDisallow: /a\r", False, id="lines of old"),
    ],
)
def test_the_rules_are_those_of_the_agent(text: str, allowed: bool) -> None:
    assert parse_robots(text, AGENT).allow("http://h/a") is allowed


def test_a_delay_is_part_of_a_group() -> None:
    text = f"{OWN}Crawl-delay: 2\n\nUser-agent: *\nCrawl-delay: 5\nDisallow: /\n"

    found = parse_robots(text, AGENT)

    assert found.delay_s() == 2
    assert found.allow("http://h/")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("User-agent: *\nDisallow: " + "/*a" * 150_000, id="one long pattern"),
        pytest.param("User-agent: *\n" * 20_000 + "Disallow: /b\n" * 20_000, id="many groups"),
    ],
)
def test_half_a_mebibyte_is_no_burden(text: str) -> None:
    assert parse_robots(text, AGENT).allow("http://h/" + "a" * 8_000)


@given(st.text(), st.text())
def test_any_text_gives_an_answer(text: str, path: str) -> None:
    found = parse_robots(f"User-agent: *\nDisallow: {path}\n{text}", AGENT)

    assert found.allow("http://h/") in (True, False)
