from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from airnub_prefect_starter.common.errors import ObjectNotFoundError, UnknownNameError
from airnub_prefect_starter.core.derivation import Derivation, commit, read_inputs
from airnub_prefect_starter.core.lineage import Trace, TraceNode, render_trace, trace
from airnub_prefect_starter.core.lineage_graph import MIN_PREFIX
from airnub_prefect_starter.core.manifest_models import (
    DerivedOutput,
    DerivedResult,
    RunInfo,
    RunReport,
    SourceFailure,
)
from airnub_prefect_starter.core.store import Committed, Store

PutSource = Callable[..., Committed]
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SOURCE = "ingestion.files/flights"
TABLE = "processing.flight_data/flights"
PLOT = "analysis.flight_summary/plot"


def _derive(
    store: Store,
    ref: str,
    inputs: list[str],
    body: bytes,
    run_id: str = "run-derive",
    table_digest: str | None = None,
) -> DerivedResult:
    namespace, source_id = ref.split("/")
    blob, _ = store.put_bytes(body)
    derivation = Derivation(namespace, source_id, read_inputs(store, inputs), {})
    return commit(
        store,
        derivation,
        [DerivedOutput(name="all.parquet", blob=blob)],
        table_digest=table_digest,
        run=RunInfo(flow_run_id=run_id),
    )


def _report(run_id: str, **facts: object) -> RunReport:
    given: dict[str, object] = {
        "run_id": run_id,
        "flow": f"Flow {run_id}",
        "started_at": NOW,
        "finished_at": NOW,
        **facts,
    }
    return RunReport.model_validate(given)


@pytest.fixture
def store(content_store: Store, put_source: PutSource) -> Store:
    put_source(SOURCE, b"fetched", run_id="run-fetch")
    put_source("ingestion.files/other", b"unrelated")
    _derive(content_store, TABLE, [SOURCE], b"table")
    _derive(content_store, PLOT, [TABLE], b"plot", "run-analyze")
    content_store.write_report(_report("run-fetch", parent_run_id="run-parent"))
    content_store.write_report(_report("run-parent"))
    return content_store


def _walk(nodes: tuple[TraceNode, ...]) -> Iterator[TraceNode]:
    for node in nodes:
        yield node
        yield from _walk(node.children)


def _names(nodes: tuple[TraceNode, ...]) -> list[str]:
    return [f"{node.kind} {node.label.split(',')[0]}" for node in _walk(nodes)]


def _blob(store: Store, ref: str) -> str:
    found = store.ref(*ref.split("/"))
    assert found is not None
    node = trace(store, found.manifest.digest).made_into[0]
    assert node.kind == "blob"
    return node.id


def test_a_ref_in_both_directions(store: Store) -> None:
    found = trace(store, TABLE)

    assert (found.target.kind, found.target.id) == ("ref", TABLE)
    assert _names(found.made_of) == [
        f"manifest {SOURCE}",
        "source answered application/octet-stream",
        "run Flow run-fetch",
        "run no report",
    ]
    assert _names(found.made_into) == [
        "blob all.parquet",
        f"manifest {PLOT}",
        "blob all.parquet",
    ]


def test_from_a_plot_back_to_the_address(store: Store) -> None:
    found = trace(store, _blob(store, PLOT))

    assert found.target.label == "all.parquet"
    sources = [node.id for node in _walk(found.made_of) if node.kind == "source"]
    assert sources == ["http://sources.example/flights"]
    assert found.made_into == ()


def test_from_fetched_bytes_to_the_plot(store: Store) -> None:
    found = trace(store, _blob(store, SOURCE))

    assert f"manifest {PLOT}" in _names(found.made_into)
    assert not any("other" in name for name in _names(found.made_into))


def test_a_manifest_is_traced_like_its_ref(store: Store) -> None:
    ref = store.ref(*TABLE.split("/"))
    assert ref is not None

    by_digest, by_ref = trace(store, ref.manifest.digest), trace(store, TABLE)

    assert by_digest.target.kind == "manifest"
    assert (by_digest.made_of, by_digest.made_into) == (by_ref.made_of, by_ref.made_into)


@pytest.mark.parametrize("run_id", ["run-fetch", "run-parent", "RUN-PARENT", "run-pare"])
def test_a_run_and_the_runs_that_it_started(store: Store, run_id: str) -> None:
    found = trace(store, run_id)

    assert [node.label.split(",")[0] for node in found.made_into] == [SOURCE]
    assert f"manifest {PLOT}" in _names(found.made_into)


def test_a_run_that_changed_nothing_still_names_what_it_confirmed(store: Store) -> None:
    unchanged = _derive(store, TABLE, [SOURCE], b"table")
    store.write_report(_report("run-again", derived=[unchanged]))

    assert unchanged.outcome == "not_modified"
    assert [node.id for node in trace(store, "run-again").made_into] == [unchanged.manifest]


