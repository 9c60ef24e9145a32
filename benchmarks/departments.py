"""What 200 departments cost: rendering, checking, the first bootstrap and the plan after it.

For each number of departments a project is made (three stages of five categories each, copies of
what `airnub add` generated for Project Beta, without its seconds of formatting), a server with an
empty database is started, and every command runs in a process of its own: wall and CPU seconds, and
the most memory that it or one of its children held. With ``helm`` on the PATH also the chart: how
long it takes to render, and how large the release is that Helm keeps in a Secret.

Run it on a quiet Linux machine: ``python benchmarks/departments.py [--departments 20 100 200]``.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from airnub_prefect_starter.common.identifiers import title
from airnub_prefect_starter.common.names import Category, Department, Stage
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.environment import Layout, PlatformState, child_environment
from airnub_prefect_starter.control.probes import free_port, is_ready
from airnub_prefect_starter.control.processes import ManagedProcess
from benchmarks.measuring import machine

ROOT = Path(__file__).parents[1]
SAMPLE = Department("project_beta", "Project Beta").stage("ingestion")
SAMPLE_CATEGORY = SAMPLE.category("reference_files", "download_reference_files")
STAGES = ("ingestion", "processing", "analysis")
CATEGORIES = ("airports", "carriers", "planes", "routes", "weather")
COMMANDS = {
    "airnub render": ["render"],
    "airnub config check": ["config", "check"],
    "airnub bootstrap, the first": ["bootstrap"],
    "airnub bootstrap --check": ["bootstrap", "--check"],
    "airnub deploy plan": ["deploy", "plan"],
}
BAR_S = 10
SECRET_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--departments", type=int, nargs="+", default=[20, 100, 200])
    counts = parser.parse_args().departments
    print(machine(Path(tempfile.gettempdir())), flush=True)
    costs = {count: measure(count) for count in counts}
    show(costs)
    return 0


def measure(count: int) -> dict[str, Cost]:
    """Measure everything for a number of departments."""
    with tempfile.TemporaryDirectory(prefix="departments-") as folder:
        project = Path(folder) / "project"
        make_project(project, count)
        with running(project) as environ:
            costs = {name: cost_of(arguments, environ) for name, arguments in COMMANDS.items()}
        for name, cost in costs.items():
            print(f"{count} departments: {name}: {cost}", file=sys.stderr)
        show_chart(project, count)
    return costs


def cost_of(arguments: list[str], environ: Mapping[str, str]) -> Cost:
    """Run a command of airnub in a process of its own; stop if it fails."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "airnub_prefect_starter", *arguments],
        env=dict(environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"airnub {' '.join(arguments)} ended with {process.returncode}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


@contextmanager
def running(project: Path) -> Iterator[dict[str, str]]:
    """Start a server with a new database; give the environment that leads to it."""
    home = project / ".airnub"
    state = PlatformState(free_port(), sources_port=free_port())
    settings = Settings(
        project_root=project,
        home=home,
        store_url=(project / "store").as_uri(),
        environment=dict(os.environ),
    )
    environ = child_environment(settings, state)
    process = ManagedProcess("server", Layout(home))
    command = ["server", "start", "--host", "127.0.0.1", "--port", str(state.port)]
    process.start([sys.executable, "-m", "prefect", *command], environ, project)
    try:
        while not is_ready(state.port):
            if process.pid is None:
                raise SystemExit("\n".join(process.tail(20)))
            time.sleep(0.1)
        yield environ
    finally:
        process.stop()


def make_project(root: Path, count: int) -> None:
    """Write a project of that many departments."""
    departments = [Department(f"number_{each:03}", f"Number {each:03}") for each in range(count)]
    names = {each.id: each.display_name for each in departments}
    _write(root / "configs" / "department_mapping.yaml", yaml.safe_dump(names))
    _write(root / "flows" / "__init__.py", "")
    for department in departments:
        _make_department(root, department)


def _make_department(root: Path, department: Department) -> None:
    stages: dict[str, object] = {
        name: {"categories": {each: {} for each in CATEGORIES}} for name in STAGES
    }
    _write(
        root / "configs" / "departments" / f"{department.id}.yaml",
        yaml.safe_dump({"owners": [f"@airnub/{department.id}"], "stages": stages}),
    )
    _copy(root, f"flows/{SAMPLE.department.package}/__init__.py", department.stage(STAGES[0]))
    for name in STAGES:
        stage = department.stage(name)
        for category in CATEGORIES:
            _make_category(root, stage.category(category))
        _make_stage(root, stage)


def _make_category(root: Path, category: Category) -> None:
    files = [
        *(ROOT / SAMPLE_CATEGORY.folder).rglob("*.py"),
        ROOT / SAMPLE_CATEGORY.config_file,
    ]
    for file in files:
        _copy(root, str(file.relative_to(ROOT)), category)


def _copy(root: Path, path: str, target: Stage | Category) -> None:
    text = (ROOT / path).read_text()
    _write(root / _renamed(path, target), _renamed(text, target))


def _renamed(text: str, target: Stage | Category) -> str:
    stage = target if isinstance(target, Stage) else target.stage
    names = {
        SAMPLE.department.id: stage.department.id,
        SAMPLE.department.display_name: stage.department.display_name,
        SAMPLE.id: stage.id,
        title(SAMPLE.id): title(stage.id),
    }
    if isinstance(target, Category):
        names = {
            f', "{SAMPLE_CATEGORY.flow_stem}"': "",
            SAMPLE_CATEGORY.flow_stem: target.flow_stem,
            SAMPLE_CATEGORY.config_class: target.config_class,
            SAMPLE_CATEGORY.id: target.id,
            **names,
        }
    for old, new in names.items():
        text = text.replace(old, new)
    return text


STAGE_FLOW = '''\
import datetime as dt

from prefect import flow

from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.tasks.artifacts import publish_stage
from airnub_prefect_starter.tasks.configuration import stage_config
from airnub_prefect_starter.tasks.fan_out import Subflow, run_together
from flows.{package} import DEPARTMENT
from flows.{package}.{stage}.config import {config}
{imports}

STAGE = DEPARTMENT.stage("{stage}")


@flow(name=STAGE.flow_name)
def {function}(
    config: {config} | None = None, date: dt.date | None = None
) -> list[list[SourceResult]]:
    """Run all categories concurrently; a failed source fails the run, good ones are kept."""
    config = stage_config(STAGE, {config}, config, date)
    outcomes = run_together(STAGE, {{{subflows}}})
    publish_stage(STAGE, outcomes)
    return outcomes.require_all()
'''


def _make_stage(root: Path, stage: Stage) -> None:
    categories = [stage.category(each) for each in CATEGORIES]
    config = f"{title(stage.id)}Config"
    folder = root / "flows" / stage.department.package / stage.id
    _write(folder / "__init__.py", "")
    imports = [
        f"from {each.config_model_file.with_suffix('').as_posix().replace('/', '.')} "
        f"import {each.config_class}\n"
        for each in categories
    ]
    fields = [f"    {each.id}: {each.config_class}\n" for each in categories]
    base = "from airnub_prefect_starter.core.configuration import ConfigModel\n"
    text = f"{base}{''.join(imports)}\n\nclass {config}(ConfigModel):\n{''.join(fields)}"
    _write(folder / "config.py", text)
    _write(
        root / stage.flow_file,
        STAGE_FLOW.format(
            package=stage.department.package,
            stage=stage.id,
            config=config,
            function=stage.flow_function,
            imports="\n".join(f"from {c.module} import {c.flow_function}" for c in categories),
            subflows=", ".join(
                f'"{c.id}": Subflow({c.flow_function}, config.{c.id})' for c in categories
            ),
        ),
    )


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def show_chart(project: Path, count: int) -> None:
    """Print what the chart with these departments takes, where helm is."""
    if shutil.which("helm") is None:
        return
    chart = project / "chart"
    shutil.copytree(ROOT / "helm" / "airnub-prefect", chart)
    shutil.copytree(project / "helm" / "airnub-prefect", chart, dirs_exist_ok=True)
    values = ["--values", str(chart / "values-staging.yaml"), "--set", "tests.run=false"]
    begun = time.perf_counter()
    done = subprocess.run(
        ["helm", "template", "airnub", str(chart), *values],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    wall = time.perf_counter() - begun
    files = {
        str(file.relative_to(chart)): base64.b64encode(file.read_bytes()).decode()
        for file in chart.rglob("*")
        if file.is_file()
    }
    # As Helm does: the chart, its files in base64, and the manifest as JSON, gzipped, in base64.
    release = json.dumps({"chart": files, "manifest": done.stdout}).encode()
    stored = len(base64.b64encode(gzip.compress(release, 9)))
    print(
        f"{count} departments: helm template {wall:.1f} s, {len(done.stdout) / 1e6:.1f} MB, "
        f"release {stored / 1024:.0f} KiB of {SECRET_LIMIT // 1024}",
        flush=True,
    )


def show(costs: Mapping[int, Mapping[str, Cost]]) -> None:
    """Print the table as Markdown."""
    columns = "".join(f" {count}: wall s | CPU s | peak MiB |" for count in costs)
    print(f"| |{columns}")
    print(f"| --- |{' ---: | ---: | ---: |' * len(costs)}")
    for name in COMMANDS:
        cells = [
            f" {each[name].wall_s:.1f} | {each[name].cpu_s:.1f} | {each[name].peak_mib:.0f} |"
            for each in costs.values()
        ]
        print(f"| `{name}` |{''.join(cells)}")


if __name__ == "__main__":
    sys.exit(main())
