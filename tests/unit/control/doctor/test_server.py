from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.metadata import version as version_of

import pytest

from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.doctor import server
from airnub_prefect_starter.control.doctor.findings import Check, Finding, examine, ok
from tests.project_kit import project_settings
from tests.unit.control.doctor.kit import FakeApi, context_of

HERE = version_of("prefect")


def asked(settings: Settings, look: str, url: str, **environment: str) -> Finding:
    """Carry out a check as the doctor does."""
    context = context_of(settings, url, environment=environment)
    return examine([Check("it", getattr(server, look))], context).findings["it"]


def test_an_api_that_answers(settings: Settings, api: FakeApi) -> None:
    assert asked(settings, "api", api.url) == ok(api.url)


def test_an_api_that_is_not_healthy(settings: Settings, api: FakeApi) -> None:
    api.manners.answers["GET /health"] = False

    found = asked(settings, "api", api.url)

    assert (found.state, found.fixes) == ("fail", ("start it",))


def test_an_api_that_does_not_answer(settings: Settings) -> None:
    found = asked(settings, "api", "http://127.0.0.1:9/api")

    assert (found.state, found.fixes) == ("fail", ("start it",))
    assert "http://127.0.0.1:9/api does not answer" in found.what


@pytest.mark.parametrize(
    ("environment", "what"),
    [
        ({}, "accepted (none is asked for)"),
        ({"PREFECT_API_AUTH_STRING": "a:b"}, "accepted (PREFECT_API_AUTH_STRING)"),
    ],
)
def test_credentials_that_are_accepted(
    settings: Settings, api: FakeApi, environment: dict[str, str], what: str
) -> None:
    api.manners.answers["POST /work_pools/filter"] = []

    assert asked(settings, "authentication", api.url, **environment) == ok(what)


def test_credentials_that_are_refused(settings: Settings, api: FakeApi) -> None:
    api.manners.status["POST /work_pools/filter"] = 401

    found = asked(settings, "authentication", api.url, PREFECT_API_AUTH_STRING="a:secret")

    assert found.state == "fail"
    assert "refuses these credentials (401)" in found.what
    assert found.fixes == ("Correct PREFECT_API_AUTH_STRING or PREFECT_API_KEY",)
    assert "secret" not in found.what


@pytest.mark.parametrize(
    ("there", "state"),
    [(HERE, "ok"), ("3.0.1", "fail"), ("99.0.0", "warn")],
    ids=["equal", "older", "newer"],
)
def test_versions(settings: Settings, api: FakeApi, there: str, state: str) -> None:
    api.manners.answers["GET /admin/version"] = there

    found = asked(settings, "version", api.url)

    assert found.state == state
    assert there in found.what
    assert state == "ok" or "update it" in found.fixes


@pytest.mark.parametrize(("minutes", "state"), [(0, "ok"), (5, "fail"), (-5, "fail")])
def test_clocks(settings: Settings, api: FakeApi, minutes: int, state: str) -> None:
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    api.manners.date = format_datetime(moment, usegmt=True)

    found = asked(settings, "clock", api.url)

    assert found.state == state
    assert state == "ok" or f"the API {'+' if minutes > 0 else '-'}" in found.what


def test_the_clock_of_an_object_store(settings: Settings, api: FakeApi) -> None:
    bucket = project_settings(
        settings.project_root,
        AIRNUB_STORE_URL="s3://bucket/stores",
        AWS_ENDPOINT_URL=api.url.removesuffix("/api"),
    )

    found = asked(bucket, "clock", api.url)

    assert found.state == "ok"
    assert "the object store +" in found.what or "the object store -" in found.what


@pytest.mark.parametrize("date", ["", "yesterday"], ids=["none", "no date"])
def test_a_clock_that_tells_nothing(settings: Settings, api: FakeApi, date: str) -> None:
    api.manners.date = date or "-"

    assert "does not tell its time" in asked(settings, "clock", api.url).what
