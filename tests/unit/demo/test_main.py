from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys

import pytest
import requests

from airnub_prefect_starter.common.errors import ConfigError, PortInUseError
from airnub_prefect_starter.demo.__main__ import main

COMMAND = [sys.executable, "-m", "airnub_prefect_starter.demo"]


def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env={**os.environ, "SOURCES_TOKEN": "s"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    found = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", said)
    assert found, said
    return process, found[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serves_until_a_signal_comes(number: signal.Signals) -> None:
    process, _ = start()
    process.send_signal(number)
    said, log = process.communicate(timeout=20)
    assert (process.returncode, said, log) == (0, "", "")


def test_options_token_and_access_log(session: requests.Session) -> None:
    process, url = start("--break", "/files/weather.csv", "--verbose")
    token = {"Authorization": "Bearer s"}
    assert session.get(f"{url}/files/weather.csv").status_code == 503
    assert session.head(f"{url}/private/api/delays", headers=token).status_code == 200
    process.terminate()
    _, log = process.communicate(timeout=20)
    assert re.findall(r'"(\w+ \S+) HTTP/1.1" (\d+)', log) == [
        ("GET /files/weather.csv", "503"),
        ("HEAD /private/api/delays", "200"),
    ]
    assert len(log.splitlines()) == 2
    assert "Bearer" not in log


def test_port_in_use_is_one_line_and_its_own_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code = main(["--port", str(taken.getsockname()[1])])
    assert code == PortInUseError.exit_code
    assert re.fullmatch(r"error: Port \d+ on 127\.0\.0\.1 is taken\. .+\n", capsys.readouterr().err)


def test_wrong_host_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--host", "192.0.2.1"]) == ConfigError.exit_code
    assert "Cannot listen on 192.0.2.1" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_impossible_port_is_a_usage_error(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([f"--port={port}"])
    assert ended.value.code == 2
    assert "--port" in capsys.readouterr().err
