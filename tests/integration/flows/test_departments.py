"""Departments as a user runs them: whole, unchanged, broken, overlapping, damaged.

What depends on what the store does (publish, quarantine, let two writers meet) runs twice, with the
store on disk and in a bucket of MinIO. The whole department runs on MinIO as Jobs: tests/e2e/k8s.
"""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.core.manifest_models import DerivedManifest
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.bodies import BytesBody
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import (
    BLOBS,
    MANIFESTS,
    PINS,
    QUARANTINE,
    REFS,
    RESULTS,
    Key,
    blob_key,
)
from airnub_prefect_starter.core.store.protocol import Stat
from airnub_prefect_starter.core.store.verify import verify
from tests.integration.flows.kit import ON_DISK, ON_EVERY_STORE, airnub, api, reports

SOURCES = 19
TABLES = 6
REFERENCE_FILES = "ingestion/reference_files"
AIRLINES = ("ingestion.reference_files", "airlines")


def immutable(store: Store) -> list[Stat]:
    """List the objects that an unchanged run must not touch, with their times of change."""
    kept = (BLOBS, MANIFESTS, REFS, PINS)
    return [stat for prefix in kept for stat in store.backend.list(prefix)]


def contents(store: Store) -> list[bytes]:
    """Read every object of a store."""
    found = []
    for stat in store.backend.list(""):
        with store.backend.open(stat.key) as reader:
            found.append(reader.read())
    return found


def outcomes(store: Store, known: set[str]) -> Counter[str]:
    """Count how sources and outputs fared in the runs that are not yet known."""
    new = [report for run_id, report in reports(store).items() if run_id not in known]
    found: Counter[str] = Counter(result.outcome for report in new for result in report.results)
    found.update(result.outcome for report in new for result in report.derived)
    return found


@ON_DISK
def test_the_stages_run_one_after_the_other_by_their_automations(
    first_run: list[dict[str, Any]],
) -> None:
    assert [summary["state"] for summary in first_run] == ["Completed"] * 3


@ON_DISK
def test_the_first_run_stores_every_source_and_recovers_the_flaky_one(
    first_run: list[dict[str, Any]], alpha: Store
) -> None:
    results = {
        (result.namespace, result.source_id): result
        for report in reports(alpha).values()
        for result in report.results
        if result.outcome != "not_modified"
    }

    assert len(results) == SOURCES
    flaky = results["ingestion.scheduled_file_downloads", "airports"]
    assert flaky.attempts == 3  # refused, cut off halfway, resumed
    assert flaky.blob.digest.endswith(
        "36c290b69800422f36618f471a042b670b9329e8eb0686eff44f371a9761e148"
    )


@ON_DISK
def test_rows_are_accounted_for_and_traceable(
    first_run: list[dict[str, Any]], alpha: Store
) -> None:
    derived = {
        manifest.source_id: manifest
        for _, manifest in alpha.manifests()
        if isinstance(manifest, DerivedManifest) and manifest.rows
    }

    assert len(derived) >= TABLES
    assert all(manifest.rows and manifest.rows.reconciles() for manifest in derived.values())
    weather = derived["weather"].rows
    assert weather is not None
    assert (weather.rows_in, weather.rejected) == (26_115, 1)  # the gust of 1,048 mph
    assert not verify(alpha, level="deep").violations


@ON_DISK
def test_task_results_are_in_the_departments_store(
    first_run: list[dict[str, Any]], alpha: Store
) -> None:
    assert any(alpha.backend.list(RESULTS))


@ON_DISK
def test_no_secret_is_in_the_store_the_variables_or_the_logs(
    first_run: list[dict[str, Any]],
    registered: dict[str, str],
    settings: Settings,
    alpha: Store,
) -> None:
    secrets = [registered["SOURCES_TOKEN"].encode()]
    texts = contents(alpha)
    texts += [path.read_bytes() for path in (settings.home / "logs").iterdir()]
    for registry in ("variables", "block_documents", "deployments", "logs"):
        texts.append(json.dumps(api(registered, f"/{registry}/filter")).encode())

    assert not any(secret in text for text in texts for secret in secrets)


@ON_DISK
def test_a_second_run_writes_nothing_but_its_reports(
    first_run: list[dict[str, Any]], registered: dict[str, str], alpha: Store
) -> None:
    before, known = immutable(alpha), set(reports(alpha))

    done = airnub(registered, "run", "project_alpha", "--json")

    assert done.returncode == 0, done.stderr[-3000:]
    assert immutable(alpha) == before
    assert set(outcomes(alpha, known)) == {"not_modified"}
    new = [report for run_id, report in reports(alpha).items() if run_id not in known]
    assert sum(result.bytes_in for report in new for result in report.results) == 0


