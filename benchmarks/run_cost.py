"""What one task run costs in CPU: Prefect's default server settings against ours.

Two servers run side by side, each with a home of its own. In every round each of them gets one flow
run of N empty tasks, by turns; the server's CPU is read from ``/proc`` before and after, until it
has gone idle again, and its idle cost over that time is taken off. The client's CPU is that of its
process less that of a run without tasks. The table has the medians of the rounds.

Run it on a quiet Linux machine: ``python benchmarks/run_cost.py [--tasks 200] [--rounds 3]``.
"""

from __future__ import annotations

import argparse
import http.client
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.environment import (
    RUN_ENVIRONMENT,
    Layout,
    PlatformState,
    child_environment,
)
from airnub_prefect_starter.control.probes import free_port, is_ready
from airnub_prefect_starter.control.processes import ManagedProcess

FLOW = """
import sys
from prefect import flow, task

@task
def nothing(number: int) -> int:
    return number

@flow
def many(count: int) -> None:
    for number in range(count):
        nothing(number)

many(int(sys.argv[1]))
"""
BAR_MS = 12.0
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_IDLE_S = 6.0
_WINDOW_S = 2.0
_MAX_DRAIN_S = 60.0


@dataclass
class Server:
    """A server that is measured; ``expected`` counts the task runs that it must know of."""

    name: str
    pid: int
    port: int
    environ: Mapping[str, str]
    expected: int = 0


@dataclass(frozen=True)
class Cost:
    """CPU per task run, in milliseconds."""

    server_ms: float
    client_ms: float


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", type=int, default=200, help="task runs per round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="run-cost-") as folder, ExitStack() as stack:
        servers = [
            stack.enter_context(running(name, Path(folder) / name)) for name in ("default", "ours")
        ]
        costs = measure(servers, options.tasks, options.rounds)
    show(costs, options.tasks, load)
    return 0


@contextmanager
def running(name: str, home: Path) -> Iterator[Server]:
    """Start a server with a new database, warm it up, and end it afterwards."""
    state = PlatformState(free_port())
    environ = environment(name, home, state)
    process = ManagedProcess("server", Layout(home))
    command = ["server", "start", "--host", "127.0.0.1", "--port", str(state.port)]
    process.start([sys.executable, "-m", "prefect", *command], environ, home.parent)
    try:
        while not is_ready(state.port):
            if process.pid is None:
                raise SystemExit("\n".join(process.tail(20)))
            time.sleep(0.1)
        server = Server(name, process.pid or 0, state.port, environ)
        cost_of_run(server, 10)
        yield server
    finally:
        process.stop()


def environment(name: str, home: Path, state: PlatformState) -> dict[str, str]:
    """Give ours, or what a server gets whose settings nobody has touched."""
    settings = Settings(
        project_root=home, home=home, store_url=home.as_uri(), environment=dict(os.environ)
    )
    environ = {**child_environment(settings, state), **RUN_ENVIRONMENT}
    if name == "ours":
        return environ
    untouched = ("PREFECT_SERVER_", "PREFECT_RESULTS_", "PREFECT_LOGGING_")
    kept = {key: value for key, value in environ.items() if not key.startswith(untouched)}
    return {**kept, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


def measure(servers: list[Server], tasks: int, rounds: int) -> dict[str, list[Cost]]:
    """Measure the servers by turns."""
    costs: dict[str, list[Cost]] = {server.name: [] for server in servers}
    for number in range(1, rounds + 1):
        for server in servers:
            cost = measure_once(server, tasks)
            costs[server.name].append(cost)
            print(
                f"round {number} {server.name}: server {cost.server_ms:.1f} ms, "
                f"client {cost.client_ms:.1f} ms per task run",
                file=sys.stderr,
            )
    return costs


def measure_once(server: Server, tasks: int) -> Cost:
    """Run the flow without tasks, then with them."""
    empty_server, empty_client = cost_of_run(server, 0)
    full_server, full_client = cost_of_run(server, tasks)
    return Cost(
        server_ms=1000 * (full_server - empty_server) / tasks,
        client_ms=1000 * (full_client - empty_client) / tasks,
    )


def cost_of_run(server: Server, tasks: int) -> tuple[float, float]:
    """Give the CPU seconds of the server, above its idle cost, and of the client."""
    idle = idle_rate(server)
    begun, before = time.monotonic(), cpu_s(server)
    client = run_client(server, tasks)
    drain(server, idle)
    server.expected += tasks
    require_recorded(server)
    return cpu_s(server) - before - idle * (time.monotonic() - begun), client


def require_recorded(server: Server) -> None:
    """Stop unless every task run was recorded: what is dropped costs nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/api/task_runs/count", "{}", {"Content-Type": "application/json"})
    recorded = int(connection.getresponse().read())
    connection.close()
    if recorded != server.expected:
        raise SystemExit(f"{server.name}: {recorded} of {server.expected} task runs were recorded")


def run_client(server: Server, tasks: int) -> float:
    """Run the flow in a process of its own; give its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", FLOW, str(tasks)],
        env=dict(server.environ),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def idle_rate(server: Server) -> float:
    """Give the CPU seconds per second of a server that does nothing."""
    begun, before = time.monotonic(), cpu_s(server)
    time.sleep(_IDLE_S)
    return (cpu_s(server) - before) / (time.monotonic() - begun)


def drain(server: Server, idle: float) -> None:
    """Wait until a server has written what it was told: two quiet windows one after the other."""
    quiet = 0
    deadline = time.monotonic() + _MAX_DRAIN_S
    while quiet < 2 and time.monotonic() < deadline:
        before = cpu_s(server)
        time.sleep(_WINDOW_S)
        spent = (cpu_s(server) - before) / _WINDOW_S
        quiet = quiet + 1 if spent < 2 * idle + 0.02 else 0


def cpu_s(server: Server) -> float:
    """Give the CPU seconds of a server's session so far (proc(5): fields 6, 14 and 15)."""
    total = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == server.pid:
            total += int(fields[11]) + int(fields[12])
    return total * _TICK_S


def show(costs: Mapping[str, list[Cost]], tasks: int, load: float) -> None:
    """Print the medians as Markdown."""
    server = {name: statistics.median(c.server_ms for c in each) for name, each in costs.items()}
    client = {name: statistics.median(c.client_ms for c in each) for name, each in costs.items()}
    rounds = len(costs["ours"])
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs of {machine()}, Python "
        f"{platform.python_version()}, load before {load:.1f}; {rounds} rounds of {tasks} tasks\n"
    )
    print("| CPU per task run | default | ours | ratio | bar |")
    print("| --- | ---: | ---: | ---: | --- |")
    for name, found, bar in (("server", server, f"≤ {BAR_MS:.0f} ms"), ("client", client, "")):
        default, ours = found["default"], found["ours"]
        print(f"| {name} | {default:.1f} ms | {ours:.1f} ms | {ours / default:.2f} | {bar} |")


def machine() -> str:
    """Name the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
