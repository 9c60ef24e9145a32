"""Load the files of a bucket or folder into the data lake: landed, then bronze, then silver.

Every file below the address is listed, however many there are, and kept in the content store; CSV,
JSON and Parquet become one table, whose rows are in memory at once. A file that cannot be read is
named and kept aside, the others are loaded, and the run ends Failed. An empty prefix is an error.

Examples:
  python flows/etl/s3_data_pipeline.py --source s3://datalake/raw --table sales
  python flows/etl/s3_data_pipeline.py --source file:///data/incoming
  AWS_ENDPOINT_URL=http://127.0.0.1:9000 python flows/etl/s3_data_pipeline.py --source s3://b/raw
"""

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact

from airnub_prefect_starter.common.errors import ConfigError, PayloadError
from airnub_prefect_starter.control.programs import run_program
from airnub_prefect_starter.core.lake.object_table import (
    ObjectTable,
    core_make_object_table,
    named,
)
from airnub_prefect_starter.core.manifest_models import SourceResult
from airnub_prefect_starter.core.markdown import artifact_key, escape_markdown, markdown_table
from airnub_prefect_starter.core.object_listing import (
    ListedObject,
    land_object,
    list_objects,
    open_folder,
)
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import department_store, run_info
from flows.dept_data_lake import DEPARTMENT

LANDED = DEPARTMENT.stage("ingestion").category("object_store_files").namespace
TABLES = DEPARTMENT.stage("processing").category("object_store_files").namespace
_AT_ONCE, _THREADS = 200, 8
_SHOWN = 50


@task(name="List Files", **RETRY)
def list_files(source: str) -> list[ListedObject]:
    """List every file, page by page."""
    return list_objects(open_folder(source))


@task(name="Land Files", **RETRY)
def land_files(source: str, items: list[ListedObject]) -> list[SourceResult]:
    """Keep the bytes of some files; what is there already is not read again."""
    store, folder, run = department_store(DEPARTMENT), open_folder(source), run_info()

    def land(item: ListedObject) -> SourceResult:
        return land_object(store, folder, item, namespace=LANDED, run=run)

    with ThreadPoolExecutor(_THREADS) as threads:
        waiting = [threads.submit(copy_context().run, land, item) for item in items]
        return [each.result() for each in waiting]


@task(name="Make Tables", **RETRY)
def make_tables(table: str, items: list[ListedObject], landed: list[SourceResult]) -> ObjectTable:
    """Make the bronze and the silver table of all files."""
    store = department_store(DEPARTMENT)
    return core_make_object_table(
        store, table, items, landed=landed, namespace=TABLES, run=run_info()
    )


@task(name="Publish Files")
def publish_files(
    table: str, items: list[ListedObject], landed: list[SourceResult], made: ObjectTable
) -> None:
    """Show each file with its size and what became of it."""
    rows = [
        [
            escape_markdown(item.name),
            f"{item.size:,}",
            result.outcome,
            escape_markdown(made.unreadable.get(item.name, "loaded")),
        ]
        for item, result in zip(items, landed, strict=True)
    ]
    more = f"\n\n… and {len(rows) - _SHOWN:,} files more" if len(rows) > _SHOWN else ""
    shown = markdown_table(["file", "bytes", "landed", "status"], rows[:_SHOWN])
    create_markdown_artifact(
        key=artifact_key("s3-data-pipeline", table),
        markdown=f"# {len(rows):,} files → silver/{table}\n\n{shown}{more}",
        description="Files of the pipeline",
    )


@flow(name="S3 Data Pipeline", persist_result=False)
def s3_data_pipeline(source: str, table: str = "objects") -> ObjectTable:
    """Land every file, make the tables of those that can be read, and fail if there are others.

    Args:
        source: ``s3://bucket/prefix`` or ``file:///folder``.
        table: Name of the tables in the layers bronze, silver and quarantine.
    """
    items = list_files(source)
    landed = [result for some in _batches(items) for result in land_files(source, some)]
    made = make_tables(table, items, landed)
    publish_files(table, items, landed, made)
    if made.unreadable:
        raise PayloadError(
            f"{len(made.unreadable)} of {len(items)} files cannot be read, the others are loaded: "
            f"{named(made.unreadable)}",
            f"See quarantine/{table}; the bytes are in the store",
        )
    return made


def _batches(items: list[ListedObject]) -> Iterator[list[ListedObject]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def _table_name(text: str) -> str:
    if not text.isidentifier() or text != text.lower() or len(text) > 40:
        raise ConfigError(f"{text!r} cannot be a table", "Use lower-case letters, digits and _")
    return text


def main() -> None:
    """Run with the arguments of the command line, and print what was made."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", required=True, help="s3://bucket/prefix or file:///folder")
    parser.add_argument("--table", default="objects", help="name of the tables; default: objects")
    options = parser.parse_args()
    made = s3_data_pipeline(options.source, _table_name(options.table))
    found = [
        {
            "ref": f"{each.namespace}/{each.source_id}",
            "outcome": each.outcome,
            "rows": each.rows.model_dump() if each.rows else None,
            "table_digest": each.table_digest,
        }
        for each in (made.bronze, made.silver)
    ]
    print(json.dumps(found, indent=2))  # noqa: T201 - what the program answers


if __name__ == "__main__":
    run_program(main)
