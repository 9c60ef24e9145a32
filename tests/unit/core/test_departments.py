"""Departments as data: what a catalog knows, and what it refuses."""

from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ConfigError, UnknownNameError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.core.departments import (
    Catalog,
    first_stages,
    load_catalog,
    stages_after,
)

MAPPING = "alpha: Alpha\n"
ALPHA = """
owners: ["@org/alpha"]
stages:
  ingestion:
    on_success: [processing]
    categories: {files: {}, pages: {flow_stem: scrape_pages}}
  processing:
    on_success: [analysis]
    categories: {tables: {}}
  analysis:
    categories: {summary: {}}
"""


SCHEDULED = """owners: [a@b.ie]
stages:
  ingestion: {{categories: {{files: {{}}}}, schedules: [{{cron: "{}"}}]}}
"""


def catalog_of(root: Path, mapping: str, **departments: str) -> Catalog:
    folder = root / "configs" / "departments"
    folder.mkdir(parents=True)
    (root / "configs" / "department_mapping.yaml").write_text(mapping)
    for name, text in departments.items():
        (folder / f"{name}.yaml").write_text(text)
    settings = Settings(
        project_root=root, home=root / ".airnub", store_url=(root / "s").as_uri(), environment={}
    )
    return load_catalog(settings)


def test_a_catalog_names_stages_and_categories_in_the_files_order(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, MAPPING, alpha=ALPHA)

    assert [stage.deployment for stage in catalog.stages] == [
        "alpha.ingestion",
        "alpha.processing",
        "alpha.analysis",
    ]
    assert [category.flow_file.name for category in catalog.categories] == [
        "ingest_files_flow_dept_alpha.py",
        "scrape_pages_flow_dept_alpha.py",
        "process_tables_flow_dept_alpha.py",
        "analyze_summary_flow_dept_alpha.py",
    ]


def test_triggers_are_followed_through_the_stages(tmp_path: Path) -> None:
    entry = catalog_of(tmp_path, MAPPING, alpha=ALPHA).department("alpha")

    assert first_stages(entry) == ("ingestion",)
    assert stages_after(entry, "ingestion") == ("processing", "analysis")
    assert stages_after(entry, "analysis") == ()


def test_a_stage_that_failures_start_is_no_first_one_and_follows_no_success(
    tmp_path: Path,
) -> None:
    text = ALPHA.replace("on_success: [analysis]", "on_failure: [analysis]")
    entry = catalog_of(tmp_path, MAPPING, alpha=text).department("alpha")

    assert first_stages(entry) == ("ingestion",)
    assert stages_after(entry, "ingestion") == ("processing",)


