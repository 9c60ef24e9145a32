from __future__ import annotations

import pytest

from tests.project_kit import DEPARTMENT, FLOW, MAPPING, MODEL, VALUES
from tests.unit.cli.kit import Project

GOOD = """\
owners: ["@airnub/sample"]
stages:
  ingestion: {categories: {files: {}}}
"""


def test_a_sound_project_is_in_order(project: Project) -> None:
    done = project.run("config", "check")
    facts = project.run("config", "check", "--json").json

    assert (done.code, done.text) == (0, "1 departments and 2 categories are in order\n")
    assert facts == {
        "files": [VALUES, "configs/variables/dept_sample/processing/tables.yaml"],
        "variables": ["dept_sample_ingestion_config", "dept_sample_processing_config"],
    }


MISTAKES: dict[str, tuple[str, str | bytes, str]] = {
    "syntax": (VALUES, "files: [\n", f"{VALUES}:2:1: not valid YAML"),
    "tab": (VALUES, "files:\n\t- a\n", f"{VALUES}:2:1: not valid YAML"),
    "not utf-8": (VALUES, b"files: \xff\n", f"{VALUES}:1:8: byte 0xff is not UTF-8"),
    "empty": (VALUES, "", f"{VALUES}:1:1: expected keys and values"),
    "repeated key": (VALUES, "files: []\nfiles: []\n", f"{VALUES}:2:1: key 'files'"),
    "nesting": (VALUES, "files: " + "[" * 99 + "]" * 99, f"{VALUES}:1:58: nested too deeply"),
    "unknown key": (
        VALUES,
        "files:\n  - {source_id: a, url: 'http://h/a', sorce: b}\n",
        f"{VALUES}:2:46: files.0.sorce: unknown key; did you mean 'source_id'?",
    ),
    "missing key": (
        VALUES,
        "files:\n  - source_id: a\n",
        f"{VALUES}:2:5: files.0.url: is required and missing",
    ),
    "bad value": (
        VALUES,
        "files:\n  - source_id: a\n    url: ftp://h/a\n",
        f"{VALUES}:3:10: files.0.url: 'ftp://h/a': ftp://h/a is neither http nor https",
    ),
    "bad network": (
        VALUES,
        "files:\n  - source_id: a\n    url: http://h/a\n"
        "    access:\n      allow_networks: [10.0.0.1/8]\n",
        f"{VALUES}:5:24: files.0.access.allow_networks.0: '10.0.0.1/8': 10.0.0.1/8 has host bits",
    ),
    "source that stands twice": (
        VALUES,
        "files:\n" + 2 * "  - {source_id: a, url: http://h/a}\n",
        f"{VALUES}:3:5: source_id 'a' stands twice",
    ),
    "unknown secret": (
        VALUES,
        "files:\n  - {source_id: a, url: http://h/a, auth: {secret: tokn}}\n",
        "Did you mean 'token'?",
    ),
    "missing address": (
        VALUES,
        "files:\n  - source_id: a\n    url: ${OTHER_URL}/a\n",
        f"{VALUES}:3:10: The address ${{OTHER_URL}} is not set",
    ),
    "department": (
        DEPARTMENT,
        f"{GOOD}ownres: []\n",
        f"{DEPARTMENT}:4:1: ownres: unknown key; did you mean 'owners'?",
    ),
    "schedule": (
        DEPARTMENT,
        GOOD.replace("{files: {}}", "{files: {}}, schedules: [{cron: daily}]"),
        f"{DEPARTMENT}:3:59: stages.ingestion.schedules.0.cron: 'daily'",
    ),
    "trigger": (
        DEPARTMENT,
        GOOD.replace("{files: {}}", "{files: {}}, on_success: [analysis]"),
        f"{DEPARTMENT}: stages.ingestion.on_success: 'analysis' is not a stage",
    ),
    "identifier": (
        DEPARTMENT,
        GOOD.replace("files:", "My-Files:"),
        "Use 'my_files'",
    ),
    "display name": (MAPPING, "sample: A/B\n", "display name 'A/B'"),
    "no file": (MAPPING, "sample: Sample\nother: Other\n", "Create other.yaml or remove the line"),
    "no display name": (MAPPING, "{}\n", f"{DEPARTMENT}: the department has no display name"),
    "model": (MODEL, "class FilesConfig: ...\n", f"{MODEL}: has no ConfigModel named FilesConfig"),
    "model that does not import": (
        MODEL,
        "import nothing_at_all\n",
        f"{MODEL}: cannot be imported",
    ),
    "model with a mistake": (MODEL, "class FilesConfig(\n", f"{MODEL}: cannot be imported"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_with_its_place(project: Project, case: str) -> None:
    name, text, message = MISTAKES[case]
    project.write(name, text)

    done = project.run("config", "check")

    assert done.code == 3, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.errors[0].startswith("error: ")
    assert message in done.errors[0]
    assert done.stdout == b""


def test_mistakes_in_several_files_are_told_at_once(project: Project) -> None:
    project.write(VALUES, "files: 3\nfile: []\n")
    project.write("configs/variables/dept_sample/processing/tables.yaml", "rows: many\n")

    text = project.run("config", "check")
    as_json = project.run("config", "check", "--json")

    assert (text.code, as_json.code) == (3, 3)
    assert [line.split(":")[2] for line in text.errors] == ["1", "2", "1"]
    assert [record["exit_code"] for record in as_json.error_records] == [3, 3]


@pytest.mark.parametrize("name", [MODEL, FLOW])
def test_a_module_that_is_not_there_is_named(project: Project, name: str) -> None:
    (project.root / name).unlink()

    done = project.run("config", "check")

    assert (done.code, len(done.errors)) == (3, 1)
    assert name in done.errors[0]


def test_a_file_that_is_not_there_is_named(project: Project) -> None:
    (project.root / VALUES).unlink()

    done = project.run("config", "check")

    assert (done.code, len(done.errors)) == (3, 1)
    assert f"{VALUES}: no such file. Create it or correct its name" in done.errors[0]


def test_show_needs_a_server(project: Project) -> None:
    done = project.run("config", "show", "sample.ingestion")

    assert (done.code, len(done.errors)) == (6, 1)
    assert "Run `airnub up`" in done.errors[0]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (
            "sample.ingestion",
            {"files": {"files": [{"source_id": "airlines", "url": "http://s/airlines.csv"}]}},
        ),
        ("sample.processing.tables", {"rows": 3}),
    ],
    ids=["stage", "category"],
)
def test_show_resolves_addresses(project: Project, name: str, shown: object) -> None:
    project.environ(PREFECT_API_URL="http://127.0.0.1:9/api", SOURCES_URL="http://s")

    done = project.run("config", "show", name)

    assert (done.code, done.json) == (0, shown)


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("sampel.ingestion", 5, "Did you mean 'sample'?"),
        ("sample.ingstion", 5, "Did you mean 'ingestion'?"),
        ("sample.ingestion.file", 5, "Did you mean 'files'?"),
        ("sample", 3, "is not DEPARTMENT.STAGE"),
        ("sample.Ingestion", 3, "Use 'ingestion'"),
    ],
)
def test_unknown_names_get_a_suggestion(
    project: Project, name: str, code: int, message: str
) -> None:
    done = project.run("config", "show", name)

    assert (done.code, len(done.errors)) == (code, 1)
    assert message in done.errors[0]


@pytest.mark.parametrize("verb", [("config", "apply"), ("bootstrap",), ("bootstrap", "--check")])
def test_verbs_that_write_need_a_server(project: Project, verb: tuple[str, ...]) -> None:
    done = project.run(*verb)

    assert (done.code, len(done.errors)) == (6, 1)
    assert "Run `airnub up`" in done.errors[0]
