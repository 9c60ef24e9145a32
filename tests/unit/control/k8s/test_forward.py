from __future__ import annotations

import time

import pytest

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.k8s.forward import PortForward
from airnub_prefect_starter.control.k8s.release import Release
from tests.unit.control.k8s.fake_tools import FakeTools

LISTENING = "echo 'Forwarding from 127.0.0.1:4242 -> 4200'"
RELEASE = Release(context="work")


def forward() -> PortForward:
    return PortForward(RELEASE, "airnub", "airnub-server", 4200)


def test_kubectl_chooses_the_port(tools: FakeTools) -> None:
    tools.does("kubectl", "port-forward", f"{LISTENING}; exec /bin/sleep 60")
    begun = time.monotonic()

    with forward() as port:
        assert port.address == "127.0.0.1:4242"

    assert time.monotonic() - begun < 5
    assert tools.calls == [
        "kubectl --context work port-forward --namespace airnub --address 127.0.0.1"
        " service/airnub-server :4200"
    ]


def test_it_comes_back_on_the_same_port(tools: FakeTools) -> None:
    tools.does("kubectl", "port-forward", f"{LISTENING}; echo 'error: lost connection to pod'")
    deadline = time.monotonic() + 20

    with forward() as port:
        while len(tools.calls) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert port.address == "127.0.0.1:4242"

    assert tools.calls[1].endswith("service/airnub-server 4242:4200")


def test_what_kubectl_prints_does_not_block_it(tools: FakeTools) -> None:
    many = "i=0; while [ $i -lt 5000 ]; do echo 'Handling connection for 4242'; i=$((i+1)); done"
    tools.does("kubectl", "port-forward", f"{LISTENING}; {many}; : > printed; exec /bin/sleep 60")
    deadline = time.monotonic() + 20

    with forward():
        while not (tools.folder / "printed").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_why_it_cannot_be_reached_is_told(tools: FakeTools) -> None:
    tools.fails("kubectl", "port-forward", "Error: services 'airnub-server' not found")

    with pytest.raises(PlatformError, match="cannot be reached: Error: services") as caught:
        forward().__enter__()

    assert caught.value.remedy == "See `kubectl --context work get pods --namespace airnub`"
    assert len(tools.calls) == 1


def test_without_kubectl(tools: FakeTools) -> None:
    (tools.folder / "kubectl").unlink()

    with pytest.raises(PlatformError, match="No such file"):
        forward().__enter__()