@pytest.mark.parametrize(
    ("mapping", "departments", "message"),
    [
        ("alpha: Alpha\nbeta: Beta\n", {"alpha": ALPHA}, "department beta has no"),
        (MAPPING, {"alpha": ALPHA, "beta": ALPHA}, "beta.yaml: the department has no display name"),
        (
            MAPPING,
            {"alpha": ALPHA.replace("owners", "owner")},
            "alpha.yaml:2:1: owner: unknown key",
        ),
        (MAPPING, {"alpha": ALPHA.replace("owners", "owner")}, "did you mean 'owners'?"),
        (MAPPING, {"alpha": ALPHA.replace("[processing]", "[procesing]")}, "is not a stage"),
        (MAPPING, {"alpha": ALPHA.replace("[analysis]", "[ingestion]")}, "leads back to itself"),
        (
            MAPPING,
            {"alpha": ALPHA.replace("on_success: [analysis]", "on_failure: [analysys]")},
            "stages.processing.on_failure: 'analysys' is not a stage",
        ),
        (
            MAPPING,
            {"alpha": f"{ALPHA}    on_failure: [ingestion]\n"},
            "stages.ingestion.on_success leads back to itself",
        ),
        (MAPPING, {"alpha": ALPHA.replace("files:", "Files:")}, "'Files' is not of the form"),
        (MAPPING, {"alpha": ALPHA.replace("@org/alpha", "org alpha")}, "alpha.yaml:2:"),
        (MAPPING, {"alpha": SCHEDULED.format("99 6 * * *")}, "alpha.yaml:3:"),
        (MAPPING, {"alpha": SCHEDULED.format("6 * * *")}, "needs five fields"),
        (
            MAPPING,
            {"alpha": ALPHA.replace("    on_success: [analysis]", "    isolation: pod")},
            "stages.processing.isolation: 'pod': ",
        ),
        ("alpha: A/B\n", {"alpha": ALPHA}, "display name 'A/B'"),
        ("Alpha-1: Alpha\n", {"alpha": ALPHA}, "Use 'alpha_1'"),
    ],
    ids=[
        "mapped without a file",
        "file without a name",
        "misspelt key: place",
        "misspelt key: hint",
        "trigger of an unknown stage",
        "circle of triggers",
        "trigger of an unknown stage on failure",
        "circle of triggers on failure",
        "category name",
        "owner",
        "cron",
        "cron with four fields",
        "isolation",
        "display name",
        "identifier",
    ],
)
def test_a_wrong_department_is_refused_with_its_place(
    tmp_path: Path, mapping: str, departments: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        catalog_of(tmp_path, mapping, **departments)

    assert message in str(caught.value)


def test_names_that_meet_in_one_variable_are_refused(tmp_path: Path) -> None:
    one = "owners: [a@b.ie]\nstages: {b_ingestion: {categories: {x: {}}}}\n"
    two = "owners: [a@b.ie]\nstages: {ingestion: {categories: {x: {}}}}\n"

    with pytest.raises(ConfigError, match="dept_a_b_ingestion_config"):
        catalog_of(tmp_path, "a: A\na_b: AB\n", a=one, a_b=two)


def test_secrets_that_meet_in_one_block_are_refused(tmp_path: Path) -> None:
    stages = "owners: [a@b.ie]\nstages: {ingestion: {categories: {x: {}}}}\n"
    one, two = f"{stages}secrets: {{b-key: A}}\n", f"{stages}secrets: {{key: B}}\n"

    with pytest.raises(ConfigError, match="of a's secret b-key and of a_b's secret key"):
        catalog_of(tmp_path, "a: A\na_b: AB\n", a=one, a_b=two)


def test_departments_do_not_share_a_namespace(tmp_path: Path) -> None:
    own = "owners: [a@b.ie]\nstages: {ingestion: {categories: {x: {}}}}\n"
    other = f"{own}kubernetes: {{namespace: dept-a}}\n"

    with pytest.raises(ConfigError, match="Kubernetes namespace dept-a would be of a and of b"):
        catalog_of(tmp_path, "a: A\nb: B\n", a=own, b=other)


def test_a_department_s_namespace_is_its_own_or_what_its_file_says(tmp_path: Path) -> None:
    named = f"{ALPHA}kubernetes: {{namespace: apart}}\n"

    catalog = catalog_of(tmp_path, f"{MAPPING}a_b: AB\n", alpha=named, a_b=ALPHA)

    assert [each.namespace for each in catalog.entries.values()] == ["dept-a-b", "apart"]


@pytest.mark.parametrize(
    ("kubernetes", "message"),
    [
        ("{namespace: Apart}", "kubernetes.namespace"),
        (f"{{namespace: {'a' * 47}}}", "kubernetes.namespace"),
        ("{service_account: no_dashes}", "kubernetes.service_account"),
        ("{quota: {cpu: much}}", "kubernetes.quota.cpu"),
        ("{quota: {pods: 0}}", "kubernetes.quota.pods"),
        ("{job: {memory_limit: 1GB}}", "kubernetes.job.memory_limit"),
        ("{job: {active_deadline_seconds: 0}}", "kubernetes.job.active_deadline_seconds"),
        ("{job: {command: x}}", "kubernetes.job.command: unknown key"),
    ],
)
def test_what_kubernetes_would_refuse_is_refused_with_its_place(
    tmp_path: Path, kubernetes: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=r"alpha\.yaml:\d+:\d+: ") as caught:
        catalog_of(tmp_path, MAPPING, alpha=f"{ALPHA}kubernetes: {kubernetes}\n")

    assert message in caught.value.message


@pytest.mark.parametrize(
    ("department", "stage", "category", "hint"),
    [
        ("alfa", "ingestion", "files", "Did you mean 'alpha'?"),
        ("alpha", "ingestoin", "files", "Did you mean 'ingestion'?"),
        ("alpha", "ingestion", "fils", "Did you mean 'files'?"),
    ],
    ids=["department", "stage", "category"],
)
def test_an_unknown_name_is_answered_with_the_nearest(
    tmp_path: Path, department: str, stage: str, category: str, hint: str
) -> None:
    catalog = catalog_of(tmp_path, MAPPING, alpha=ALPHA)

    with pytest.raises(UnknownNameError) as caught:
        catalog.department(department).category(stage, category)

    assert hint in str(caught.value)
