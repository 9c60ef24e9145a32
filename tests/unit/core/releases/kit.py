"""Two sources, and what is made of them: small data sets to release."""

from __future__ import annotations

from itertools import count
from threading import Barrier

import pytest

from airnub_prefect_starter.common.errors import RefConflictError
from airnub_prefect_starter.core.derivation import Derivation, commit, read_inputs
from airnub_prefect_starter.core.manifest_models import (
    DerivedOutput,
    DerivedResult,
    RunInfo,
    Source,
)
from airnub_prefect_starter.core.releases.config import DatasetSpec, ReleasedPart, ReleaseStep
from airnub_prefect_starter.core.releases.release import core_release_datasets
from airnub_prefect_starter.core.store import FetchCommit, Store
from airnub_prefect_starter.core.store.layout import RELEASES, Key

NAMESPACE = "versioning.dvc_release"
RUN = RunInfo(flow_run_id="run-1")
STEP = ReleaseStep(
    source_id="release",
    name="shop",
    datasets=(
        DatasetSpec(
            name="raw",
            folder={
                "visits.csv": ReleasedPart(ref="ingestion.files/visits"),
                "orders.csv": ReleasedPart(ref="ingestion.files/orders"),
            },
        ),
        DatasetSpec(
            name="joined.csv",
            file=ReleasedPart(ref="preparation.join/joined", output="joined.csv"),
        ),
    ),
)


def fetch(store: Store, name: str, body: bytes, **said: str) -> None:
    url = f"http://sources.example/{name}"
    with store.spool() as spool:
        spool.write(body)
        source = Source.model_validate({"url": url, "final_url": url, **said})
        store.commit_fetch(FetchCommit("ingestion.files", name, source, spool))


def join(store: Store, body: bytes, code: str = "c") -> DerivedResult:
    inputs = read_inputs(store, ["ingestion.files/visits", "ingestion.files/orders"])
    blob, _ = store.put_bytes(body)
    parameters = {"code": f"sha256:{code * 64}", "step": {"how": "inner"}}
    derivation = Derivation("preparation.join", "joined", inputs, parameters)
    return commit(store, derivation, [DerivedOutput(name="joined.csv", blob=blob)], run=RUN)


def fill(store: Store, joined: bytes = b"1,2\n") -> None:
    fetch(store, "visits", b"id\n1\n")
    fetch(store, "orders", b"id\n2\n")
    join(store, joined)


def release(store: Store, step: ReleaseStep = STEP) -> DerivedResult:
    return core_release_datasets(store, step, namespace=NAMESPACE, run=RUN)


def claiming_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[Key]:
    """Let the first two claim their number at the same moment; give the claims that failed."""
    both, cas = Barrier(2, timeout=60), store.backend.cas
    calls = count()
    lost: list[Key] = []

    def claim(key: Key, data: bytes, expect: str | None) -> str:
        if key.startswith(RELEASES) and next(calls) < 2:
            both.wait()
        try:
            return cas(key, data, expect)
        except RefConflictError:
            lost.extend([key] if key.startswith(RELEASES) else [])
            raise

    monkeypatch.setattr(store.backend, "cas", claim)
    return lost
