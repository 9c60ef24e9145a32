"""The bootstrap Job, and the tests that `helm test` runs."""

from collections.abc import Iterator
from typing import Any

import pytest

from airnub_prefect_starter.common.addresses import TELCO_SAMPLE
from airnub_prefect_starter.common.errors import (
    EXIT_BUG,
    EXIT_USAGE,
    ConfigError,
    PlatformError,
    RunFailedError,
    StarterError,
    exit_code_of,
)
from tests.helm.kit import PROFILES, find, kind, profile, render

TESTS = {
    ("airnub", "airnub-test-api"),
    ("airnub", "airnub-test-bootstrap"),
    ("airnub-dept-customer-churn", "airnub-test-store"),
    ("airnub-dept-data-lake", "airnub-test-store"),
    ("airnub-dept-project-alpha", "airnub-test-store"),
    ("airnub-dept-project-beta", "airnub-test-store"),
    ("airnub-dept-project-beta", "airnub-test-run"),
}


def job(*arguments: str) -> Any:
    return find(render(*PROFILES["local"], *arguments), "Job", "airnub-bootstrap")


def errors(root: type[StarterError] = StarterError) -> Iterator[type[StarterError]]:
    yield root
    for each in root.__subclasses__():
        yield from errors(each)


def test_only_errors_that_a_retry_may_mend_are_tried_again() -> None:
    policy = job()["spec"]["podFailurePolicy"]["rules"][0]
    permanent = {
        each.exit_code
        for each in errors()
        if not each.transient and not issubclass(each, PlatformError | RunFailedError)
    }

    assert policy["action"] == "FailJob"
    assert policy["onExitCodes"]["operator"] == "In"
    assert set(policy["onExitCodes"]["values"]) == permanent | {EXIT_USAGE, EXIT_BUG}


@pytest.mark.parametrize(
    ("error", "fails_at_once"),
    [
        (ConfigError("a flow file cannot be imported"), True),
        (ExceptionGroup("", [ConfigError("one"), ConfigError("two")]), True),
        (PlatformError("the API does not answer"), False),
        # Of two kinds: one of them may go away.
        (ExceptionGroup("", [ConfigError("one"), PlatformError("two")]), False),
        (RuntimeError("a bug"), True),
    ],
)
def test_how_bootstrap_ends(error: Exception, fails_at_once: bool) -> None:
    rules = job()["spec"]["podFailurePolicy"]["rules"][0]["onExitCodes"]

    assert (exit_code_of(error) in rules["values"]) is fails_at_once


