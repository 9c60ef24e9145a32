"""Where alerts go outside Prefect: a log, a webhook in Slack's form, mail.

Addresses hold credentials: no message names more of one than its host.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections import Counter
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import requests
from pydantic import SecretStr

from airnub_prefect_starter.common.clock import rfc3339
from airnub_prefect_starter.common.errors import AlertDeliveryError, ConfigError
from airnub_prefect_starter.core.monitoring.alerts import Alert

log = logging.getLogger(__name__)

TIMEOUT_S = 10
MOST_SHOWN = 20
# Slack's form takes 3,000 characters in a section.
_MOST_CHARACTERS = 2_900
_MARKS = {"critical": "🔴", "warning": "🟠"}


def headline(title: str, alerts: Sequence[Alert]) -> str:
    """Give one line: ``Data Lake: 1 critical, 2 warnings, 1 resolved``."""
    counts = Counter(each.level if each.open else "resolved" for each in alerts)
    names = {"critical": "critical", "warning": "warning", "resolved": "resolved"}
    parts = [
        f"{counts[kind]} {name}{'s' * (kind == 'warning' and counts[kind] > 1)}"
        for kind, name in names.items()
        if counts[kind]
    ]
    return f"{title}: {', '.join(parts)}"


def lines(alerts: Sequence[Alert]) -> list[str]:
    """Give a line per alert, the first 20, and how many more there are."""
    shown = [_line(each) for each in alerts[:MOST_SHOWN]]
    more = len(alerts) - MOST_SHOWN
    return [*shown, f"… and {more} more"] if more > 0 else shown


def _line(alert: Alert) -> str:
    where = f"{alert.subject} {alert.column}".strip()
    since = f"since {rfc3339(alert.first_seen)}, seen {alert.count} times"
    state = alert.level if alert.open else "resolved"
    return f"{state.upper()} {alert.check} {where}: {alert.message} ({since})"


def send_to_log(title: str, alerts: Sequence[Alert]) -> None:
    """Log a line per alert, at the level of the worst one."""
    critical = any(each.open and each.level == "critical" for each in alerts)
    level = logging.ERROR if critical else logging.WARNING
    log.log(level, "%s\n%s", headline(title, alerts), "\n".join(lines(alerts)))


def slack_message(title: str, alerts: Sequence[Alert]) -> dict[str, Any]:
    """Give the JSON that Slack's incoming webhooks take; others read ``text``.

    Source: https://docs.slack.dev/messaging/formatting-message-text (escape ``&<>``).
    """
    text = _escaped(headline(title, alerts))
    marks = [_MARKS[each.level] if each.open else "✅" for each in alerts[:MOST_SHOWN]]
    marks += ["…"] * (len(alerts) > MOST_SHOWN)
    body = "\n".join(
        f"{mark} {_escaped(line)}" for mark, line in zip(marks, lines(alerts), strict=True)
    )
    return {
        "text": text,
        "blocks": [
            {
                "type": "header",
                "text": {"type": "plain_text", "text": headline(title, alerts)[:150]},
            },
            {"type": "section", "text": {"type": "mrkdwn", "text": body[:_MOST_CHARACTERS]}},
        ],
    }


def send_to_webhook(title: str, alerts: Sequence[Alert], address: SecretStr) -> None:
    """Post to a webhook.

    Raises:
        ConfigError: The secret is no http(s) address. No retry.
        AlertDeliveryError: It was not taken. A retry may help.
    """
    url = address.get_secret_value()
    host = _parsed(url, ("http", "https"), "webhook").hostname
    try:
        # No retries here: urllib3 would log the address, which is a secret.
        answer = requests.post(
            url, json=slack_message(title, alerts), timeout=TIMEOUT_S, allow_redirects=False
        )
    except requests.RequestException as error:
        # Its text has the address too.
        raise AlertDeliveryError(
            f"The webhook at {host} cannot be reached: {type(error).__name__}",
            "Check its address and the network policy",
        ) from None
    if answer.status_code // 100 != 2:
        raise AlertDeliveryError(
            f"The webhook at {host} answered {answer.status_code}", "Check its address"
        )


def send_mail(
    title: str, alerts: Sequence[Alert], server: SecretStr, to: Sequence[str], sender: str
) -> None:
    """Send one message; a password goes over TLS only.

    Raises:
        ConfigError: The secret is no smtp(s) address. No retry.
        AlertDeliveryError: It was not taken. A retry may help.
    """
    parts = _parsed(server.get_secret_value(), ("smtp", "smtps"), "mail server")
    message = EmailMessage()
    message["Subject"] = headline(title, alerts)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message.set_content("\n".join(lines(alerts)))
    try:
        with _connect(parts) as smtp:
            smtp.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        reason = type(error).__name__
        if isinstance(error, smtplib.SMTPResponseException):
            reason = f"{reason} {error.smtp_code}"
        raise AlertDeliveryError(
            f"The mail server {parts.hostname} did not take the message: {reason}",
            "Check its address and credentials",
        ) from None


def _connect(parts: SplitResult) -> smtplib.SMTP:
    host, context = str(parts.hostname), ssl.create_default_context()
    if parts.scheme == "smtps":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(
            host, parts.port or 465, timeout=TIMEOUT_S, context=context
        )
    else:
        smtp = smtplib.SMTP(host, parts.port or 25, timeout=TIMEOUT_S)
        smtp.ehlo()
        if smtp.has_extn("starttls"):
            smtp.starttls(context=context)
        elif parts.username:
            smtp.close()
            raise AlertDeliveryError(
                f"The mail server {host} offers no TLS, so it gets no password",
                "Use smtps://, or a server with STARTTLS",
            )
    if parts.username:
        smtp.login(unquote(parts.username), unquote(parts.password or ""))
    return smtp


def _parsed(address: str, schemes: tuple[str, ...], what: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        valid = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(
            f"The secret of the {what} is not an address of the form {schemes[0]}://host",
            "Correct the environment variable that fills it",
        )
    return parts


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
