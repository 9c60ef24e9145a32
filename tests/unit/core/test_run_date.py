from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from pydantic import Field

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.configuration import ConfigModel, load_yaml
from airnub_prefect_starter.core.run_date import for_date, is_dated, on_date
from airnub_prefect_starter.core.sources import ApiSource, FileSource

DATE = dt.date(2013, 1, 5)


class Files(ConfigModel):
    title: str = ""
    files: tuple[FileSource, ...] = ()
    apis: tuple[ApiSource, ...] = Field(default=())


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("{date}", "2013-01-05"),
        ("a-{date}.csv?d={date}", "a-2013-01-05.csv?d=2013-01-05"),
        ("{date:%Y/%m}", "2013/01"),
        ("{date:%Y%m%d}", "20130105"),
        ("{date:day %j, week %G-%V-%u, year %y}", "day 005, week 2013-01-6, year 13"),
        ("plain", "plain"),
    ],
)
def test_a_date_is_written_as_its_format_says(text: str, resolved: str) -> None:
    assert on_date(text, DATE) == resolved
    assert is_dated(text) == (text != resolved)


@pytest.mark.parametrize("text", ["{date:%B}", "{date:%s}", "{date:}", "{Date}", "${date}", "{}"])
def test_what_is_no_date_stays_as_it_is(text: str) -> None:
    assert on_date(text, DATE) == text
    assert not is_dated(text)


def test_a_run_gets_every_text_of_its_configuration_resolved() -> None:
    config = Files(
        title="Flights of {date}",
        files=(FileSource(source_id="f-{date}", url="https://h.example/{date:%Y/%m/%d}.csv"),),
        apis=(
            ApiSource(source_id="a-{date}", url="https://h.example", params={"day": "{date:%j}"}),
        ),
    )

    found = for_date(config, DATE)

    assert found.title == "Flights of 2013-01-05"
    assert found.files[0].source_id == "f-2013-01-05"
    assert found.files[0].url == "https://h.example/2013/01/05.csv"
    assert found.apis[0].source_id == "a-2013-01-05"
    assert found.apis[0].params == {"day": "005"}
    assert for_date(found, dt.date(2020, 1, 1)) is found


def test_a_configuration_without_dates_passes_untouched() -> None:
    config = Files(title='{"json": 1}', files=(FileSource(source_id="f", url="https://h.example"),))

    assert for_date(config, DATE) is config


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ({"source_id": "f-{date:%B}", "url": "https://h/{date}"}, "{date:%B} stands for nothing"),
        ({"source_id": "f-{dat}", "url": "https://h/{date}"}, "{dat} stands for nothing"),
        ({"source_id": "f", "url": "https://h/{x"}, "{x stands for nothing"),
        ({"source_id": "f", "url": "https://h/x}"}, "} stands for nothing"),
        ({"source_id": "F-{date}", "url": "https://h/{date}"}, "should match pattern"),
        ({"source_id": "f-{date:%Y/%m}", "url": "https://h/{date}"}, "should match pattern"),
        ({"source_id": "f", "url": "https://h/{date}"}, "its address has a {date} and source_id"),
        ({"source_id": "f-{date}", "url": "https://h/"}, "source_id has a {date} and its address"),
        ({"source_id": "f-{date:%Y-%m}", "url": "https://h/{date}"}, "source_id is the same on"),
        ({"source_id": "f-{date:%m-%d}", "url": "https://h/{date}"}, "source_id is the same on"),
        ({"source_id": "f-{date:%u}", "url": "https://h/{date}"}, "source_id is the same on"),
        ({"source_id": "f-{date:%j}", "url": "https://h/{date}"}, "source_id is the same on"),
        ({"source_id": "f-{date:%Y-%V}", "url": "https://h/{date:%G-%V}"}, "is the same on"),
        ({"source_id": "f-{date:%G-%m-%d}", "url": "https://h/{date}"}, "is the same on"),
        ({"source_id": "f-{date}", "url": "ftp://h/{date}"}, "neither http nor https"),
    ],
)
def test_a_mistake_is_found_where_it_stands(
    tmp_path: Path, source: dict[str, str], found: str
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"files:\n  - source_id: '{source['source_id']}'\n    url: '{source['url']}'\n")

    with pytest.raises(ConfigError) as raised:
        load_yaml(file, Files)

    assert found in str(raised.value)
    assert f"{file.name}:" in str(raised.value)


@pytest.mark.parametrize(
    "source",
    [
        {"source_id": "f-{date}", "url": "https://h.example/${X}/{date}"},
        {"source_id": "f-{date}", "url": "https://{date:%Y}.example/{date:%m-%d}"},
        {"source_id": "month-{date:%Y-%m}", "url": "https://h.example/{date:%Y/%m}.csv"},
        {"source_id": "f-{date}", "url": "https://h.example/{date:%Y/%m}.csv"},
        {"source_id": "f-{date:%G-%V-%u}", "url": "https://h.example/{date}.csv"},
        {"source_id": "f-{date:%Y-%j}", "url": "https://h.example/{date:%G/%V/%u}.csv"},
    ],
)
def test_a_source_that_keeps_its_dates_apart_is_accepted(source: dict[str, str]) -> None:
    assert FileSource.model_validate(source).source_id == source["source_id"]


def test_a_date_in_the_path_of_the_items_is_one_of_the_address() -> None:
    source = {"source_id": "f", "url": "https://h.example", "items_path": "days.{date}"}

    with pytest.raises(ValueError, match=r"its address has a \{date\}"):
        ApiSource.model_validate(source)
    assert ApiSource.model_validate({**source, "source_id": "f-{date}"})
    with pytest.raises(ValueError, match="stands for nothing"):
        ApiSource.model_validate({**source, "items_path": "days.{day}"})


def test_a_parameter_may_hold_the_date_instead_of_the_address() -> None:
    source = {"source_id": "f-{date}", "url": "https://h.example", "params": {"on": "{date}"}}

    assert ApiSource.model_validate(source).params == {"on": "{date}"}
    with pytest.raises(ValueError, match="stands for nothing"):
        ApiSource.model_validate({**source, "params": {"on": "{day}"}})
