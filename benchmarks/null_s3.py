"""An S3 server on loopback that accepts everything and keeps nothing, so that clients set the pace.

Only of probes (small objects under ``tmp/``) it remembers the names and checks the digests: a
client that asks what the server can do hears that it can do everything.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer

_BUFFER_BYTES = 1 << 20
_SMALL_BYTES = 1 << 10
_DATE = b"Date: Sat, 21 Nov 2026 12:00:00 GMT\r\nLast-Modified: Sat, 21 Nov 2026 11:00:00 GMT\r\n"
_BEGUN = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
_DONE = (
    b"<CompleteMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><ETag>e</ETag>"
    b"</CompleteMultipartUploadResult>"
)
_probes: set[bytes] = set()


class _Connection(StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while line := self.rfile.readline():
            method, target, _ = line.split()
            headers = dict(self._headers())
            size = int(headers.get(b"content-length", 0))
            if b"expect" in headers:
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = self._take(size)
            self._answer(*_answer(method, target, headers, body), alone=method == b"HEAD")

    def _headers(self) -> Iterator[tuple[bytes, bytes]]:
        while line := self.rfile.readline().strip():
            name, _, value = line.partition(b":")
            yield name.strip().lower(), value.strip()

    def _take(self, size: int) -> bytes | None:
        """Read a body; give it if it is small."""
        if size <= _SMALL_BYTES:
            return self.rfile.read(size)
        buffer = memoryview(bytearray(_BUFFER_BYTES))
        left = size
        while left:
            count = self.rfile.readinto(buffer[: min(left, _BUFFER_BYTES)])
            if not count:
                break
            left -= count
        return None

    def _answer(self, status: bytes, body: bytes, *, alone: bool) -> None:
        head = b'HTTP/1.1 %b\r\n%bETag: "e"\r\nContent-Length: %d\r\n\r\n' % (
            status,
            _DATE,
            len(body),
        )
        self.wfile.write(head if alone else head + body)


def _answer(
    method: bytes, target: bytes, headers: dict[bytes, bytes], body: bytes | None
) -> tuple[bytes, bytes]:
    path, _, query = target.partition(b"?")
    if method == b"POST":
        return b"200 OK", _BEGUN if query.startswith(b"uploads") else _DONE
    if method == b"DELETE":
        return b"204 No Content", b""
    if method != b"PUT":
        return b"404 Not Found", b""
    if b"/tmp/" in path and body is not None:
        return _probe(path, headers, body)
    return b"200 OK", b""


def _probe(path: bytes, headers: dict[bytes, bytes], body: bytes) -> tuple[bytes, bytes]:
    digest = b64encode(hashlib.sha256(body).digest())
    if headers.get(b"x-amz-checksum-sha256", digest) != digest:
        return b"400 Bad Request", b"<Error><Code>BadDigest</Code></Error>"
    if path in _probes and (b"if-none-match" in headers or b"if-match" in headers):
        return b"412 Precondition Failed", b"<Error><Code>PreconditionFailed</Code></Error>"
    _probes.add(path)
    return b"200 OK", b""


class _Server(ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def serve() -> None:
    with _Server(("127.0.0.1", 0), _Connection) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


@contextmanager
def running_null_s3() -> Iterator[str]:
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
