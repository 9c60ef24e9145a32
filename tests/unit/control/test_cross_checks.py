"""Names that stand twice, or that nothing else knows, are found before a run finds them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.control.cross_checks import (
    check_flow_file,
    check_models,
    check_section,
    check_tables,
)
from airnub_prefect_starter.core.churn.steps import PreparationStep
from airnub_prefect_starter.core.configuration import ConfigModel, YamlDocument, validate
from airnub_prefect_starter.core.departments import DepartmentEntry, DepartmentSpec
from airnub_prefect_starter.core.lake.steps import BronzeStep
from airnub_prefect_starter.core.ml.config import ModelSpec
from airnub_prefect_starter.core.monitoring.alert_config import AlertsConfig
from airnub_prefect_starter.core.monitoring.config import SourceWatch, TableWatch
from airnub_prefect_starter.core.releases.config import ReleaseStep
from airnub_prefect_starter.core.sources import DatabaseSource, FileSource
from airnub_prefect_starter.core.steps import AnalysisStep, ProcessingStep

ENTRY = DepartmentEntry(
    Department("alpha", "Alpha"),
    DepartmentSpec.model_validate(
        {
            "owners": ["a@b.ie"],
            "secrets": {"sources-token": "TOKEN"},
            "limits": {"bronze_a": 1},
            "stages": {"ingestion": {"categories": {"files": {}}}},
        }
    ),
)


class Section(ConfigModel):
    files: tuple[FileSource, ...] = ()
    databases: tuple[DatabaseSource, ...] = ()
    tables: tuple[ProcessingStep, ...] = ()
    bronze: tuple[BronzeStep, ...] = ()
    analyses: tuple[AnalysisStep, ...] = ()
    watched: tuple[TableWatch, ...] = ()
    sources: tuple[SourceWatch, ...] = ()
    preparation: PreparationStep | None = None
    models: tuple[ModelSpec, ...] = ()
    releases: tuple[ReleaseStep, ...] = ()
    alerts: AlertsConfig = AlertsConfig()


@pytest.fixture
def mistakes(tmp_path: Path) -> Callable[[str], list[str]]:
    def find(text: str) -> list[str]:
        path = tmp_path / "files.yaml"
        path.write_text(text)
        document = YamlDocument(path, "files.yaml")
        found = check_section(ENTRY, document, validate(document, Section))
        return [str(each) for each in found]

    return find


MODEL = (
    "{name: m, source_id: m, features: x.y/z, key: a, target: b, positive: c, numeric: [d], "
    "categorical: [], candidates: [{name: e, kind: dummy}, {name: f, kind: random_forest}], "
    "purpose: A test.}"
)
TABLE = "table: {key: [a], columns: [{name: a, dtype: int}]}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("files: [{source_id: a, url: 'http://x/'}, {source_id: b, url: 'http://x/'}]", []),
        (
            "files:\n- {source_id: a, url: 'http://x/'}\n- {source_id: a, url: 'http://y/'}\n",
            ["files.yaml:3:3: source_id 'a' stands twice. Rename one"],
        ),
        (
            "alerts: {routes: [{sink: log}, {sink: webhook, secret: source-token}]}",
            [
                "files.yaml:1:10: the department has no secret: 'source-token'. "
                "Did you mean 'sources-token'? Known: sources-token"
            ],
        ),
        ("alerts: {routes: [{sink: webhook, secret: sources-token}]}", []),
        (
            "watched: [{table: silver/a, ref: ingestoin.files/a}]",
            [
                "files.yaml:1:11: the department has no category of the ref ingestoin.files/a: "
                "'ingestoin.files'. Did you mean 'ingestion.files'? Known: ingestion.files"
            ],
        ),
        (
            "sources: [{namespace: ingestion.fils}]",
            [
                "files.yaml:1:11: the department has no category of the sources: "
                "'ingestion.fils'. Did you mean 'ingestion.files'? Known: ingestion.files"
            ],
        ),
        (
            "files: [{source_id: a, url: 'http://x/', auth: {secret: source-token}}]",
            [
                "files.yaml:1:9: the department has no secret: 'source-token'. "
                "Did you mean 'sources-token'? Known: sources-token"
            ],
        ),
        (
            "databases: [{source_id: a, url: 'sqlite:////x', table: t, key: [k], secret: token}]",
            ["files.yaml:1:13: the department has no secret: 'token'. Known: sources-token"],
        ),
        (
            f"tables: [{{source_id: t, inputs: [ingestion.file/a], {TABLE}}}]",
            [
                "files.yaml:1:10: the department has no category of the ref ingestion.file/a: "
                "'ingestion.file'. Did you mean 'ingestion.files'? Known: ingestion.files"
            ],
        ),
        (
            "bronze: [{name: a, inputs: [ingestion.file/a]}]",
            [
                "files.yaml:1:10: the department has no category of the ref ingestion.file/a: "
                "'ingestion.file'. Did you mean 'ingestion.files'? Known: ingestion.files"
            ],
        ),
        (
            "analyses: [{source_id: s, tables: {flights: x.y/z}, summaries: [flights_by_month]}]",
            [
                "files.yaml:1:12: the department has no category of the ref x.y/z: 'x.y'. "
                "Known: ingestion.files"
            ],
        ),
        (
            "preparation: {input: x.y/z}",
            [
                "files.yaml:1:1: the department has no category of the ref x.y/z: 'x.y'. "
                "Known: ingestion.files"
            ],
        ),
        (
            f"models: [{MODEL}]",
            [
                "files.yaml:1:10: the department has no category of the ref x.y/z: 'x.y'. "
                "Known: ingestion.files"
            ],
        ),
        (
            "releases: [{source_id: r, name: r, datasets: [{name: a, folder: {b: {ref: x.y/z}}}]}]",
            [
                "files.yaml:1:12: the department has no category of the ref x.y/z: 'x.y'. "
                "Known: ingestion.files"
            ],
        ),
    ],
    ids=[
        "sound",
        "twice",
        "secret of a route",
        "sound route",
        "ref of a watched table",
        "watched sources",
        "secret",
        "password",
        "input of a table",
        "input of a table of the lake",
        "table of an analysis",
        "input of a step",
        "features of a model",
        "part of a release",
    ],
)
def test_a_mistake_has_its_place_and_what_is_known(
    mistakes: Callable[[str], list[str]], text: str, expected: list[str]
) -> None:
    assert mistakes(text) == expected


def test_a_table_has_one_step_and_a_limit_where_it_has_one_writer(tmp_path: Path) -> None:
    sections = []
    for name, text in {
        "one.yaml": "bronze: [{name: a, inputs: [x.y/a]}, {name: b, inputs: [x.y/a]}]",
        "two.yaml": "bronze: [{name: a, inputs: [x.y/a]}]",
        "many.yaml": "bronze: [{name: c, inputs: [x.y/a], writers: many}]",
    }.items():
        (tmp_path / name).write_text(text)
        document = YamlDocument(tmp_path / name, name)
        sections.append((document, validate(document, Section)))

    assert [str(each) for each in check_tables(ENTRY, sections)] == [
        "one.yaml:1:38: bronze/b has no limit of one writer. "
        "Add `bronze_b: 1` to limits of configs/departments/alpha.yaml",
        "two.yaml:1:10: one.yaml:1:10 makes bronze/a too. Rename one",
    ]


def test_a_flow_without_a_file_is_found(tmp_path: Path) -> None:
    stage = ENTRY.stage("ingestion")

    found = list(check_flow_file(stage, tmp_path))

    assert [type(each) for each in found] == [ConfigError]
    assert "flows/dept_alpha/ingestion_flow_dept_alpha.py" in str(found[0])


def test_two_categories_do_not_register_one_model(tmp_path: Path) -> None:
    sections = []
    for name in ("a.yaml", "b.yaml"):
        path = tmp_path / name
        path.write_text(f"models: [{MODEL}]")
        document = YamlDocument(path, name)
        sections.append((document, validate(document, Section)))

    assert [str(each) for each in check_models(sections)] == [
        "b.yaml:1:10: a.yaml:1:10 registers a model m too. Rename one"
    ]
    assert [*check_models(sections[:1])] == []
