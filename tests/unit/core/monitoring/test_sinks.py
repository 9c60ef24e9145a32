"""Sinks, against real servers on loopback; no message tells a secret."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from email import message_from_string, policy

import pytest
from pydantic import SecretStr

from airnub_prefect_starter.common.errors import AlertDeliveryError, ConfigError
from airnub_prefect_starter.core.monitoring.alerts import Alert
from airnub_prefect_starter.core.monitoring.results import Level
from airnub_prefect_starter.core.monitoring.sinks import (
    send_mail,
    send_to_log,
    send_to_webhook,
    slack_message,
)
from tests.alert_servers import mail_server, webhook

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _alert(level: Level = "critical", message: str = "m", **changed: object) -> Alert:
    return Alert.model_validate(
        {
            "fingerprint": "f" * 16,
            "sink": "log",
            "source": "s",
            "level": level,
            "check": "nulls",
            "subject": "silver/flights",
            "message": message,
            "first_seen": NOW,
            "last_seen": NOW,
            **changed,
        }
    )


def test_a_webhook_gets_what_slack_takes() -> None:
    alerts = [_alert(), _alert("warning", "a < b & c"), _alert(resolved_at=NOW)]
    with webhook() as inbox:
        send_to_webhook("Data Lake", alerts, SecretStr(inbox.address))

    (message,) = inbox.messages
    assert message["text"] == "Data Lake: 1 critical, 1 warning, 1 resolved"
    assert [block["type"] for block in message["blocks"]] == ["header", "section"]
    body = message["blocks"][1]["text"]["text"]
    assert "a &lt; b &amp; c" in body
    assert [line.split()[1] for line in body.splitlines()] == ["CRITICAL", "WARNING", "RESOLVED"]


def test_many_alerts_fit_into_one_message() -> None:
    message = slack_message("Data Lake", [_alert(message="x" * 200) for _ in range(500)])

    assert message["text"] == "Data Lake: 500 critical"
    assert len(message["blocks"][1]["text"]["text"]) <= 3_000


@pytest.mark.parametrize("answer", [302, 404, 500])
def test_a_webhook_that_does_not_take_it_is_an_error_without_its_address(answer: int) -> None:
    with webhook() as inbox:
        inbox.answer = answer
        with pytest.raises(AlertDeliveryError, match=f"answered {answer}") as caught:
            send_to_webhook("Data Lake", [_alert()], SecretStr(inbox.address))

    assert "secret-token" not in str(caught.value)


def test_a_webhook_that_is_away_is_an_error_without_its_address() -> None:
    with webhook() as inbox:
        address = inbox.address

    with pytest.raises(AlertDeliveryError, match="cannot be reached") as caught:
        send_to_webhook("Data Lake", [_alert()], SecretStr(address))
    assert "secret-token" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_mail_goes_to_all_with_a_line_per_alert() -> None:
    with mail_server() as inbox:
        send_mail(
            "Data Lake",
            [_alert(), _alert("warning", "déjà vu")],
            SecretStr(inbox.address),
            ["a@example.com", "b@example.com"],
            "lake@example.com",
        )

    (text,) = inbox.messages
    message = message_from_string(text, policy=policy.default)
    assert message["Subject"] == "Data Lake: 1 critical, 1 warning"
    assert message["To"] == "a@example.com, b@example.com"
    content = message.get_body().get_content()  # type: ignore[union-attr]
    assert "déjà vu" in content
    assert len(content.splitlines()) == 2


def test_a_mail_server_that_refuses_is_an_error() -> None:
    with mail_server() as inbox:
        inbox.answer = 550
        with pytest.raises(AlertDeliveryError, match="550"):
            send_mail("t", [_alert()], SecretStr(inbox.address), ["a@example.com"], "l@example.com")


def test_a_password_is_not_sent_in_the_clear() -> None:
    with mail_server() as inbox:
        address = inbox.address.replace("//", "//user:secret-password@")
        with pytest.raises(AlertDeliveryError, match="no TLS") as caught:
            send_mail("t", [_alert()], SecretStr(address), ["a@example.com"], "l@example.com")

    assert inbox.messages == []
    assert "secret-password" not in str(caught.value)


@pytest.mark.parametrize("address", ["ftp://host", "https://", "token", "https://h:99999999"])
def test_a_secret_that_is_no_address_is_a_mistake_of_the_configuration(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        send_to_webhook("t", [_alert()], SecretStr(address))

    assert address not in str(caught.value)


@pytest.mark.parametrize(("level", "logged"), [("critical", "ERROR"), ("warning", "WARNING")])
def test_the_log_has_the_level_of_the_worst(
    level: Level, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        send_to_log("Data Lake", [_alert("warning"), _alert(level)])

    assert [record.levelname for record in caplog.records] == [logged]
    assert "silver/flights" in caplog.text
