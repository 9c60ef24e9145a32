from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.store.digest import Digest

HEX = "a" * 64
HEX_TEXT = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(st.binary())
def test_is_the_sha256_of_the_bytes(data: bytes) -> None:
    assert Digest.of(data).text == f"sha256:{hashlib.sha256(data).hexdigest()}"


@given(HEX_TEXT)
def test_parses_what_it_prints(text: str) -> None:
    digest = Digest(f"sha256:{text}")
    assert str(digest) == f"sha256:{text}"
    assert digest.hex == text
    assert Digest(str(digest)) == digest


@given(st.text())
def test_parses_nothing_else(text: str) -> None:
    with pytest.raises(ConfigError):
        Digest(text)


@pytest.mark.parametrize(
    "text",
    [
        HEX,
        f"sha256:{HEX}\n",
        f" sha256:{HEX}",
        f"sha256:{HEX.upper()}",
        f"sha256:{HEX[1:]}",
        f"sha256:{HEX}a",
        f"SHA256:{HEX}",
        f"sha512:{HEX}",
        f"sha256:../{HEX[3:]}",
        f"sha256:{HEX[:-1]}\u0661",
        "",
    ],
)
def test_refuses_near_misses(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a digest"):
        Digest(text)


@given(HEX_TEXT, st.integers(1, 60))
def test_is_in_exactly_one_part_of_a_sample(text: str, parts: int) -> None:
    digest = Digest(f"sha256:{text}")
    assert sum(digest.in_sample(part, parts) for part in range(1, parts + 1)) == 1
