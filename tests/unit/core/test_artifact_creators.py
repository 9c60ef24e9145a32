from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from airnub_prefect_starter.core.analysis import Findings
from airnub_prefect_starter.core.artifact_creators import (
    derived_markdown,
    findings_markdown,
    manifests_markdown,
    sources_markdown,
    stage_markdown,
)
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedManifest,
    DerivedOutput,
    DerivedResult,
    Descriptor,
    FetchManifest,
    Producer,
    RowCounts,
    RunInfo,
    Source,
    SourceFailure,
    SourceResult,
)

BLOB = Descriptor(media_type="text/csv", digest=f"sha256:{'ab' * 32}", size=2_481_495)
MANIFEST = f"sha256:{'cd' * 32}"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
RESULT = SourceResult(
    source_id="flights-2013-01",
    namespace="ingestion.files",
    outcome="stored",
    manifest=MANIFEST,
    blob=BLOB,
    bytes_in=1200,
    attempts=3,
)
FAILURE = SourceFailure(
    source_id="weather",
    namespace="ingestion.files",
    error="SourceUnavailableError",
    message="http://a/w answered 503 | <b>down</b>. Ask the publisher",
    transient=True,
    exit_code=15,
)
FETCHED = FetchManifest(
    namespace="ingestion.files",
    source_id="flights-2013-01",
    blob=BLOB,
    source=Source(
        url="http://a/flights.csv?key=REDACTED",
        final_url="http://b/flights.csv",
        redirects=("http://b/flights.csv",),
        etag='W/"|x|"',
    ),
    fetched_at=NOW,
    producer=Producer(version="1.2"),
    run=RunInfo(flow_run_id="run-1"),
)
DERIVED = DerivedResult(
    namespace="processing.flight_data",
    source_id="flights",
    outcome="not_modified",
    manifest=MANIFEST,
    outputs=(
        DerivedOutput(name="month=1.parquet", blob=BLOB),
        DerivedOutput(name="rejected.parquet", blob=BLOB),
    ),
    rows=RowCounts(rows_in=28_000, rows_out=27_004, rejected=990, duplicates=6),
    table_digest=f"sha256:{'ef' * 32}",
)


def test_sources_are_listed_with_their_outcome() -> None:
    text = sources_markdown("Ingest Flow (Project Alpha)", [RESULT])

    assert text.startswith("# Ingest Flow (Project Alpha)\n\n**1 of 1 sources are in the store**")
    assert "| flights-2013-01 | stored | 2.5 MB | 1.2 kB | `abababababab` | 3 |" in text
    assert "failed" not in text


def test_failed_sources_are_named_before_the_others() -> None:
    text = sources_markdown("Run", [RESULT], [FAILURE])

    assert "**1 of 2 sources are in the store**, 1.2 kB received." in text
    assert "## 1 failed" in text
    assert text.index("**weather**") < text.index("flights-2013-01")
    assert (
        r"| SourceUnavailableError (exit code 15) | http://a/w answered 503 \| "
        "&lt;b&gt;down&lt;/b&gt;. Ask the publisher | yes, it may pass |"
    ) in text


def test_permanent_failures_are_not_to_be_run_again() -> None:
    permanent = FAILURE.model_copy(update={"transient": False})

    assert "no, correct the cause first" in sources_markdown("Run", [], [permanent])


def test_nothing_at_all_is_said_so() -> None:
    assert "**0 of 0 sources" in sources_markdown("Run", [])


def test_manifests_show_all_that_is_remembered() -> None:
    text = manifests_markdown("Downloads", [(RESULT, FETCHED)], "project_alpha")

    for fact in (
        f"| bytes | `{BLOB.digest}` |",
        f"| manifest | `{MANIFEST}` |",
        "| size | 2,481,495 bytes |",
        "| address | http://a/flights.csv?key=REDACTED |",
        "| final address | http://b/flights.csv |",
        r'| ETag | W/"\|x\|" |',
        "| fetched at | 2026-01-31T12:00:00Z |",
        "| previous manifest | none |",
        "| flow run | run-1 |",
        "`airnub store get ingestion.files/flights-2013-01 --department project_alpha`",
    ):
        assert fact in text
    assert "Last-Modified" not in text


def test_manifests_of_derived_outputs_name_inputs_and_outputs() -> None:
    given = DerivedInput(namespace="a", source_id="b", manifest=MANIFEST, blob=BLOB.digest)
    manifest = DerivedManifest(
        namespace="processing.flight_data",
        source_id="flights",
        inputs=(given, given),
        outputs=DERIVED.outputs,
        created_at=NOW,
        producer=Producer(version="1.2"),
    )

    text = manifests_markdown("Tables", [(RESULT, manifest)])

    assert "| inputs | a/b |" in text
    assert "| outputs | month=1.parquet, rejected.parquet |" in text


def test_derived_tables_reconcile_in_sight() -> None:
    text = derived_markdown("Process Flow", [DERIVED])

    row = r"| flights | not\_modified | 28,000 | 27,004 | 990 | 6 | 2 (5.0 MB) | `efefefefefef` |"
    assert row in text
    assert f"990 rejected rows with their reasons: `airnub store get {BLOB.digest}`" in text


def test_derivations_without_rows_leave_the_counts_empty() -> None:
    summary = DERIVED.model_copy(update={"rows": None, "table_digest": None})

    text = derived_markdown("Analyze Flow", [summary], [FAILURE])

    assert r"| flights | not\_modified |  |  |  |  | 2 (5.0 MB) | `cdcdcdcdcdcd` |" in text
    assert "rejected rows" not in text
    assert "**1 of 2 outputs are in the store.**" in text


def test_findings_show_plots_and_tables() -> None:
    findings = Findings(
        summaries={"flights_by_carrier": pd.DataFrame({"carrier": ["UA"], "flights": [58_665]})},
        plots={"flights_by_month": b"\x89PNG"},
    )

    text = findings_markdown("Summary", findings)

    assert "![Flights by month](data:image/png;base64,iVBORw==)" in text
    assert "## Flights by carrier\n\n| carrier | flights |" in text
    assert "| UA | 58,665 |" in text


def test_a_stage_shows_failed_categories_before_the_others() -> None:
    text = stage_markdown("Ingestion Flow", {"files": 7}, {"web_pages": "notes: <gone> | 404"})

    assert text.splitlines()[4:] == [
        r"| web_pages | **failed** | notes: &lt;gone&gt; \| 404 |",
        "| files | completed | 7 results |",
    ]
