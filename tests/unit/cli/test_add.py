"""``airnub add`` as a user sees it: exact files, diffs, refusals, prompts; nothing half done."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.scaffold.category import Kind
from tests.project_kit import DEPARTMENT, FLOW, MAPPING
from tests.unit.cli.kit import Done, Project, require_one_line

ROOT = Path(__file__).parents[3]
GAMMA = Department("gamma", "Gamma Rays")
TASKS = {
    "api": ["fetch_api", "parse_api_response"],
    "database": ["fetch_table"],
    "file": ["download_file"],
    "lake": ["download_file", "load_bronze", "refine_silver"],
    "model": ["download_file", "process_table", "register_model", "train_model"],
    "web": ["extract_links_from_html_content", "scrape_page"],
}


@pytest.fixture(autouse=True)
def _as_the_repository_formats(project: Project) -> None:
    project.write("pyproject.toml", (ROOT / "pyproject.toml").read_bytes())
    project.write(FLOW, "def download_files_flow_dept_sample() -> list[SourceResult]: ...\n")
    assert project.run("render").code == 0


def files(project: Project) -> dict[str, bytes]:
    """Read the project, without what is not of it."""
    return {
        name: path.read_bytes()
        for path in sorted(project.root.rglob("*"))
        if path.is_file()
        and not (name := path.relative_to(project.root).as_posix()).startswith(".airnub/")
        and "__pycache__" not in name
        and ".ruff_cache" not in name
    }


def add_gamma(project: Project) -> Done:
    return project.run("add", "department", "gamma", "--display-name", "Gamma Rays")


def add_category(project: Project, name: str, kind: str, *options: str) -> Done:
    return project.run("add", "category", "gamma", "ingestion", name, "--like", kind, *options)


def test_a_department_is_a_file_a_line_and_a_package(project: Project) -> None:
    before = files(project)

    done = add_gamma(project)

    assert done.code == 0, done.stderr
    after = files(project)
    assert set(after) - set(before) == {
        "configs/departments/gamma.yaml",
        "flows/dept_gamma/__init__.py",
    }
    assert {name for name in before if before[name] != after[name]} == {
        MAPPING,
        "helm/airnub-prefect/files/departments.yaml",
        ".github/CODEOWNERS",
    }
    assert project.run("config", "show", "sample.processing").code == 6  # it loads
    assert project.run("render", "--check").code == 0
    assert "airnub add category gamma ingestion" in done.text


def test_a_department_without_stages_cannot_be_run_yet(project: Project) -> None:
    add_gamma(project)

    done = project.run("run", "gamma")

    require_one_line(done, 3, "Department gamma has no stages yet")


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_category_is_an_exact_set_of_files(project: Project, kind: str) -> None:
    add_gamma(project)
    before = files(project)

    done = add_category(project, "things", kind)

    assert done.code == 0, done.stderr
    category = GAMMA.stage("ingestion").category("things")
    after = files(project)
    assert set(after) - set(before) == {
        str(category.stage.flow_file),
        str(category.stage.config_model_file),
        f"{category.stage.folder}/__init__.py",
        f"{category.folder}/__init__.py",
        str(category.config_model_file),
        str(category.flow_file),
        f"{category.folder}/tasks/__init__.py",
        *(str(category.task_file(task)) for task in TASKS[kind]),
        str(category.config_file),
        str(category.test_file),
        str(category.doc_file),
    }
    assert {name for name in before if before[name] != after[name]} == {
        "configs/departments/gamma.yaml",
        "prefect.local.yaml",
        "prefect.k8s.yaml",
    }
    new = {name: after[name] for name in set(after) - set(before)}
    assert [name for name, text in new.items() if b"{{" in text or b"{%" in text] == []
    assert project.run("render", "--check").code == 0


def test_the_same_command_again_changes_nothing(project: Project) -> None:
    add_gamma(project)
    add_category(project, "things", "file")
    add_category(project, "others", "api")  # edits what the first one wrote
    project.run("add", "task", "gamma", "ingestion", "things", "count_words")
    before = files(project)

    again = [
        add_gamma(project),
        add_category(project, "things", "file"),
        project.run("add", "task", "gamma", "ingestion", "things", "count_words"),
    ]

    assert [done.code for done in again] == [0, 0, 0]
    for done in again:
        listed = done.text.partition("Next:")[0].splitlines()
        assert listed
        assert all(line.startswith("unchanged  ") for line in listed)
    assert files(project) == before


def test_project_beta_is_what_the_generators_write(project: Project) -> None:
    """Only what a person decides differs: values, owners, schedules, sizes."""
    stem = ("--flow-stem", "download_{}", "--description", "{}")
    project.run("add", "department", "project_beta", "--display-name", "Project Beta")
    for name, description in (
        ("reference_files", "The airlines' codes and names."),
        ("daily_flights", "The flights of one day."),
    ):
        options = [stem[0], f"download_{name}", stem[2], description]
        command = ("add", "category", "project_beta", "ingestion", name, "--like", "file")
        done = project.run(*command, *options)
        assert done.code == 0, done.stderr

    written = {
        name: text.decode() for name, text in files(project).items() if "project_beta" in name
    }
    by_hand = {name for name in written if name.startswith("configs/")}
    listed = {
        path.relative_to(ROOT).as_posix()
        for folder in ("flows/dept_project_beta", "docs/departments/project_beta")
        for path in (ROOT / folder).rglob("*.*")
        if path.suffix in {".py", ".md"}
    }
    tests = ROOT / "tests" / "integration" / "departments" / "dept_project_beta"
    listed |= {path.relative_to(ROOT).as_posix() for path in tests.rglob("*.py")}
    assert set(written) - by_hand == listed
    for name in listed:
        assert (ROOT / name).read_text() == written[name], name


def test_a_dry_run_prints_what_git_can_apply_and_writes_nothing(project: Project) -> None:
    add_gamma(project)
    before = files(project)

    dry = add_category(project, "things", "web", "--dry-run")

    assert dry.code == 0
    assert files(project) == before
    subprocess.run(
        ["git", "apply", "--unsafe-paths", "-"], cwd=project.root, input=dry.stdout, check=True
    )
    applied = files(project)
    assert applied != before
    assert add_category(project, "things", "web").code == 0
    assert files(project) == applied


def test_json_names_every_file(project: Project) -> None:
    dry = project.run(
        "add", "department", "gamma", "--display-name", "Gamma", "--dry-run", "--json"
    )
    done = project.run("add", "department", "gamma", "--display-name", "Gamma", "--json")

    assert dry.json["files"] == done.json["files"]
    assert (dry.json["written"], done.json["written"]) == (False, True)
    assert dry.json["diff"].startswith(f"--- a/{MAPPING}")
    assert {each["change"] for each in done.json["files"]} == {"create", "edit", "unchanged"}


def test_every_file_in_the_way_is_named_and_nothing_is_written(project: Project) -> None:
    add_gamma(project)
    category = GAMMA.stage("ingestion").category("things")
    project.write(str(category.flow_file), "# mine\n")
    project.write(str(category.doc_file), b"\xff")
    (project.root / category.config_file).mkdir(parents=True)
    project.write(str(category.test_file), "# mine too\n")
    before = files(project)

    done = add_category(project, "things", "file")

    require_one_line(done, 8, "Nothing was written")
    assert f"{category.flow_file} exists with other content" in done.stderr
    assert f"{category.test_file} exists with other content" in done.stderr
    assert f"{category.doc_file} is not UTF-8" in done.stderr
    assert f"{category.config_file} is a folder" in done.stderr
    assert files(project) == before


def test_a_category_that_exists_otherwise_is_refused(project: Project) -> None:
    add_gamma(project)
    add_category(project, "things", "file")
    before = files(project)

    other = add_category(project, "things", "api", "--description", "Files.")
    kind = add_category(
        project, "things", "api", "--description", "Files that are published now and then."
    )
    owner = project.run(
        "add", "department", "gamma", "--display-name", "Gamma Rays", "--owner", "a@b.ie"
    )

    require_one_line(other, 8, "exists with the description")
    require_one_line(kind, 8, "exists with other content")
    require_one_line(owner, 8, "is owned by @airnub/gamma")
    assert files(project) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("department gamma", "--display-name is missing"),
        ("department gamma --yes", "--display-name is missing"),
        ("category sample ingestion things", "--like is missing"),
        ("department Gamma --display-name G", "Use 'gamma'"),
        ("department etl --display-name E", "reserved"),
        ("department sample_ --display-name E", "another spelling of 'sample'"),
        ("department sample --display-name Other", "is called 'Sample'"),
        ("department other --display-name sample", "is called 'Sample' already"),
        ("department other --display-name a/b", "is empty or has one of"),
        (f"department other --display-name {'x' * 41}", "Use at most 40 characters"),
        ("department other --display-name O --owner nobody", "owners.0"),
        ("category sample ingestion class --like file", "is a Python keyword"),
        (f"category sample {'t' * 23} {'c' * 40} --like file", "at most 63"),
        ("category sample ingestion l --like lake", "easily taken for a 1"),
        ("category sample ingestion class_ --like file", "Use 'class_data'"),
        ("category sample ingestion match --like file", "is a Python keyword"),
        ("category sample ingestion json --like file", "a name of Python's own"),
        ("category sample ingestion filter --like file", "a name of Python's own"),
        ("category sample ingestion tasks --like file", "reserved"),
        ("category sample ingestion construct --like file", "a name of Pydantic's own"),
        ("category sample ingestion model_x --like file", "a name of Pydantic's own"),
        ("category sample ingestion ingestion --like file", "class IngestionConfig"),
        ("category sample ingestion files --like file", "Choose another name"),
        ("category sample calendar things --like file", "a name of Python's own"),
        ("category sample more things --like file --flow-stem download_files", "Names collide"),
        ("category sample more things --like file --flow-stem Down", "Use 'down'"),
        ("category sample more things --like file --description a\nb", "is not one line"),
        ("task sample ingestion files os", "a name of Python's own"),
    ],
)
def test_what_is_refused_says_why_and_what_instead(
    project: Project, arguments: str, message: str
) -> None:
    before = files(project)

    done = project.run("add", *arguments.split(" "))

    require_one_line(done, 8, message)
    assert files(project) == before


@pytest.mark.parametrize(
    "arguments",
    ["category sampel ingestion things --like file", "task sample ingestion fils count_words"],
)
def test_a_department_or_category_that_is_not_there_is_named(
    project: Project, arguments: str
) -> None:
    require_one_line(project.run("add", *arguments.split()), 5, "Did you mean")


def test_an_unknown_kind_is_a_usage_error(project: Project) -> None:
    done = project.run("add", "category", "sample", "ingestion", "things", "--like", "ftp")

    assert done.code == 2
    assert "'ftp'" in done.stderr


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at_a_terminal(
    project: Project, monkeypatch: pytest.MonkeyPatch, keys: str, *arguments: str
) -> Done:
    """Run a command as a person with a keyboard does."""
    monkeypatch.setattr(io, "TextIOWrapper", lambda _: Terminal(keys))
    return project.run(*arguments)


def test_a_person_is_asked_for_what_is_missing_and_before_writing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("add", "department", "gamma_rays")
    before = files(project)

    refused = at_a_terminal(project, monkeypatch, "\nn\n", *command)
    assert (refused.code, files(project)) == (1, before)
    done = at_a_terminal(project, monkeypatch, "\n\n", *command)

    assert done.code == 0, done.stderr
    assert "Display name [Gamma Rays]" in done.stderr
    assert "gamma_rays: Gamma Rays\n" in (project.root / MAPPING).read_text()


@pytest.mark.parametrize(("keys", "code"), [("web\ny\n", 0), ("ftp\n", 5)])
def test_a_person_may_choose_the_kind(
    project: Project, monkeypatch: pytest.MonkeyPatch, keys: str, code: int
) -> None:
    add_gamma(project)
    command = ("add", "category", "gamma", "ingestion", "pages")

    done = at_a_terminal(project, monkeypatch, keys, *command)

    assert done.code == code, done.stderr
    assert ("scrape_page" in done.text) == (code == 0)


def test_with_yes_nobody_is_asked(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("add", "department", "gamma", "--display-name", "Gamma", "--yes")

    assert at_a_terminal(project, monkeypatch, "", *command).code == 0


def test_what_an_interrupted_command_left_is_undone_first(project: Project) -> None:
    change = {"path": "docs/half.md", "before": None, "after": "half\n"}
    project.write("docs/half.md", "half\n")
    project.write(".airnub/add.json", json.dumps([change, {**change, "path": "docs/none.md"}]))

    dry = project.run("add", "department", "gamma", "--display-name", "Gamma", "--dry-run")
    done = add_gamma(project)

    require_one_line(dry, 8, "An earlier `airnub add` was interrupted")
    assert done.code == 0, done.stderr
    assert "An earlier `airnub add` was interrupted: undid 1 file" in done.stderr
    assert not (project.root / "docs").exists()
    assert (project.root / "configs/departments/gamma.yaml").is_file()


def test_a_stage_without_its_files_is_refused(project: Project) -> None:
    before = files(project)

    done = project.run("add", "category", "sample", "ingestion", "things", "--like", "file")

    require_one_line(done, 8, "flows/dept_sample/ingestion/config.py is missing")
    assert files(project) == before


def test_a_task_is_a_wrapper_a_function_and_its_test(project: Project) -> None:
    before = files(project)

    done = project.run("add", "task", "sample", "ingestion", "files", "count_words")

    assert done.code == 0, done.stderr
    folder = "flows/dept_sample/ingestion/files/tasks"
    assert set(files(project)) - set(before) == {
        f"{folder}/count_words_task_dept_sample.py",
        "src/airnub_prefect_starter/core/count_words.py",
        "tests/unit/core/test_count_words.py",
    }
    assert "fan_out(count_words_task_dept_sample, outcomes.found, name=source_id)" in done.text


def test_tasks_of_one_name_share_their_function(project: Project) -> None:
    add_gamma(project)
    add_category(project, "things", "file")
    project.run("add", "task", "sample", "ingestion", "files", "count_words")
    core = project.root / "src/airnub_prefect_starter/core/count_words.py"
    core.write_text(core.read_text().replace("not empty", "not blank"))

    shared = project.run("add", "task", "gamma", "ingestion", "things", "count_words")
    core.write_text("")
    foreign = project.run("add", "task", "gamma", "ingestion", "things", "count_words")

    assert shared.code == 0, shared.stderr
    require_one_line(foreign, 8, "has no function core_count_words")


def test_a_task_for_sources_is_refused_where_there_are_none(project: Project) -> None:
    flow = "flows/dept_sample/processing/tables/process_tables_flow_dept_sample.py"
    project.write(flow, "def process_tables_flow_dept_sample() -> list[DerivedResult]: ...\n")
    before = files(project)

    done = project.run("add", "task", "sample", "processing", "tables", "count_words")

    require_one_line(done, 8, "does not return list[SourceResult]. Add the task to a category of")
    assert files(project) == before


def test_a_package_of_core_is_not_shadowed_by_a_task(project: Project) -> None:
    (project.root / "src/airnub_prefect_starter/core/parcel").mkdir(parents=True)

    done = project.run("add", "task", "sample", "ingestion", "files", "parcel")

    require_one_line(done, 8, "core has a package of that name")


def test_a_department_file_keeps_its_comments_and_layout(project: Project) -> None:
    add_gamma(project)
    file = project.root / "configs/departments/gamma.yaml"
    file.write_text(f"# Mine.\n{file.read_text()}\n# The end, without a newline")
    before = file.read_text()

    add_category(project, "things", "file")
    add_category(project, "others", "file", "--description", "A: b # 'c'")

    after = file.read_text()
    assert after.startswith(before)
    assert "      others:\n        description: 'A: b # ''c'''\n" in after
    assert (project.root / DEPARTMENT).is_file()
