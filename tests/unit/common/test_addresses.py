from __future__ import annotations

from pathlib import Path

import pytest

from airnub_prefect_starter.common.addresses import (
    TELCO_DIGEST,
    TELCO_URL,
    address_of,
    path_of,
    split_digest,
)


def test_a_path_becomes_an_address_and_a_path_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert path_of(address_of("a table #1.csv")) == tmp_path / "a table #1.csv"
    assert address_of("https://h.example/a.csv") == "https://h.example/a.csv"
    pinned, digest = split_digest(address_of(f"table.csv#sha256={'A' * 64}"))
    assert (path_of(pinned), digest) == (tmp_path / "table.csv", f"sha256:{'a' * 64}")


@pytest.mark.parametrize("url", ["file://host/a.csv", "file:a.csv"])
def test_an_address_of_another_host_or_of_no_folder_is_no_path(url: str) -> None:
    with pytest.raises(ValueError, match="file:///folder"):
        path_of(url)


def test_a_digest_is_taken_off_an_address() -> None:
    url, digest = split_digest(TELCO_URL)

    assert digest == TELCO_DIGEST
    assert url.endswith("/Telco-Customer-Churn.csv")
    assert split_digest(url) == (url, None)
    assert split_digest(f"{url}#sha256=abc") == (f"{url}#sha256=abc", None)
