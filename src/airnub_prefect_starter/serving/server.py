"""The application in a server of its own, until it is told to stop."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import uvicorn

from airnub_prefect_starter.common.errors import ConfigError, PortInUseError
from airnub_prefect_starter.serving.app import make_app
from airnub_prefect_starter.serving.current import CurrentModel

_GRACE_S = 10


def serve(current: CurrentModel, host: str, port: int, *, ready: Callable[[str], None]) -> None:
    """Answer requests until SIGINT or SIGTERM; those that are open are finished first.

    Args:
        current: The model.
        host: Address to bind.
        port: Port; 0 takes a free one.
        ready: Told the address when connections are accepted.

    Raises:
        PortInUseError: Another process listens there. No retry.
        ConfigError: The address cannot be bound. No retry.
    """
    with _bind(host, port) as listener:
        ready(f"http://{host}:{listener.getsockname()[1]}")
        config = uvicorn.Config(
            make_app(current), log_level="warning", timeout_graceful_shutdown=_GRACE_S
        )
        uvicorn.Server(config).run(sockets=[listener])


def _bind(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"Port {port} on {host} is taken", "Choose another, or 0 for any free one"
            ) from error
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}",
            "Use an address of this machine and a port above 1023",
        ) from error
