"""Whether something answers: ports, the server's readiness, the worker's heartbeat.

``http.client`` because these run before Prefect may be imported, and because it ignores proxies.
"""

from __future__ import annotations

import http.client
import json
import socket
from datetime import datetime

from airnub_prefect_starter.control.environment import HOST


def free_port() -> int:
    """Return a port of the loopback that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Tell whether a port of the loopback can be listened on."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def answers(port: int, path: str) -> bool:
    """Tell whether a GET is answered with success."""
    return request(port, "GET", path) is not None


def is_ready(port: int) -> bool:
    """Tell whether a Prefect server is up and reaches its database."""
    return answers(port, "/api/ready") and answers(port, "/api/health")


def is_worker_online(port: int, pool: str, worker: str, since: datetime | None = None) -> bool:
    """Tell whether a worker of a pool sends heartbeats, and has sent one since a time."""
    body = request(port, "POST", f"/api/work_pools/{pool}/workers/filter", b"{}")
    return body is not None and any(
        each["name"] == worker
        and each["status"] == "ONLINE"
        and (since is None or datetime.fromisoformat(each["last_heartbeat_time"]) >= since)
        for each in json.loads(body)
    )


def request(
    port: int, method: str, path: str, body: bytes | None = None, *, timeout_s: float = 2
) -> bytes | None:
    """Return the body of a successful answer; None for any other, or none in time."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return content if response.status in (200, 201) else None