def test_an_evicted_bootstrap_is_not_a_failure() -> None:
    rule = job()["spec"]["podFailurePolicy"]["rules"][1]

    assert rule["action"] == "Ignore"
    assert rule["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]


def test_it_runs_after_every_change_of_the_release() -> None:
    annotations = job()["metadata"]["annotations"]

    assert annotations == {
        "helm.sh/hook": "post-install,post-upgrade,post-rollback",
        "helm.sh/hook-weight": "5",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
        "helm.sh/hook-output-log-policy": "hook-failed",
    }
    # What it reads is there by then: only hooks could come later.
    assert "annotations" not in find(profile("local"), "ConfigMap", "airnub-cluster")["metadata"]


def test_it_ends() -> None:
    spec = job()["spec"]

    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (3, 600)
    assert spec["ttlSecondsAfterFinished"] == 3600
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize(
    "change",
    [
        "images.flows.tag=v2",
        "job.memoryLimit=1280Mi",
        "addresses.MORE=x",
        "bootstrap.backoffLimit=1",
    ],
)
def test_as_a_plain_job_its_name_changes_with_its_content(change: str) -> None:
    plain = (*PROFILES["local"], "--set", "bootstrap.useHelmHooks=false")
    before, after = render(*plain), render(*plain, "--set", change)

    assert "annotations" not in _plain(before)["metadata"]
    assert _plain(before)["metadata"]["name"] != _plain(after)["metadata"]["name"]
    # A Job cannot be changed: what stays must stay as it is.
    assert _plain(before) == _plain(render(*plain, "--set", "server.logLevel=INFO"))


def test_it_gets_the_files_and_addresses_it_needs() -> None:
    container = job()["spec"]["template"]["spec"]["containers"][0]
    environment = {each["name"]: each.get("value") for each in container["env"]}
    mounts = {each["mountPath"] for each in container["volumeMounts"]}

    assert container["args"] == ["airnub", "bootstrap"]
    assert environment["AIRNUB_CLUSTER_FILE"] in mounts
    assert "/etc/airnub/s3-users" in mounts
    assert environment["AIRNUB_STORE_URL"] == "s3://airnub/store"
    host = "airnub-sources.airnub.svc.cluster.local"
    assert environment["SOURCES_URL"] == f"http://{host}:8080"
    assert environment["TELCO_SOURCE"] == f"http://{host}:8080{TELCO_SAMPLE}"
    assert environment["SOURCES_DATABASE_URL"] == f"postgresql://reader@{host}:5432/flights"
    assert environment["WAREHOUSE_URL"] == f"postgresql://warehouse@{host}:5432/flights"
    assert (
        environment["PREFECT_API_URL"] == "http://airnub-server.airnub.svc.cluster.local:4200/api"
    )


def test_the_root_key_of_an_external_object_store_is_none_of_its_business() -> None:
    text = str(find(profile("prod"), "Job", "airnub-bootstrap"))

    assert "OBJECT_STORE_ROOT" not in text
    assert "s3-users" not in text


def test_the_warehouse_is_the_one_that_is_named_or_none() -> None:
    url = "postgresql://loader@warehouse.example.com/lake"
    named = ("--set", f"addresses.WAREHOUSE_URL={url}")

    for profile_name, given, expected in (
        ("prod", (), "none"),
        ("prod", named, url),
        ("local", named, url),
    ):
        manifests = render(*PROFILES[profile_name], *given)
        container = find(manifests, "Job", "airnub-bootstrap")["spec"]["template"]["spec"][
            "containers"
        ][0]
        environment = {each["name"]: each.get("value") for each in container["env"]}
        assert environment["WAREHOUSE_URL"] == expected


def test_the_churn_table_is_the_one_that_is_named_or_the_sources_own() -> None:
    own, named = "https://sources.example.com", "https://data.example.com/churn.csv"

    for given, expected in (
        ((), f"{own}{TELCO_SAMPLE}"),
        (("--set", f"addresses.TELCO_SOURCE={named}"), named),
    ):
        manifests = render(*PROFILES["prod"], *given)
        job = find(manifests, "Job", "airnub-bootstrap")["spec"]["template"]["spec"]
        environment = {each["name"]: each.get("value") for each in job["containers"][0]["env"]}
        assert environment["TELCO_SOURCE"] == expected


def test_addresses_reach_bootstrap_and_the_tests() -> None:
    manifests = render(*PROFILES["prod"], "--set", "addresses.SOURCES_URL=https://data.example.com")
    given = {
        each["metadata"]["name"]
        for each in kind(manifests, "Job")
        if "https://data.example.com" in str(each)
    }

    assert given == {
        "airnub-bootstrap",
        "airnub-test-bootstrap",
        "airnub-test-store",
        "airnub-test-run",
    }


def test_what_helm_test_runs() -> None:
    found = {
        (each["metadata"]["namespace"], each["metadata"]["name"]): each
        for each in kind(profile("local"), "Job")
        if each["metadata"].get("annotations", {}).get("helm.sh/hook") == "test"
    }
    run = found["airnub-dept-project-beta", "airnub-test-run"]["spec"]["template"]["spec"]

    assert set(found) == TESTS
    assert run["containers"][0]["args"] == ["airnub", "run", "project_beta", "ingestion"]
    assert run["serviceAccountName"] == "flow-run"
    assert all(each["spec"]["backoffLimit"] == 0 for each in found.values())


def test_the_tests_run_in_an_order_in_which_the_first_failure_is_the_cause() -> None:
    weights = {
        each["metadata"]["name"]: int(each["metadata"]["annotations"]["helm.sh/hook-weight"])
        for each in kind(profile("local"), "Job")
    }

    assert [
        name.removeprefix("airnub-test-")
        for name, _ in sorted(weights.items(), key=lambda item: item[1])
        if "-test-" in name
    ] == ["api", "bootstrap", "store", "run"]


def test_what_is_not_there_is_not_tested() -> None:
    cloud = {each["metadata"]["name"] for each in kind(profile("cloud"), "Job")}
    quiet = render(*PROFILES["local"], "--set", "tests.run=false,bootstrap.enabled=false")

    assert "airnub-test-api" not in cloud
    assert {each["metadata"]["name"] for each in kind(quiet, "Job")} == {
        "airnub-test-api",
        "airnub-test-store",
    }


def test_commands_outside_the_cluster_find_a_release_without_bootstrap() -> None:
    quiet = render(*PROFILES["local"], "--set", "bootstrap.enabled=false")
    usual = find(profile("local"), "ConfigMap", "airnub-cluster")

    assert find(quiet, "ConfigMap", "airnub-cluster") == usual


def _plain(manifests: Any) -> Any:
    jobs = [each for each in kind(manifests, "Job") if "bootstrap-" in each["metadata"]["name"]]
    assert len(jobs) == 1
    return jobs[0]