@pytest.mark.parametrize("run_id", ["run-fetch", "run-parent"])
def test_a_failed_run_tells_what_failed(store: Store, run_id: str) -> None:
    failure = SourceFailure(
        source_id="planes",
        namespace="ingestion.files",
        error="SourceRejectedError",
        message="404 Not Found",
        transient=False,
        exit_code=14,
    )
    store.write_report(_report("run-fetch", parent_run_id="run-parent", failures=[failure]))

    found = trace(store, run_id)

    assert found.failed == (failure,)
    assert render_trace(found).endswith(
        "\n\nfailed:\ningestion.files/planes  SourceRejectedError: 404 Not Found"
    )
    assert trace(store, "run-analyze").failed == ()


def test_a_digest_of_rows_leads_to_all_that_have_them(store: Store) -> None:
    rows = f"sha256:{'7' * 64}"
    first = _derive(store, TABLE, [SOURCE], b"one encoding", table_digest=rows)
    second = _derive(store, TABLE, [SOURCE], b"another encoding", table_digest=rows)
    reader = _derive(store, PLOT, [TABLE], b"another plot")

    found = trace(store, rows.removeprefix("sha256:")[:12])

    assert (found.target.kind, found.target.id, found.target.label) == ("table", rows, TABLE)
    assert {node.id for node in found.made_of} == {first.manifest, second.manifest}
    assert [node.id for node in found.made_into] == [reader.manifest]


@pytest.mark.parametrize("prefix", ["", "sha256:"])
def test_a_short_digest_is_enough(store: Store, prefix: str) -> None:
    digest = _blob(store, TABLE)
    short = digest.removeprefix("sha256:")[:MIN_PREFIX]

    assert trace(store, f"{prefix}{short.upper()}".replace("SHA", "sha")).target.id == digest


def test_an_ambiguous_name_is_refused_with_the_candidates(store: Store) -> None:
    store.write_report(_report("run-analyze-2"))

    with pytest.raises(UnknownNameError) as caught:
        trace(store, "run-anal")

    assert "the beginning of 2 names" in caught.value.message
    assert caught.value.remedy == "One of run-analyze-2, run-analyze"
    # A whole name is never ambiguous.
    assert trace(store, "run-analyze").target.id == "run-analyze"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("abc", "too short"),
        ("", "too short"),
        ("sha256:abc", "too short"),
    ],
)
def test_too_short_a_name_is_refused(store: Store, target: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        trace(store, target)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("f" * 64, "No manifest or run"),
        ("processing.flight_data/flight", f"Did you mean {TABLE}"),
        ("zzz/zzz", "airnub store ls"),
    ],
)
def test_an_unknown_name_is_refused(store: Store, target: str, message: str) -> None:
    with pytest.raises(ObjectNotFoundError, match=message):
        trace(store, target)


def test_a_table_made_of_itself_over_and_over_stays_small(store: Store) -> None:
    for number in range(30):
        _derive(store, TABLE, [SOURCE, TABLE, TABLE], f"table {number}".encode())

    found = trace(store, TABLE)

    nodes = list(_walk(found.made_of))
    assert len(nodes) < 150
    assert any("expanded elsewhere" in node.note for node in nodes)
    assert any("deeper than 20 levels" in node.note for node in nodes)


def test_bytes_that_are_their_own_source_end(store: Store) -> None:
    copy = _derive(store, "processing.copies/copy", [SOURCE], b"fetched")

    found = trace(store, copy.outputs[0].blob.digest)

    assert len(list(_walk(found.made_of))) < 10
    assert len(list(_walk(found.made_into))) < 10


def test_a_trace_is_drawn_as_a_tree(store: Store) -> None:
    lines = render_trace(trace(store, TABLE)).splitlines()

    assert lines[0].startswith(f"ref {TABLE}  {TABLE}, computed 2026-01-31T12:00:00Z")
    assert "made of:" in lines
    assert "│  └─ run run-fetch  Flow run-fetch, 2026-01-31T12:00:00Z" in lines
    assert lines[-1].startswith("   └─ blob ")


def test_a_drawing_cannot_control_the_terminal() -> None:
    node = TraceNode(kind="source", id="http://a/\x1b[2J", label="a\nb")

    drawing = render_trace(Trace(target=node, made_of=(), made_into=()))

    assert drawing.splitlines()[0] == "source http://a/?[2J  a?b"
    assert "made of: nothing known" in drawing


def test_a_trace_round_trips_as_json(store: Store) -> None:
    found = trace(store, TABLE)

    assert Trace.model_validate_json(found.canonical()) == found
