"""What holds for each image, and what is in which."""

import json
import re
import time
import tomllib

import httpx
import pytest

from tests.images.kit import ROOT, Image, docker

GB = 1_000_000_000
SECRET = re.compile(
    r"[A-Z_]*(PASSWORD|SECRET|TOKEN|CREDENTIAL|AUTH|API_KEY)[A-Z_]*=|://[^/\s]*:.*@"
)

# Prints each file of the named packages that has no bytecode, or such that is compared with its
# source in the given way: 1 by its time, 3 by its content, 0 not at all.
BYTECODE = """
import importlib.util, pathlib, sys
for name, allowed in zip(sys.argv[1::2], sys.argv[2::2]):
    folder = pathlib.Path(importlib.util.find_spec(name).origin).parent
    for path in folder.rglob("*.py"):
        cached = pathlib.Path(importlib.util.cache_from_source(str(path)))
        how = str(cached.read_bytes()[4]) if cached.exists() else "none"
        if how != allowed:
            print(path, how)
"""
UNCHECKED, BY_CONTENT = "1", "3"


def answer(container: str, port: int, path: str, timeout_s: float = 90) -> bytes:
    """Wait until a container answers on a port, and return what."""
    address = docker("port", container, f"{port}/tcp").splitlines()[0]
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            response = httpx.get(f"http://{address}{path}", timeout=10)
        except httpx.TransportError:
            assert time.monotonic() < deadline, docker("logs", container)
            time.sleep(0.5)
        else:
            response.raise_for_status()
            return response.content


def test_runs_as_a_user_by_number_who_owns_nothing(image: Image) -> None:
    assert image.config["User"] == "10001:10001"
    assert image.run("id", "-u") == "10001"
    # Not confined: a read-only root would hide that files are writable.
    find = "find /app /opt -writable -not -type l 2>/dev/null; true"
    assert docker("run", "--rm", image.tag, "sh", "-c", find) == ""


def test_ends_at_once_when_told_to(image: Image) -> None:
    # A shell with a child would not pass the signal on: tini signals the group.
    with image.running("sh", "-c", "sleep 300; true") as container:
        assert docker("exec", container, "cat", "/proc/1/comm") == "tini"
        begun = time.monotonic()
        docker("stop", "--time=20", container)

        assert time.monotonic() - begun < 10
        assert docker("inspect", "--format={{.State.ExitCode}}", container) == "143"


def test_holds_no_secret(image: Image) -> None:
    assert not SECRET.search(image.history())
    assert not SECRET.search("\n".join(image.config["Env"]))
    assert image.find("-name .env") == []


def test_is_not_larger_than_its_libraries_need(image: Image) -> None:
    # 0.3 GB of it are Delta tables and scikit-learn.
    assert image.size_bytes < 1.3 * GB


def test_has_no_installer(image: Image) -> None:
    assert image.python("import importlib.util as u; print(u.find_spec('pip'))") == "None"
    programs = image.run("ls", "/opt/venv/bin").split()
    assert "python" in programs
    assert [each for each in programs if re.fullmatch(r"pip.*|uvx?", each)] == []


def test_carries_the_labels(image: Image) -> None:
    labels = image.config["Labels"]

    for name in ("title", "description", "version", "licenses"):
        assert labels[f"org.opencontainers.image.{name}"]


def test_prefect_is_compiled_and_of_the_pinned_version(image: Image) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version = image.python("import prefect; print(prefect.__version__)")

    assert f"prefect=={version}" in project["dependencies"]
    assert image.run("python", "-c", BYTECODE, "prefect", UNCHECKED) == ""


@pytest.mark.parametrize("component", ["flows", "sources"])
def test_our_code_is_compiled_and_there_once(
    component: str, request: pytest.FixtureRequest
) -> None:
    image: Image = request.getfixturevalue(component)

    assert image.run("python", "-c", BYTECODE, "airnub_prefect_starter", BY_CONTENT) == ""
    assert image.find("-name __main__.py -path '*airnub_prefect_starter/__main__.py'") == [
        "/app/src/airnub_prefect_starter/__main__.py"
    ]


def test_the_platform_image_has_no_code_of_ours_nor_what_only_flows_need(platform: Image) -> None:
    find = "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])"

    found = platform.run(
        *("python", "-c", find, "airnub_prefect_starter", "flows", "pandas", "pyarrow", "boto3"),
        *("prefect_kubernetes", "asyncpg"),
    )
    assert found == "['prefect_kubernetes', 'asyncpg']"


def test_the_flows_image_holds_the_project_and_no_more(flows: Image) -> None:
    assert flows.run("ls", "-A", "/app").split() == [
        *("LICENSE", "configs", "flows", "pyproject.toml", "scripts", "src")
    ]
    assert flows.run("airnub", "config", "check").endswith("in order")
    assert "boto3" in flows.run(
        "python", "-c", "import boto3, pandas, minio; print(boto3.__name__)"
    )


def test_what_runs_load_by_path_is_what_is_imported(flows: Image) -> None:
    module = "flows.dept_project_alpha.ingestion_flow_dept_project_alpha"
    code = f"import {module} as flow; print(flow.__file__, flow.__cached__)"

    assert flows.python(code).split() == [
        "/app/flows/dept_project_alpha/ingestion_flow_dept_project_alpha.py",
        "/app/flows/dept_project_alpha/__pycache__/"
        "ingestion_flow_dept_project_alpha.cpython-313.pyc",
    ]
    assert flows.run("python", "-c", BYTECODE, "flows", BY_CONTENT) == ""


def test_prefect_finds_our_block_in_the_flows_image(flows: Image) -> None:
    code = """
import prefect.plugins
from prefect.utilities.dispatch import get_registry_for_type
from prefect.blocks.core import Block
prefect.plugins.load_prefect_collections()
print("content-store" in get_registry_for_type(Block))
"""
    assert flows.python(code) == "True"


def test_the_server_serves_api_and_ui_from_a_read_only_root(platform: Image) -> None:
    command = ("prefect", "server", "start", "--host", "0.0.0.0", "--port", "4200")  # noqa: S104
    options = ("--publish=127.0.0.1::4200", "--env=PREFECT_SERVER_UI_STATIC_DIRECTORY=/tmp/ui")
    with platform.running(*command, options=options) as container:
        assert json.loads(answer(container, 4200, "/api/ready")) == {"message": "OK"}
        page = answer(container, 4200, "/").decode()
        script = re.search(r'src="(/[^"]+\.js)"', page)

        assert script
        assert len(answer(container, 4200, script[1])) > 1000


def test_the_platform_image_sets_nothing_of_the_server(platform: Image) -> None:
    """A worker would pass it on to every Job."""
    assert platform.python("import os; print([n for n in os.environ if 'SERVER' in n])") == "[]"


def test_the_sources_serve_the_sample_data(sources: Image) -> None:
    with sources.running(options=("--publish=127.0.0.1::8080",)) as container:
        body = answer(container, 8080, "/files/airlines.csv")

    assert body.startswith(b"carrier,name")
