from __future__ import annotations

import json
from threading import Event

import pytest

from airnub_prefect_starter.cli import output
from airnub_prefect_starter.cli.output import (
    counted,
    patience,
    say,
    show_json,
    show_table,
)
from airnub_prefect_starter.common.utils import human_bytes
from airnub_prefect_starter.core.manifest_models import Producer


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (2_345_678, "2.3 MB"),
        (5 * 10**9, "5.0 GB"),
        (7 * 10**15, "7000.0 TB"),
    ],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert human_bytes(size) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 blobs"), (1, "1 blob"), (2, "2 blobs"), (1234, "1,234 blobs")]
)
def test_numbers_for_people(number: int, text: str) -> None:
    assert counted(number, "blob") == text


def test_what_takes_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    often = Event()

    def tell(text: str) -> None:
        told.append(text)
        if len(told) == 2:
            often.set()

    monkeypatch.setattr(output, "progress", tell)

    with patience("Verifying", first_s=0.001):
        assert often.wait(10)

    assert told[0] == "Verifying: 0 s so far"


def test_what_is_quick_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with patience("Verifying"):
        pass

    assert capsys.readouterr() == ("", "")


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    output.progress("[bold]half[/bold]")

    assert capsys.readouterr() == ("", "[bold]half[/bold]\n")


def test_markup_is_shown_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    say("[red]a[/red]")
    show_table("", ("name", "rows"), [("[red]b[/red]", 1234), ("c", 1)])

    out = capsys.readouterr().out
    assert "[red]a[/red]" in out
    assert "[red]b[/red]" in out
    assert "1,234" in out


def test_models_become_json(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"b": [Producer(version="2")], "a": (1, None)})

    assert json.loads(capsys.readouterr().out) == {
        "a": [1, None],
        "b": [{"name": "airnub-prefect-starter", "version": "2"}],
    }
