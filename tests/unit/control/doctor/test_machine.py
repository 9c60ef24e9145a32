from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.doctor import machine
from airnub_prefect_starter.control.doctor.context import Thresholds
from airnub_prefect_starter.control.doctor.findings import Check, Finding, examine, ok
from airnub_prefect_starter.control.environment import Layout, PlatformState, write_state
from airnub_prefect_starter.control.render import render_files
from airnub_prefect_starter.core.departments import load_catalog
from tests.project_kit import project_settings
from tests.unit.control.doctor.kit import FakeApi, context_of


def asked(settings: Settings, look: str, thresholds: Thresholds | None = None) -> Finding:
    context = context_of(settings, thresholds=thresholds)
    return examine([Check("it", getattr(machine, look))], context).findings["it"]


def test_processes_that_were_never_started(settings: Settings) -> None:
    found = asked(settings, "processes")

    assert (found.state, found.fixes) == ("fail", ("start it",))
    assert found.what == "server does not run; worker does not run"


def test_a_record_whose_process_is_gone(settings: Settings) -> None:
    layout = Layout(settings.home)
    layout.processes.mkdir(parents=True)
    record = {"pid": 1, "started": "of another boot", "environment": ""}
    (layout.processes / "worker.json").write_text(json.dumps(record))

    what = asked(settings, "processes").what

    assert f"worker has ended by itself (see {layout.logs}/worker.log)" in what


def test_no_port_is_taken_before_the_first_start(settings: Settings) -> None:
    assert asked(settings, "port") == ok("none is taken yet")


def test_a_port_that_somebody_else_has_taken(settings: Settings) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        write_state(Layout(settings.home), PlatformState(port))
        taken = asked(settings, "port")

    assert (taken.state, taken.what) == ("warn", f"{port} is another process's now")
    assert asked(settings, "port") == ok(f"{port}")


def sources_at(settings: Settings, url: str) -> Finding:
    return asked(project_settings(settings.project_root, SOURCES_URL=url), "sources")


def test_sources(settings: Settings, api: FakeApi) -> None:
    address = api.url.removesuffix("/api")
    api.manners.status["GET /broken"] = 503

    assert sources_at(settings, address) == ok(address)
    assert sources_at(settings, f"{address}/broken").what == f"{address}/broken answers 503"
    refused = sources_at(settings, "http://127.0.0.1:9")
    assert (refused.state, refused.fixes) == ("fail", ("airnub up   # or correct SOURCES_URL",))
    assert sources_at(settings, "").state == "ok"


@pytest.mark.parametrize(
    ("nearly_full", "full", "state"), [(2, 2, "ok"), (0, 2, "warn"), (0, 0, "fail")]
)
def test_disks(settings: Settings, nearly_full: float, full: float, state: str) -> None:
    found = asked(settings, "disk", Thresholds(nearly_full=nearly_full, full=full))

    assert found.state == state
    assert f"free in {settings.project_root}" in found.what
    assert bool(found.fixes) == (state != "ok")


def test_generated_files(settings: Settings) -> None:
    files = render_files(load_catalog(settings))
    for path, text in files.items():
        file = settings.project_root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    assert asked(settings, "rendered") == ok(f"{len(files)} up to date")

    Path(settings.project_root, "prefect.k8s.yaml").write_text("# edited\n")
    Path(settings.project_root, "prefect.local.yaml").unlink()

    found = asked(settings, "rendered")
    assert (found.state, found.fixes) == ("fail", ("airnub render",))
    assert found.what == "stale: prefect.local.yaml; prefect.k8s.yaml"
