"""The server: whether it answers, which version it is, whom it lets in, and what time it has."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from importlib.metadata import version as version_of

import requests

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.doctor.context import Context
from airnub_prefect_starter.control.doctor.findings import Finding, fail, ok, warn

_TIMEOUT_S = 10
_NTP = "Let both machines take their time from NTP (`timedatectl set-ntp true`)"


def api(context: Context) -> Finding:
    """Look whether the API answers; it tells its health to everybody."""
    server = context.server
    try:
        healthy = context.api.get("/health").text.strip() == "true"
    except PlatformError as error:
        return fail(error.message, context.commands.start)
    if not healthy:
        return fail(f"{context.api.url} says that it is not healthy", context.commands.start)
    return ok(server.environment["PREFECT_API_URL"])


def authentication(context: Context) -> Finding:
    """Look whether it accepts the credentials that are set."""
    context.api.post("/work_pools/filter", {"limit": 1})
    given = {"PREFECT_API_AUTH_STRING", "PREFECT_API_KEY"} & {
        name for name, value in context.server.environment.items() if value
    }
    return ok(f"accepted ({', '.join(sorted(given)) or 'none is asked for'})")


def version(context: Context) -> Finding:
    """Compare the server's version with the client's: servers understand older clients only."""
    here, there = version_of("prefect"), str(context.api.get("/admin/version").json())
    if here == there:
        return ok(f"Prefect {here} here and there")
    found = f"the server has Prefect {there}, this environment {here}"
    if _numbers(there) < _numbers(here):
        return fail(found, context.commands.update)
    return warn(found, "make setup", context.commands.update)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def clock(context: Context) -> Finding:
    """Compare this machine's time with the API's and the object store's."""
    skews = {"the API": _skew_s(f"{context.api.url}/health")}
    if endpoint := _endpoint(context):
        skews["the object store"] = _skew_s(endpoint)
    told = ", ".join(f"{name} {round(skew):+d} s" for name, skew in skews.items())
    if max(map(abs, skews.values())) > context.thresholds.clock_skew_s:
        return fail(f"{told} from this machine", _NTP)
    return ok(told)


def _endpoint(context: Context) -> str | None:
    if not context.on_cluster:
        stores = context.server.settings
        of_bucket = stores.store_url.startswith("s3:")
        return stores.environment.get("AWS_ENDPOINT_URL") if of_bucket else None
    url = context.access.cluster.s3.endpoint_url
    return context.access.reachable(url) if url else None


def _skew_s(url: str) -> float:
    begun = time.time()
    try:
        with requests.Session() as session:
            session.trust_env = False
            # Whatever the answer is, it has a date.
            date = session.get(url, timeout=_TIMEOUT_S).headers["Date"]
        told = parsedate_to_datetime(date).timestamp()
    except (requests.RequestException, KeyError, ValueError) as exc:
        raise PlatformError(f"{url} does not tell its time: {exc}", "Check its address") from exc
    # A date has whole seconds: it is half a second behind, on average.
    return told + 0.5 - (begun + time.time()) / 2
