"""A port of the loopback that leads to a Service, for as long as it is needed."""

from __future__ import annotations

import re
import subprocess
import threading
from types import TracebackType
from typing import Self

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.environment import HOST
from airnub_prefect_starter.control.k8s.programs import end
from airnub_prefect_starter.control.k8s.release import Release

_LISTENING = re.compile(rf"Forwarding from {re.escape(HOST)}:(\d+) ->")
_START_S = 30
_PAUSE_S = 1


class PortForward:
    """``kubectl port-forward``, started again on the same port when the pod behind it is replaced.

    Args:
        release: Names the cluster.
        namespace: The Service's namespace.
        service: The Service's name.
        port: The Service's port.
    """

    def __init__(self, release: Release, namespace: str, service: str, port: int) -> None:
        self._service = f"service/{service}"
        self._arguments = ("port-forward", "--namespace", namespace, "--address", HOST)
        self._release = release
        self._remote = port
        self._local = 0
        self._words = ""
        self._process: subprocess.Popen[str] | None = None
        self._known = threading.Event()
        self._closed = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    @property
    def address(self) -> str:
        """Host and port of the near end."""
        return f"{HOST}:{self._local}"

    def __enter__(self) -> Self:
        """Start it and wait until it listens.

        Raises:
            PlatformError: It does not; the message has kubectl's reason.
        """
        self._keeper.start()
        try:
            self._known.wait(_START_S)
        except BaseException:  # Interrupted: nobody will call __exit__.
            self._close()
            raise
        if not self._local:
            self._close()
            look = " ".join(self._release.kubectl("get", "pods", *self._arguments[1:3]))
            reason = self._words or f"kubectl said nothing for {_START_S} s"
            raise PlatformError(f"{self._service} cannot be reached: {reason}", f"See `{look}`")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self._close()

    def _close(self) -> None:
        self._closed.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
        self._keeper.join(_START_S)

    def _keep(self) -> None:
        while not self._closed.is_set():
            self._forward()
            if not self._local:
                break
            self._closed.wait(_PAUSE_S)
        self._known.set()

    def _forward(self) -> None:
        # Without a port of ours, kubectl takes a free one and says which.
        ports = f"{self._local or ''}:{self._remote}"
        command = self._release.kubectl(*self._arguments, self._service, ports)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - kubectl
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                # Ctrl-C is for this process, which may still have to read something.
                start_new_session=True,
            )
        except OSError as exc:
            self._words = str(exc)
            return
        if self._closed.is_set():
            self._process.terminate()
        self._listen(self._process)
        end(self._process)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        # To the end: kubectl prints a line per connection and would stop at a full pipe.
        for line in process.stdout or ():
            if found := _LISTENING.search(line):
                self._local = int(found[1])
                self._known.set()
            elif text := line.strip():
                self._words = text
