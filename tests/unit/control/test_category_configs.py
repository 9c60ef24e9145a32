from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.category_configs import (
    changed_config,
    config_model,
    load_section,
    load_variables,
)
from airnub_prefect_starter.core.departments import Catalog, load_catalog
from airnub_prefect_starter.core.variables import SPLIT_MARK
from tests.project_kit import MODEL, VALUES, make_project, own_flows, project_settings


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    with own_flows():
        yield make_project(tmp_path)


def _settings(root: Path) -> Settings:
    return project_settings(root, SOURCES_URL="http://s", SAMPLE_TOKEN="t")  # noqa: S106


def _catalog(root: Path) -> Catalog:
    return load_catalog(_settings(root))


def test_the_model_is_the_one_beside_the_flow(root: Path) -> None:
    category = _catalog(root).department("sample").category("ingestion", "files")

    model = config_model(category, root)

    assert model.__name__ == "FilesConfig"
    assert set(model.model_fields) == {"files"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be imported: No module named"),
        ("import nothing_at_all\n", "cannot be imported: No module named 'nothing_at_all'"),
        ("def\n", "cannot be imported: invalid syntax"),
        ("", "has no ConfigModel named FilesConfig"),
        ("class FilesConfig: ...\n", "has no ConfigModel named FilesConfig"),
        ("FilesConfig = 3\n", "has no ConfigModel named FilesConfig"),
    ],
    ids=["missing", "import", "syntax", "empty", "another-base", "no-class"],
)
def test_a_module_without_the_model_is_told(root: Path, text: str | None, message: str) -> None:
    if text is None:
        (root / MODEL).unlink()
    else:
        (root / MODEL).write_text(text)
    category = _catalog(root).department("sample").category("ingestion", "files")

    with pytest.raises(ConfigError, match=message) as caught:
        config_model(category, root)

    assert str(caught.value).startswith(MODEL)
    assert caught.value.remedy


def test_a_section_is_what_the_file_says_with_addresses_resolved(root: Path) -> None:
    catalog = _catalog(root)
    category = catalog.department("sample").category("ingestion", "files")

    assert load_section(category, catalog, _settings(root)) == {
        "files": [{"source_id": "airlines", "url": "http://s/airlines.csv"}]
    }


def test_overrides_change_what_one_run_works_on(root: Path) -> None:
    catalog = _catalog(root)
    entry, settings = catalog.department("sample"), _settings(root)

    section = changed_config(entry.category("processing", "tables"), catalog, settings, ["rows=5"])
    stage = changed_config(entry.stage("processing"), catalog, settings, ["tables.rows=4"])

    assert section == {"rows": 5}
    assert stage == {"tables": {"rows": 4}}


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("tables.rows=many", "--set tables: rows: 'many': input should be a valid integer"),
        ("tables.row=4", "--set tables: row: "),
        ("tables=4", "--set tables: "),
        ("table.rows=4", "there is no 'table'. Did you mean 'tables'?"),
        ("table=4", "no category of .* 'table'. Did you mean 'tables'?"),
    ],
)
def test_an_override_that_the_model_refuses_is_told(root: Path, override: str, why: str) -> None:
    catalog = _catalog(root)
    stage = catalog.department("sample").stage("processing")

    with pytest.raises(ConfigError, match=why):
        changed_config(stage, catalog, _settings(root), [override])


def test_a_secret_never_becomes_part_of_a_variable(root: Path) -> None:
    (root / VALUES).write_text("files:\n  - {source_id: a, url: 'http://h/${SAMPLE_TOKEN}'}\n")
    catalog = _catalog(root)
    category = catalog.department("sample").category("ingestion", "files")

    with pytest.raises(ConfigError, match="SAMPLE_TOKEN"):
        load_section(category, catalog, _settings(root))
    with pytest.raises(ExceptionGroup):
        load_variables(catalog, _settings(root))


def test_a_stage_has_one_variable_while_it_fits(root: Path) -> None:
    variables = load_variables(_catalog(root), _settings(root))

    assert {stage.id: list(found) for stage, found in variables.items()} == {
        "ingestion": ["dept_sample_ingestion_config"],
        "processing": ["dept_sample_processing_config"],
    }


def _sources(count: int) -> str:
    lines = (f"  - {{source_id: s{n}, url: 'http://h/{'x' * 80}'}}\n" for n in range(count))
    return "files:\n" + "".join(lines)


def test_a_stage_over_the_limit_has_a_variable_for_each_section(root: Path) -> None:
    file = root / "configs/departments/sample.yaml"
    file.write_text(file.read_text().replace("      files:", "      more: {}\n      files:"))
    more = root / "flows/dept_sample/ingestion/more"
    more.mkdir()
    (more / "__init__.py").touch()
    (more / "ingest_more_flow_dept_sample.py").touch()
    (more / "config.py").write_text((root / MODEL).read_text().replace("Files", "More", 1))
    model = (more / "config.py").read_text().replace("class FilesConfig", "class MoreConfig")
    (more / "config.py").write_text(model)
    for name in ("more", "files"):
        (root / f"configs/variables/dept_sample/ingestion/{name}.yaml").write_text(_sources(30))

    variables = load_variables(_catalog(root), _settings(root))

    found = next(values for stage, values in variables.items() if stage.id == "ingestion")
    assert set(found) == {
        "dept_sample_ingestion_config",
        "dept_sample_ingestion_more_config",
        "dept_sample_ingestion_files_config",
    }
    assert set(found["dept_sample_ingestion_config"].values()) == {SPLIT_MARK}
    assert len(found["dept_sample_ingestion_more_config"]["files"]) == 30
