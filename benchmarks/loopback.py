"""A server on loopback that sends bodies of any size as fast as they are taken."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer

BLOCK_BYTES = 1 << 20


class _Body(StreamRequestHandler):
    """Answers ``GET /<size>/<tag>`` with so many bytes that no other tag has."""

    def handle(self) -> None:
        request = self.rfile.readline().split()
        while self.rfile.readline().strip():
            pass
        _, size_text, tag = request[1].split(b"/")
        size = int(size_text)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % size
        self.wfile.write(head + tag.ljust(64, b".")[:size])
        block = memoryview(bytes(range(256)) * (BLOCK_BYTES // 256))
        left = max(size - 64, 0)
        while left:
            left -= self.request.send(block[:left])


def serve() -> None:
    with ThreadingTCPServer(("127.0.0.1", 0), _Body) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


@contextmanager
def running_server() -> Iterator[str]:
    """Give the address of a server in a process of its own, so that its cost is not ours."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


if __name__ == "__main__":
    serve()