@ON_DISK
def test_a_failed_source_fails_the_run_by_name_and_the_others_are_kept(
    first_run: list[dict[str, Any]], registered: dict[str, str], alpha: Store
) -> None:
    known = set(reports(alpha))
    sources = registered["SOURCES_URL"]
    requests.post(f"{sources}/control/break?path=/files/weather.csv", timeout=10).raise_for_status()
    try:
        done = airnub(registered, "run", "project_alpha", "ingestion", "--json")
    finally:
        requests.post(f"{sources}/control/heal", timeout=10).raise_for_status()

    assert done.returncode == 1
    assert json.loads(done.stdout)[0]["state"] == "Failed"
    assert "weather: SourceUnavailableError" in done.stderr
    new = [report for run_id, report in reports(alpha).items() if run_id not in known]
    failures = [failure for report in new for failure in report.failures]
    assert [(each.source_id, each.error) for each in failures] == [
        ("weather", "SourceUnavailableError")
    ]
    assert sum(len(report.results) for report in new) == SOURCES - 1


@ON_DISK
def test_bytes_other_than_the_expected_ones_are_not_stored(
    registered: dict[str, str], beta: Store
) -> None:
    before = immutable(beta)
    wrong = "files.0.expected_digest=sha256:" + "0" * 64

    done = airnub(registered, "run", "project_beta", REFERENCE_FILES, "--set", wrong, "--json")

    assert done.returncode == 1
    assert "DigestMismatchError" in done.stderr
    assert immutable(beta) == before


@ON_EVERY_STORE
def test_overlapping_runs_complete_and_store_a_source_once(
    registered: dict[str, str], beta: Store
) -> None:
    known = set(reports(beta))
    before = {each.key for each in beta.backend.list(BLOBS)}

    def run(_: int) -> int:
        return airnub(registered, "run", "project_beta", REFERENCE_FILES).returncode

    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(run, range(2)))

    assert codes == [0, 0]
    assert outcomes(beta, known).total() == 2
    refs = [(namespace, source) for namespace, source, _ in beta.refs()]
    assert [each for each in refs if each[0] == AIRLINES[0]] == [AIRLINES]
    ref = beta.ref(*AIRLINES)
    assert ref is not None
    assert ref.blob is not None
    after = {each.key for each in beta.backend.list(BLOBS)}
    # Stored once: nothing but its own blob may have come, and it is there.
    assert after == before | {blob_key(Digest(ref.blob.digest))}
    assert not verify(beta, level="deep").violations


def heal_by_a_run(environment: dict[str, str], store: Store) -> None:
    """Ingest again: a blob of the wrong size is seen before the source is asked for changes."""
    known = set(reports(store))
    done = airnub(environment, "run", "project_beta", REFERENCE_FILES)
    assert done.returncode == 0, done.stderr[-3000:]
    assert outcomes(store, known) == {"repaired": 1}


def heal_by_verify(environment: dict[str, str], store: Store) -> None:
    """Read everything: nothing else sees wrong bytes of the right size before they are used."""
    options = ("--level", "deep", "--repair", "--allow-network", "127.0.0.0/8")
    done = airnub(environment, "store", "verify", *options, "-d", "project_beta", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    assert [each["repaired"] for each in json.loads(done.stdout)["violations"]] == [True]


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def altered(data: bytes) -> bytes:
    return b"\0" + data[1:]


@pytest.mark.parametrize(
    ("damage", "heal"),
    [(cut, heal_by_a_run), (altered, heal_by_verify)],
    ids=["cut", "altered"],
)
@ON_EVERY_STORE
def test_a_damaged_blob_is_healed_from_its_source(
    registered: dict[str, str],
    beta: Store,
    damage: Callable[[bytes], bytes],
    heal: Callable[[dict[str, str], Store], None],
) -> None:
    key, good = stored_airlines(registered, beta)
    bad = damage(good)
    replace(beta, key, bad)
    quarantined = len(list(beta.backend.list(QUARANTINE)))

    heal(registered, beta)

    with beta.backend.open(key) as reader:
        assert reader.read() == good
    assert len(list(beta.backend.list(QUARANTINE))) == quarantined + 1
    assert not verify(beta, level="deep").violations


def stored_airlines(environment: dict[str, str], store: Store) -> tuple[Key, bytes]:
    """Give a blob that a run has stored, running it if none has."""
    if store.ref(*AIRLINES) is None:
        done = airnub(environment, "run", "project_beta", REFERENCE_FILES)
        assert done.returncode == 0, done.stderr[-3000:]
    ref = store.ref(*AIRLINES)
    assert ref is not None
    assert ref.blob is not None
    return blob_key(Digest(ref.blob.digest)), store.read_blob(ref.blob.digest)


def replace(store: Store, key: Key, data: bytes) -> None:
    """Put other bytes where an object is, as no writer of the store does."""
    store.backend.put(key, BytesBody(data), sha256=Digest.of(data), size=len(data), if_absent=False)
