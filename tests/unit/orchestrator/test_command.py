"""What the pipeline's command line means."""

from __future__ import annotations

from pathlib import Path

import pytest

from airnub_prefect_starter.common.addresses import TELCO_PIN, TELCO_SAMPLE, TELCO_URL
from airnub_prefect_starter.common.errors import (
    ConfigError,
    ObjectNotFoundError,
    ScriptFailedError,
    StarterError,
)
from airnub_prefect_starter.core.store import open_store
from data_pipeline_orchestrator.command import (
    champion_of,
    chosen_source,
    naming_other_sources,
    parse,
)
from tests.project_kit import make_project, project_settings

STAGES = ("ingestion", "validation")
SAMPLES = {"SOURCES_URL": "http://samples.example"}


def test_changes_go_to_their_steps() -> None:
    given = ["--set", "validation.a.b=1", "--set", "ingestion.c=[2]", "--set", "validation.d=x=y"]

    options = parse("", STAGES, [*given, "--timeout", "5"])

    assert options.changes == {"validation": ["a.b=1", "d=x=y"], "ingestion": ["c=[2]"]}
    assert (options.timeout_s, options.on_cluster) == (5, False)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--set", "validatoin.a=1"], "Did you mean 'validation'"),
        (["--set", "a"], "There is no step 'a'"),
        (["--on", "k8s", "--source", "a.csv"], "do not reach a cluster"),
        (["--on", "k8s", "--set", "validation.a=1"], "do not reach a cluster"),
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


def test_a_file_that_is_not_there_is_named_with_what_else_there_is(tmp_path: Path) -> None:
    settings = project_settings(make_project(tmp_path), **SAMPLES)

    with pytest.raises(ConfigError, match=r"no file file:///no\.csv.*--source sample"):
        chosen_source("/no.csv", settings)


@pytest.mark.parametrize(("status", "named"), [(15, True), (13, True), (17, False), (None, False)])
def test_who_has_no_network_learns_of_other_sources(status: int | None, named: bool) -> None:
    with pytest.raises(StarterError) as caught, naming_other_sources():
        raise ScriptFailedError("Data Ingestion ended", "Look", status)

    assert ("--source sample" in caught.value.remedy) == named


def test_without_a_champion_there_is_no_line(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError, match="customer_churn has no champion"):
        champion_of(open_store(tmp_path.as_uri(), durability="none"))
