"""A small lake: flights in batches that refer to planes."""

from __future__ import annotations

from airnub_prefect_starter.core.lake.bronze import core_load_bronze
from airnub_prefect_starter.core.lake.silver import core_refine_silver
from airnub_prefect_starter.core.lake.snapshots import TableSnapshot, read_snapshot
from airnub_prefect_starter.core.lake.steps import BronzeStep, ForeignKey, SilverStep
from airnub_prefect_starter.core.manifest_models import DerivedResult, RunInfo
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.table_schema import Column, TableSchema

NAMESPACE = "processing.lake_etl"
RUN = RunInfo(flow_run_id="run-1")
HEADER = b"id,tailnum,delay\n"
CONTRACT = TableSchema(
    columns=(
        Column(name="id", dtype="int", minimum=1),
        Column(name="tailnum", dtype="string", nullable=True),
        Column(name="delay", dtype="int", nullable=True, maximum=1000),
    ),
    key=("id",),
)
PLANES = SilverStep(
    name="planes",
    contract=TableSchema(columns=(Column(name="tailnum", dtype="string"),), key=("tailnum",)),
)
KNOWN_PLANE = ForeignKey(columns=("tailnum",), table="planes", references=("tailnum",))
FLIGHTS = SilverStep(name="flights", contract=CONTRACT, max_rejected_percent=60)


def bronze(*batches: str, name: str = "flights", reader: str = "csv") -> BronzeStep:
    inputs = tuple(f"ingestion.files/{batch}" for batch in batches)
    return BronzeStep.model_validate({"name": name, "inputs": inputs, "reader": reader})


def load(store: Store, *batches: str, name: str = "flights", reader: str = "csv") -> DerivedResult:
    step = bronze(*batches, name=name, reader=reader)
    return core_load_bronze(store, step, namespace=NAMESPACE, run=RUN)


def refine(store: Store, step: SilverStep = FLIGHTS) -> DerivedResult:
    return core_refine_silver(store, step, namespace=NAMESPACE, run=RUN)


def snapshot(store: Store, name: str) -> TableSnapshot:
    return read_snapshot(store, f"{NAMESPACE}/{name}")


def csv(*rows: str) -> bytes:
    return HEADER + "".join(f"{row}\n" for row in rows).encode()
