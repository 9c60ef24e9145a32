r"""Two flows to start from: posts to files, and three kinds of sources to tables.

"Data Lake ETL Pipeline" keeps the posts with a title of more than ten characters, as JSON and
Parquet. "Data Processing Workflow" fetches an API, a file and a database table into a content store
in the output folder, and makes a table of each; a second run says `not_modified`.

Examples:
  python flows/examples/example_data_pipeline.py --output-dir out          # after `airnub up`
  python flows/examples/example_data_pipeline.py --sources-url http://127.0.0.1:8080 \
      --database-url sqlite:////tmp/sample.db
"""

import argparse
import json
from pathlib import Path
from typing import Any, get_args

import pandas as pd
from prefect import flow, task
from prefect.artifacts import create_markdown_artifact

from airnub_prefect_starter.control.programs import (
    run_program,
    sample_database,
    sample_sources,
)
from airnub_prefect_starter.core.artifact_creators import derived_markdown
from airnub_prefect_starter.core.examples.posts import (
    QualityReport,
    check_quality,
    extract_posts,
    load_posts,
    quality_markdown,
    transform_posts,
)
from airnub_prefect_starter.core.examples.three_sources import Kind, fetch_source, process_source
from airnub_prefect_starter.core.manifest_models import DerivedResult
from airnub_prefect_starter.core.store import Store, open_store
from airnub_prefect_starter.tasks.fan_out import fan_out
from airnub_prefect_starter.tasks.retry import RETRY
from airnub_prefect_starter.tasks.run_context import run_info

LEAST_TITLE = 10


@task(name="Extract Data", **RETRY)
def extract_data(url: str) -> bytes:
    """Fetch the posts."""
    return extract_posts(url)


@task(name="Transform Data")
def transform_data(raw: bytes) -> pd.DataFrame:
    """Measure the posts, and keep those with a title of more than ten characters."""
    posts = transform_posts(raw)
    return posts[posts["title_length"] > LEAST_TITLE].reset_index(drop=True)


@task(name="Load Data")
def load_data(
    raw: bytes, posts: pd.DataFrame, report: QualityReport, folder: Path
) -> dict[str, Path]:
    """Write the posts as received and as kept."""
    return load_posts(raw, posts, report, folder)


@flow(name="Data Lake ETL Pipeline", persist_result=False)
def data_lake_etl_pipeline(api_url: str, output_dir: Path) -> tuple[QualityReport, dict[str, Path]]:
    """Extract posts, keep the good ones, load and report."""
    raw = extract_data(api_url)
    posts = transform_data(raw)
    report = check_quality(posts, rows_in=len(raw.splitlines()))
    files = load_data(raw, posts, report, output_dir)
    create_markdown_artifact(key="data-lake-etl-pipeline", markdown=quality_markdown(report, files))
    return report, files


@task(name="Process Source", **RETRY)
def process(kind: Kind, addresses: dict[Kind, str], store_url: str) -> DerivedResult:
    """Fetch one source and make its table; what did not change is not done again."""
    store, run = _store(store_url), run_info()
    fetch_source(store, kind, addresses[kind], run)
    return process_source(store, kind, run)


@flow(name="Data Processing Workflow", persist_result=False)
def data_processing_workflow(addresses: dict[Kind, str], output_dir: Path) -> list[DerivedResult]:
    """Fetch and process every source at once; one that fails fails the run, the others are kept.

    Args:
        addresses: Kind of source → where it is.
        output_dir: The content store is in its folder ``store``.
    """
    store_url = (output_dir.resolve() / "store").as_uri()
    _store(store_url)  # made once, before all start
    outcomes = fan_out(process, get_args(Kind), name=str, addresses=addresses, store_url=store_url)
    create_markdown_artifact(
        key="data-processing-workflow",
        markdown=derived_markdown("Data Processing Workflow", outcomes.found, ()),
    )
    return outcomes.require_all()


def _store(url: str) -> Store:
    return open_store(url, durability="batch")


def main() -> None:
    """Run both flows with the arguments of the command line, and print what they made."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sources-url", help="default: the sample sources of the platform")
    parser.add_argument("--database-url", help="default: the sample database of the platform")
    parser.add_argument("--output-dir", type=Path, default=Path("output"), help="default: output")
    options = parser.parse_args()
    url = options.sources_url or sample_sources()
    addresses: dict[Kind, str] = {
        "api": url,
        "file": url,
        "database": options.database_url or sample_database(),
    }
    report, files = data_lake_etl_pipeline(f"{url}/api/posts", options.output_dir)
    tables = data_processing_workflow(addresses, options.output_dir)
    found: dict[str, Any] = {
        "posts": {"status": report.status, "kept": report.rows_out, "of": report.rows_in},
        "files": {kind: str(path) for kind, path in files.items()},
        "tables": {
            each.source_id: {
                "outcome": each.outcome,
                "rows": each.rows.rows_out if each.rows else None,
                "digest": each.table_digest,
            }
            for each in tables
        },
    }
    print(json.dumps(found, indent=2))  # noqa: T201 - what the program answers


if __name__ == "__main__":
    run_program(main)
