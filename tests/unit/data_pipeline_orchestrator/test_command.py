"""What the pipeline's command line means."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from airnub_prefect_starter.common.addresses import TELCO_PIN, TELCO_SAMPLE, TELCO_URL
from airnub_prefect_starter.common.errors import (
    ConfigError,
    ObjectNotFoundError,
    PlatformError,
    ScriptFailedError,
    StarterError,
)
from airnub_prefect_starter.core.ml.registry import ModelRegistry
from airnub_prefect_starter.core.store import open_store
from data_pipeline_orchestrator import command
from data_pipeline_orchestrator.command import (
    champion_of,
    check_overrides,
    chosen_source,
    naming_other_sources,
    parse,
    run_as_jobs,
    start_on_platform,
)
from tests.project_kit import make_project, own_environment, project_settings

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "data_pipeline_orchestrator"
STAGES = ("ingestion", "validation")
STEPS = (*STAGES, "preparation", "transformation", "versioning", "model_building")
CHAMPION = SimpleNamespace(name="m", number=2, kind="dummy", metrics={"auc": 0.5})
LINE = "Champion: m version 2 (dummy), AUC 0.5000\n"
SAMPLES = {"SOURCES_URL": "http://samples.example"}


def test_overrides_go_to_their_steps() -> None:
    given = ["--set", "validation.a.b=1", "--set", "ingestion.c=[2]", "--set", "validation.d=x=y"]

    options = parse("", STAGES, [*given, "--timeout", "5"])

    assert options.overrides == {"validation": ["a.b=1", "d=x=y"], "ingestion": ["c=[2]"]}
    assert (options.timeout_s, options.on_cluster) == (5, False)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--set", "validatoin.a=1"], "Did you mean 'validation'"),
        (["--set", "a"], "There is no step 'a'"),
        (["--on", "k8s", "--source", "a.csv"], "do not reach a cluster"),
        (["--on", "k8s", "--set", "validation.a=1"], "do not reach a cluster"),
        (["--on", "k8s", "--timeout", "0"], "do not reach a cluster"),
        (["--context", "kind-x"], "are of a cluster. Add --on k8s"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse("", STAGES, arguments)

    assert why in str(caught.value)


def test_a_release_is_named_as_for_other_commands() -> None:
    options = parse("", STAGES, ["--on", "k8s", "--context", "kind-x"])

    assert options.on_cluster
    assert options.release == {"context": "kind-x", "release": None, "namespace": None}


@pytest.mark.parametrize(
    ("given", "environ", "address"),
    [
        (None, {}, TELCO_URL),
        (None, {"AIRNUB_TELCO_CSV": "{file}"}, "{uri}" + TELCO_PIN),
        (None, {"TELCO_SOURCE": "https://x.example/a.csv"}, "https://x.example/a.csv"),
        (None, {"TELCO_SOURCE": "", "AIRNUB_TELCO_CSV": ""}, TELCO_URL),
        ("{file}", {"AIRNUB_TELCO_CSV": "/elsewhere"}, "{uri}"),
        ("https://x.example/b.csv", {"TELCO_SOURCE": "y"}, "https://x.example/b.csv"),
        ("sample", {"AIRNUB_TELCO_CSV": "x"}, f"{SAMPLES['SOURCES_URL']}{TELCO_SAMPLE}"),
    ],
)
def test_the_source_is_the_options_the_settings_or_the_published_table(
    tmp_path: Path, given: str | None, environ: dict[str, str], address: str
) -> None:
    file = tmp_path / "table.csv"
    file.touch()
    names = {"file": str(file), "uri": file.as_uri()}
    settings = project_settings(
        make_project(tmp_path / "project"),
        **SAMPLES,
        **{name: value.format(**names) for name, value in environ.items()},
    )

    found = chosen_source(given.format(**names) if given else None, settings)

    assert found == address.format(**names)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("/no.csv", r"no file file:///no\.csv.*--source sample"),
        ("file://data/no.csv", r"file://data/no\.csv is not an address such as.*--source sample"),
    ],
)
def test_a_file_that_is_not_there_is_named_with_what_else_there_is(
    tmp_path: Path, given: str, why: str
) -> None:
    settings = project_settings(make_project(tmp_path), **SAMPLES)

    with pytest.raises(ConfigError, match=why):
        chosen_source(given, settings)


def test_a_server_without_sample_sources_has_no_synthetic_table(tmp_path: Path) -> None:
    settings = project_settings(make_project(tmp_path), PREFECT_API_URL="http://s.example/api")

    with pytest.raises(ConfigError, match=r"SOURCES_URL.* is not set"):
        chosen_source("sample", settings)


def examples() -> list[str]:
    """Read what is overridden wherever the pipeline and its step are described."""
    files = [*SOURCE.glob("*.py"), SOURCE / "README.md", ROOT / "docs" / "customer-churn.md"]
    text = "\n".join(file.read_text() for file in files)
    of_steps = [".".join(found) for found in re.findall(r"step\.py (\w+) (\S+)", text)]
    return re.findall(r"pipeline\.py.* --set (\S+)", text) + of_steps


@pytest.fixture
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRNUB_PROJECT_ROOT", str(ROOT))
    for name in ("SOURCES_URL", "TELCO_SOURCE", "AIRNUB_TELCO_CSV"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("_in_the_project")
def test_the_overrides_of_the_examples_are_accepted() -> None:
    given = examples()

    assert len(given) >= 3
    for each in given:
        options = parse("", STEPS, ["--set", each])
        check_overrides(options.overrides, "https://x.example/a.csv")


@pytest.mark.usefixtures("_in_the_project")
@pytest.mark.parametrize(
    ("stage", "override", "why"),
    [
        ("validation", "contracts.drop_identical_sources=false", "unknown key"),
        ("model_building", "training.models.0.gates.min_auc=high", "gates.min_auc: 'high'"),
        ("ingestion", "customer_date.files=[]", "Did you mean 'customer_data'"),
    ],
)
def test_a_wrong_override_is_told_before_the_first_step(
    stage: str, override: str, why: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_overrides({stage: [override]}, "https://x.example/a.csv")

    assert why in str(caught.value)


@pytest.mark.parametrize("status", [10, 11, 13, 14, 15, 16])
def test_who_has_no_network_learns_of_other_sources(status: int) -> None:
    with pytest.raises(StarterError) as caught, naming_other_sources():
        raise ScriptFailedError("Data Ingestion ended", "Look", status)

    assert "--source sample" in caught.value.remedy


@pytest.mark.parametrize("status", [17, None])
def test_who_has_another_trouble_does_not(status: int | None) -> None:
    with pytest.raises(StarterError) as caught, naming_other_sources():
        raise ScriptFailedError("Data Ingestion ended", "Look", status)

    assert caught.value.remedy == "Look"


def test_the_program_begins_again_until_the_environment_says_what_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project(tmp_path)
    begun: list[bool] = []
    (root / ".env").write_text("AWS_ACCESS_KEY_ID=key\nPREFECT_API_URL=http://s.example/api\n")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setattr(command, "_begin_again", lambda: begun.append(True))

    with own_environment(AIRNUB_PROJECT_ROOT=str(root)):
        for _ in range(2):
            start_on_platform()
        found = (os.environ["AWS_ACCESS_KEY_ID"], os.environ["PREFECT_API_URL"])

    assert found == ("key", "http://s.example/api")
    assert begun == [True]


def test_a_platform_that_did_not_come_up_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_run_or_exit", lambda _: 0)

    with (
        own_environment(AIRNUB_PROJECT_ROOT=str(make_project(tmp_path))),
        pytest.raises(PlatformError, match="Run `airnub up`"),
    ):
        start_on_platform()


@pytest.mark.parametrize(
    ("code", "champion", "printed"),
    [(0, CHAMPION, LINE), (1, CHAMPION, LINE), (1, None, "")],
    ids=["completed", "drift", "an earlier stage"],
)
def test_a_champion_is_named_whatever_became_of_the_run(
    code: int,
    champion: object,
    printed: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands: list[Sequence[str]] = []

    def run(given: Sequence[str], accepted: Collection[int]) -> int:
        commands.append(given)
        assert code in accepted
        return code

    there = project_settings(ROOT, AIRNUB_STORE_URL=tmp_path.as_uri())
    open_store(f"{tmp_path.as_uri()}/customer_churn", durability="none")
    monkeypatch.setenv("AIRNUB_PROJECT_ROOT", str(ROOT))
    monkeypatch.setattr(command, "_run_or_exit", run)
    monkeypatch.setattr(command, "on_cluster", lambda *_: nullcontext(there))
    monkeypatch.setattr(ModelRegistry, "champion", lambda _: champion)

    found = run_as_jobs({"context": "kind-x", "release": None, "namespace": None})

    assert found == code
    assert capsys.readouterr().out == printed
    (given,) = commands
    assert [*given[3:]] == ["run", "customer_churn", "--on", "k8s", "--context", "kind-x"]


def test_without_a_champion_there_is_no_line(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError, match="customer_churn has no champion"):
        champion_of(open_store(tmp_path.as_uri(), durability="none"))
