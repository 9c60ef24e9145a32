"""The kept schemas of flows: right after every change that matters, and found only once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ConfigError, PlatformError
from airnub_prefect_starter.control import parameter_schemas as module
from airnub_prefect_starter.control.desired import DeploymentSpec
from airnub_prefect_starter.control.parameter_schemas import Found, parameter_schemas

DEPARTMENTS = ("alpha", "beta", "gamma")

FLOW = """
from prefect import flow
from flows.dept_{0}.config import Config

with open("{1}", "a") as log:
    log.write("{0} ")

@flow(name="Ingestion Flow ({0})")
def ingestion(config: Config | None = None) -> None:
    pass
"""
CONFIG = """
from flows import SHARED
from pydantic import BaseModel

class Config(BaseModel):
    count: int = SHARED
"""


class Project:
    """Departments whose flows write a line when they are loaded."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = root / "cache"
        self.log = root / "log"
        self.write("package/core.py", "")
        self.write("flows/__init__.py", "SHARED = 1\n")
        for name in DEPARTMENTS:
            self.write(f"flows/dept_{name}/__init__.py", "")
            self.write(f"flows/dept_{name}/config.py", CONFIG)
            self.write(f"flows/dept_{name}/ingestion.py", FLOW.format(name, self.log))

    def write(self, name: str, text: str) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def specs(self) -> list[DeploymentSpec]:
        return [
            DeploymentSpec(
                name=f"{name}.ingestion",
                flow_name=f"Ingestion Flow ({name})",
                entrypoint=f"flows/dept_{name}/ingestion.py:ingestion",
                path=self.root,
                pool="airnub",
            )
            for name in DEPARTMENTS
        ]

    def find(self, specs: Iterable[DeploymentSpec] | None = None) -> list[Found]:
        self.log.write_text("")
        wanted = list(specs or self.specs())
        found = parameter_schemas(wanted, self.cache)
        return [found[spec.key] for spec in wanted]

    @property
    def loaded(self) -> list[str]:
        return sorted(self.log.read_text().split())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    # Each load in a process of its own: these projects all have a package called flows.
    monkeypatch.setattr(module, "_FEW", 0)
    # Somebody may edit the real one meanwhile.
    monkeypatch.setattr(module, "_PACKAGE", tmp_path / "package")
    return Project(tmp_path)


def default_of(found: Found) -> object:
    assert isinstance(found, dict)
    return found["definitions"]["Config"]["properties"]["count"]["default"]


def test_a_flow_is_loaded_once(project: Project) -> None:
    first = project.find()
    loaded = project.loaded
    second = project.find()

    assert loaded == list(DEPARTMENTS)
    assert project.loaded == []
    assert second == first
    assert [default_of(each) for each in first] == [1, 1, 1]


def test_a_department_that_changed_is_loaded_again_alone(project: Project) -> None:
    project.find()
    project.write("flows/dept_beta/config.py", CONFIG.replace("= SHARED", "= SHARED + 1"))

    found = project.find()

    assert project.loaded == ["beta"]
    assert [default_of(each) for each in found] == [1, 2, 1]


def test_what_all_import_loads_all_again(project: Project) -> None:
    project.find()
    project.write("flows/__init__.py", "SHARED = 5\n")

    assert [default_of(each) for each in project.find()] == [5, 5, 5]
    assert project.loaded == list(DEPARTMENTS)


@pytest.mark.parametrize("name", ["package/core.py", "package/tasks/new.py", "flows/new.py"])
def test_an_edit_of_shared_code_loads_all_again(project: Project, name: str) -> None:
    project.find()
    project.write(name, "ANSWER = 42\n")

    project.find()

    assert project.loaded == list(DEPARTMENTS)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"digest": "other", "schemas": {}}'])
def test_a_damaged_file_is_written_again(project: Project, text: str) -> None:
    first = project.find()
    (project.cache / "flows-dept_beta.json").write_text(text)

    assert project.find() == first
    assert project.loaded == ["beta"]
    assert project.find() == first
    assert project.loaded == []


def test_a_flow_that_cannot_be_loaded_is_told_each_time_and_stops_no_other(
    project: Project,
) -> None:
    project.write("flows/dept_beta/config.py", "import no_such_module_anywhere\n")

    for _ in range(2):
        alpha, beta, gamma = project.find()

        assert isinstance(beta, ConfigError)
        assert "flows/dept_beta/ingestion.py:ingestion: ModuleNotFoundError" in beta.message
        assert (default_of(alpha), default_of(gamma)) == (1, 1)


def test_another_name_of_a_kept_flow_is_noticed(project: Project) -> None:
    project.find()
    (alpha, *_) = project.specs()
    renamed = DeploymentSpec(**{**vars(alpha), "flow_name": "Other Flow (alpha)"})

    (found,) = project.find([renamed])

    assert isinstance(found, ConfigError)
    assert "not 'Other Flow (alpha)'" in found.message


def test_a_disk_that_cannot_be_written_costs_only_time(project: Project) -> None:
    project.cache.write_text("a file where the folder should be")

    assert project.find() == project.find()
    assert project.loaded == list(DEPARTMENTS)


def test_beside_other_threads_even_a_few_are_loaded_in_another_process(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FEW", 40)
    project.write("flows/__init__.py", "import os\n\nSHARED = os.getpid()\n")

    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(project.find).result()
        again = threads.submit(project.find).result()

    assert os.getpid() not in [default_of(each) for each in found]
    assert again == found


def test_a_process_that_is_ended_is_told(project: Project) -> None:
    project.write("flows/dept_beta/config.py", "import os\nos._exit(9)\n")

    with pytest.raises(PlatformError, match="ended from outside"):
        project.find()
