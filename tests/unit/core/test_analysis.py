from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from pydantic import ValidationError

from airnub_prefect_starter.common.errors import ObjectNotFoundError, PayloadError
from airnub_prefect_starter.core.analysis import core_analyze_and_store, read_findings
from airnub_prefect_starter.core.data_cleaning import core_process_and_store
from airnub_prefect_starter.core.manifest_models import DerivedManifest, RunInfo
from airnub_prefect_starter.core.steps import AnalysisStep, ProcessingStep
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.table_schema import Column, TableSchema

PutSource = Callable[..., object]
SOURCE = "ingestion.files/flights"
STEP = AnalysisStep(
    source_id="summary",
    tables={"flights": "processing.flight_data/flights"},
    summaries=("flights_by_month_and_origin", "flights_by_carrier"),
    plots=("flights_by_month",),
)
NAMESPACE = "analysis.flight_summary"
CSV = b"""year,month,carrier,origin,dep_time,dep_delay
2013,1,NA,EWR,517,2
2013,1,UA,EWR,NA,NA
2013,2,UA,JFK,600,-1
x,2,UA,JFK,600,-1
"""
TABLE = TableSchema(
    columns=(
        Column(name="year", dtype="int"),
        Column(name="month", dtype="int"),
        Column(name="carrier", dtype="string"),
        Column(name="origin", dtype="string"),
        Column(name="dep_time", dtype="int", nullable=True),
        Column(name="dep_delay", dtype="int", nullable=True),
    ),
    key=("month", "carrier", "origin"),
    partition_by=("month",),
    na_values=("",),
)


@pytest.fixture
def store(content_store: Store, put_source: PutSource) -> Store:
    put_source(SOURCE, CSV.replace(b"NA,NA", b","))
    step = ProcessingStep(source_id="flights", inputs=(SOURCE,), table=TABLE)
    core_process_and_store(content_store, step, namespace="processing.flight_data")
    return content_store


def test_stores_summaries_and_plots_with_their_lineage(store: Store) -> None:
    result = core_analyze_and_store(
        store, STEP, namespace=NAMESPACE, run=RunInfo(flow_run_id="run-1")
    )

    assert result.outcome == "stored"
    assert [(output.name, output.blob.media_type) for output in result.outputs] == [
        ("flights_by_month_and_origin.csv", "text/csv"),
        ("flights_by_carrier.csv", "text/csv"),
        ("flights_by_month.png", "image/png"),
    ]
    manifest = store.manifest(result.manifest)
    assert isinstance(manifest, DerivedManifest)
    assert {each.source_id for each in manifest.inputs} == {"flights"}
    # One input per partition; the rejected rows are none.
    assert len(manifest.inputs) == 2


def test_findings_are_read_back_as_they_were(store: Store) -> None:
    findings = read_findings(store, core_analyze_and_store(store, STEP, namespace=NAMESPACE))

    assert findings.summaries["flights_by_carrier"]["carrier"].tolist() == ["UA", "NA"]
    assert findings.summaries["flights_by_carrier"]["flights"].tolist() == [2, 1]
    assert findings.plots["flights_by_month"].startswith(b"\x89PNG")


def test_a_second_run_computes_nothing_and_finds_the_same(store: Store) -> None:
    first = core_analyze_and_store(store, STEP, namespace=NAMESPACE)

    second = core_analyze_and_store(store, STEP, namespace=NAMESPACE)

    assert second == first.model_copy(update={"outcome": "not_modified"})
    pd.testing.assert_frame_equal(
        read_findings(store, second).summaries["flights_by_carrier"],
        read_findings(store, first).summaries["flights_by_carrier"],
    )


def test_another_choice_is_computed(store: Store) -> None:
    core_analyze_and_store(store, STEP, namespace=NAMESPACE)
    without = STEP.model_copy(update={"plots": ()})

    assert core_analyze_and_store(store, without, namespace=NAMESPACE).outcome == "stored"


def test_a_missing_table_is_named_with_its_stage(content_store: Store) -> None:
    with pytest.raises(ObjectNotFoundError) as caught:
        core_analyze_and_store(content_store, STEP, namespace=NAMESPACE)

    assert "processing.flight_data/flights" in caught.value.message
    assert "airnub run DEPARTMENT processing" in caught.value.remedy


def test_what_is_no_table_is_refused(store: Store) -> None:
    step = STEP.model_copy(update={"tables": {"flights": SOURCE}})

    with pytest.raises(PayloadError, match="Not Parquet"):
        core_analyze_and_store(store, step, namespace=NAMESPACE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"summaries": ["flights_by_mont"]}, "did you mean 'flights_by_month'"),
        ({"plots": ["zzz"]}, "is none of flights_by_month, delay_by_hour"),
        ({"plots": ["delay_by_hour"]}, "plot delay_by_hour needs the summaries delays_by_hour"),
        ({"summaries": ["delays_by_weather"]}, "needs the tables weather"),
        ({"tables": {"flights": "processing"}}, "String should match pattern"),
        ({"summaries": []}, "at least 1 item"),
        ({"unknown": 1}, "Extra inputs"),
    ],
    ids=["misspelt", "unknown", "summary-missing", "table-missing", "no-ref", "nothing", "closed"],
)
def test_steps_that_cannot_be(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AnalysisStep.model_validate({**STEP.model_dump(), "plots": [], **changes})
