"""Where alerts arrive in tests: a webhook and a mail server on loopback, each in a thread."""

from __future__ import annotations

import json
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any


@dataclass
class Inbox:
    """What arrived, and the answer that the next message gets."""

    address: str = ""
    messages: list[Any] = field(default_factory=list)
    answer: int = 200


@contextmanager
def webhook() -> Iterator[Inbox]:
    """Take JSON by POST at ``/services/secret-token``."""
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            inbox.messages.append(json.loads(body))
            self.send_response(inbox.answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    with _serving(HTTPServer(("127.0.0.1", 0), Handler)) as port:
        inbox.address = f"http://127.0.0.1:{port}/services/secret-token"
        yield inbox


@contextmanager
def mail_server() -> Iterator[Inbox]:
    """Take mail by SMTP (RFC 5321) without TLS; an answer of 400 or more refuses the sender."""
    inbox = Inbox(answer=250)

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 test")
            while line := self.rfile.readline().decode().strip():
                verb = line[:4].upper()
                if verb == "DATA":
                    self.say("354 go on")
                    inbox.messages.append(self._data())
                    self.say("250 taken")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say(f"{inbox.answer if verb == 'MAIL' else 250} {verb}")

        def _data(self) -> str:
            text = []
            while (line := self.rfile.readline().decode()) != ".\r\n":
                text.append(line)
            return "".join(text)

    with _serving(socketserver.TCPServer(("127.0.0.1", 0), Handler)) as port:
        inbox.address = f"smtp://127.0.0.1:{port}"
        yield inbox


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
