"""``python -m airnub_prefect_starter.demo``: serve the sample sources until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence

from airnub_prefect_starter.common.errors import StarterError
from airnub_prefect_starter.demo.data import SampleTables
from airnub_prefect_starter.demo.database import fill_database
from airnub_prefect_starter.demo.server import LOOPBACK, SourceServer
from airnub_prefect_starter.demo.site import SiteOptions


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes; return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING, format="%(asctime)s %(message)s"
    )
    site = SiteOptions(
        token=os.environ.get("SOURCES_TOKEN"),
        broken=tuple(options.broken),
        enable_control=options.enable_control,
    )
    try:
        if options.database:
            fill_database(options.database, SampleTables())
        _serve(SourceServer(options.port, options.host, site))
    except StarterError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


def _serve(server: SourceServer) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with server:
        sys.stdout.write(f"listening on {server.url}\n")
        sys.stdout.flush()
        stop.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airnub_prefect_starter.demo",
        description="Serve the sample sources. SOURCES_TOKEN is the private API's bearer token.",
    )
    parser.add_argument("--port", type=_port, default=0, help="0 takes a free one (default)")
    parser.add_argument("--host", default=LOOPBACK, help=f"address to bind (default {LOOPBACK})")
    parser.add_argument("--database", metavar="URL", help="fill this database first, once")
    parser.add_argument(
        "--break",
        dest="broken",
        action="append",
        default=[],
        metavar="PATH",
        help="path prefix that answers 503; may be repeated",
    )
    parser.add_argument(
        "--enable-control", action="store_true", help="serve POST /control/break and /control/heal"
    )
    parser.add_argument("--verbose", action="store_true", help="log each request to stderr")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{port} is not between 0 and 65535")
    return port


if __name__ == "__main__":
    sys.exit(main())
