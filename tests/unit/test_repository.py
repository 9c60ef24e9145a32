"""Guards of the repository as a whole: conventions that nothing else would notice being broken."""

import ast
import importlib
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from airnub_prefect_starter.common.names import Stage
from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.control.category_configs import load_variables
from airnub_prefect_starter.control.render import render_files
from airnub_prefect_starter.core.departments import load_catalog

ROOT = Path(__file__).parents[2]
SETTINGS = load_settings(
    {
        "AIRNUB_PROJECT_ROOT": str(ROOT),
        "SOURCES_URL": "http://sources.example",
        "SOURCES_DATABASE_URL": "postgresql://reader@sources.example/sources",
        "WAREHOUSE_URL": "none",
    }
)
CATALOG = load_catalog(SETTINGS)


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("these guards are about what git tracks", allow_module_level=True)
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_every_yaml_file_of_every_category_fits_its_model() -> None:
    variables = load_variables(CATALOG, SETTINGS)

    assert len(variables) == len(CATALOG.stages)


def test_every_flow_file_of_the_departments_exists_and_there_is_no_other() -> None:
    expected = {ROOT / stage.flow_file for stage in CATALOG.stages}
    expected |= {ROOT / category.flow_file for category in CATALOG.categories}
    found = {path for path in tracked("flows/dept_*/*.py") if "_flow_dept_" in path.name}

    assert found == expected


def test_every_category_has_a_model_and_values_and_there_are_no_others() -> None:
    expected = {ROOT / category.config_file for category in CATALOG.categories}

    assert set(tracked("configs/variables/*.yaml")) == expected
    assert all((ROOT / category.config_model_file).is_file() for category in CATALOG.categories)


def test_generated_files_are_fresh() -> None:
    for path, text in render_files(CATALOG).items():
        assert (ROOT / path).read_text() == text, f"{path}: run `airnub render`"


@pytest.mark.parametrize("path", tracked("flows/*.py"), ids=lambda p: str(p.relative_to(ROOT)))
def test_flows_never_catch(path: Path) -> None:
    tree = ast.parse(path.read_text())

    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Try | ast.TryStar)]


# Prefect and Pydantic read annotations at run time there.
@pytest.mark.parametrize(
    "path",
    tracked("flows/*.py", "src/airnub_prefect_starter/tasks/*.py"),
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_annotations_of_flows_and_tasks_are_evaluated(path: Path) -> None:
    assert "from __future__ import annotations" not in path.read_text()


def test_the_departments_names_in_code_are_those_of_the_mapping() -> None:
    for entry in CATALOG.entries.values():
        package = importlib.import_module(f"flows.{entry.name.package}")

        assert entry.name == package.DEPARTMENT


FORBIDDEN = {
    "address of a package index": re.compile(
        r"--(extra-)?index-url|--find-links|https?://[^\s\"')]+/simple\b"
    ),
    "path of one machine": re.compile(r"(?<![\w.$}/])/(root|Users|home)/\w"),
    "merge mark": re.compile(r"^(<{7}|>{7}) ", re.MULTILINE),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds_what_belongs_to_one_machine(what: str) -> None:
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in tracked()
        if path.suffix not in {".png", ".ico"} and path != Path(__file__)
    }

    assert [path for path, text in texts.items() if FORBIDDEN[what].search(text)] == []


def test_every_requirement_in_the_locks_has_a_hash() -> None:
    for lock in tracked("requirements/*.lock", "requirements/*.lock.txt"):
        requirements = re.findall(
            r"^[a-z0-9].*?==.*?(?=^[a-z0-9]|\Z)", lock.read_text(), re.MULTILINE | re.DOTALL
        )

        assert requirements
        assert all("--hash=sha256:" in each for each in requirements), lock


def test_the_hooks_run_what_make_check_runs() -> None:
    recipe = (ROOT / "Makefile").read_text().split("\ncheck:")[1].split("\n\n")[0]
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    entries = [hook["entry"].removeprefix(".venv/bin/") for hook in config["repos"][0]["hooks"]]
    commands = [line.split("$(BIN)/")[1] for line in recipe.splitlines() if "$(BIN)/" in line]

    assert [each.split(" --check")[0].removesuffix(" .") for each in commands] == [
        each.split(" --check")[0] for each in entries
    ]


# Prefect takes a second to import: tests/integration does the same for what needs it.
PLAIN = ("common", "core", "data_science", "demo", "scaffold", "cli")


@pytest.mark.parametrize("package", PLAIN)
def test_every_module_imports(package: str) -> None:
    folder = ROOT / "src" / "airnub_prefect_starter"
    for path in tracked(f"src/airnub_prefect_starter/{package}/*.py"):
        if path.name != "__main__.py":
            name = path.relative_to(folder).with_suffix("").as_posix().replace("/", ".")
            importlib.import_module(f"airnub_prefect_starter.{name.removesuffix('.__init__')}")


def _subflow_names(path: Path) -> list[str]:
    """Read the keys of the mapping that a stage flow gives to `run_together`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "run_together":
            mapping = node.args[1]
            assert isinstance(mapping, ast.Dict)
            return [str(key.value) for key in mapping.keys if isinstance(key, ast.Constant)]
    return []


@pytest.mark.parametrize("stage", CATALOG.stages, ids=lambda stage: stage.deployment)
def test_a_stage_flow_runs_every_category_of_its_department_file(stage: Stage) -> None:
    entry = CATALOG.department(stage.department.id)

    assert _subflow_names(ROOT / stage.flow_file) == [
        category.id for category in entry.categories(stage.id)
    ]
