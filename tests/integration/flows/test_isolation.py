"""Categories as runs of their own: what they store and how they fail is as in one process.

A copy of the project has a platform of its own. Its departments let one run of a stage happen at
once, so that any category in the stage's queue would wait for ever. Stages that are cancelled, and
those whose pod is moved, are tested as Jobs: tests/e2e/k8s.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from airnub_prefect_starter.common.settings import load_settings
from airnub_prefect_starter.core.manifest_models import DerivedManifest
from airnub_prefect_starter.core.store import Store, department_url, open_store
from airnub_prefect_starter.core.store.copying import copy_store
from airnub_prefect_starter.core.store.layout import ref_key
from tests.integration.flows.isolated_project import add_sample, isolate
from tests.integration.flows.kit import ON_DISK, ROOT, TIMEOUT_S, airnub, api, platform_of

Found = TypeVar("Found")

STAGE = "sample.ingestion"


@pytest.fixture(scope="module")
def isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Register an isolated copy of the project, and a department that does what it is told."""
    folder = tmp_path_factory.mktemp("isolated")
    project = folder / "project"
    for name in ("configs", "flows"):
        shutil.copytree(ROOT / name, project / name)
    isolate(project, "project_alpha", "processing")
    add_sample(project)
    store = (folder / "store").as_uri()
    with platform_of(project, folder / "state", AIRNUB_STORE_URL=store) as environment:
        done = airnub(environment, "bootstrap")
        assert done.returncode == 0, done.stderr
        yield environment


def start(
    environment: dict[str, str], left: list[str], right: list[str], state: str = "SCHEDULED"
) -> str:
    deployment = api(environment, "/deployments/filter", deployments={"name": {"any_": [STAGE]}})
    run = api(
        environment,
        f"/deployments/{deployment[0]['id']}/create_flow_run",
        parameters={"config": {"left": {"steps": left}, "right": {"steps": right}}},
        state={"type": state},
    )
    return str(run["id"])


def children(environment: dict[str, str], run_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api(
        environment,
        "/flow_runs/filter",
        flow_runs={"parent_flow_run_id": {"any_": [run_id]}},
        sort="EXPECTED_START_TIME_ASC",
    )
    return found


def states(environment: dict[str, str], run_id: str) -> list[tuple[str, str]]:
    """List the categories of a stage's run, and in which states their runs are."""
    return sorted(
        (next(tag for tag in run["tags"] if tag.startswith("category:")), run["state_name"])
        for run in children(environment, run_id)
    )


def read(environment: dict[str, str], run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api(
        environment, "/flow_runs/filter", flow_runs={"id": {"any_": [run_id]}}
    )[0]
    return found


def eventually(probe: Callable[[], Found | None]) -> Found:
    end = time.monotonic() + TIMEOUT_S
    while not (found := probe()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.5)
    return found


def ended(environment: dict[str, str], run_id: str) -> dict[str, Any]:
    """Wait for a run's end."""
    final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}

    def found() -> dict[str, Any] | None:
        run = read(environment, run_id)
        return run if run["state_type"] in final else None

    return eventually(found)


def again(environment: dict[str, str], run_id: str) -> None:
    """Let a run begin again under its id, as the button Retry does."""
    api(
        environment,
        f"/flow_runs/{run_id}/set_state",
        state={"type": "SCHEDULED", "name": "AwaitingRetry"},
        force=True,
    )


def kept(environment: dict[str, str]) -> str:
    artifacts = api(environment, "/artifacts/latest/filter")
    return next(str(each["data"]) for each in artifacts if each["key"] == "sample-kept")


def digests(store: Store) -> dict[str, object]:
    """List to which bytes, and for tables to which rows, the refs of the two stages lead."""
    found: dict[str, object] = {}
    for namespace, source, ref in store.refs():
        manifest = store.manifest(ref.manifest.digest)
        if namespace.startswith(("ingestion.", "processing.")):
            found[f"{namespace}/{source}"] = (
                ({**manifest.annotations}, [each.blob.digest for each in manifest.outputs])
                if isinstance(manifest, DerivedManifest)
                else ref.blob and ref.blob.digest
            )
    return found


@ON_DISK
def test_both_ways_make_the_same_tables(
    isolated: dict[str, str], first_run: list[dict[str, Any]], alpha: Store
) -> None:
    settings = load_settings(isolated)
    apart = open_store(department_url(settings.store_url, "project_alpha"))
    copy_store(alpha, apart)
    made = [
        ref_key(namespace, source)
        for namespace, source, _ in apart.refs()
        if namespace.startswith("processing.")
    ]
    apart.backend.delete(made)

    done = airnub(isolated, "run", "project_alpha", "processing")

    assert done.returncode == 0, done.stderr[-3000:]
    assert len(made) == 6
    assert digests(apart) == digests(alpha)


def test_the_runs_of_categories_are_followed_in_a_queue_of_their_own(
    isolated: dict[str, str],
) -> None:
    done = airnub(isolated, "run", "sample", "ingestion", "--json")

    assert done.returncode == 0, done.stderr[-3000:]
    assert "Ingest Left Flow (Sample) is Completed" in done.stderr
    (summary,) = json.loads(done.stdout)
    found = children(isolated, summary["flow_run_id"])
    assert len(found) == 2
    assert {each["work_queue_name"] for each in found} == {"sample-categories"}
    queues = api(isolated, "/work_pools/airnub/queues/filter")
    limits = {each["name"]: each["concurrency_limit"] for each in queues}
    assert limits.items() >= {"sample": 1, "sample-categories": 2}.items()


@pytest.mark.parametrize(
    ("step", "state", "expected"),
    [
        (
            "bad",
            "Failed",
            "right: 1 of 2 failed: bad: SourceRejectedError: bad answered 404 (run {})",
        ),
        ("kill", "Crashed", "right: RunFailedError: The run ended Crashed: "),
    ],
)
def test_a_failed_category_is_named_with_its_run_and_the_rest_is_kept(
    isolated: dict[str, str], step: str, state: str, expected: str
) -> None:
    run = ended(isolated, start(isolated, ["a", "b"], ["c", step]))

    assert run["state_name"] == "Failed"
    assert states(isolated, run["id"]) == [
        ("category:left", "Completed"),
        ("category:right", state),
    ]
    name = next(
        each["name"] for each in children(isolated, run["id"]) if each["state_name"] == state
    )
    message = run["state"]["message"]
    assert f"1 of 2 failed: {expected.format(name)}" in message
    assert f"(run {name})" in message
    assert kept(isolated) == ("a b" if step == "kill" else "a b c")


def test_a_retry_runs_what_failed_and_takes_over_the_rest(
    isolated: dict[str, str], tmp_path: Path
) -> None:
    run_id = start(isolated, ["a"], ["b", f"once {tmp_path / 'begun'}"])
    assert ended(isolated, run_id)["state_name"] == "Failed"

    again(isolated, run_id)

    assert ended(isolated, run_id)["state_name"] == "Completed"
    assert states(isolated, run_id) == [
        ("category:left", "Completed"),
        ("category:right", "Completed"),
        ("category:right", "Failed"),
    ]
    assert kept(isolated) == "a b once"
