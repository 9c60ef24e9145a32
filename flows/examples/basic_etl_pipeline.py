"""Extract posts from an API, measure them, load three formats, and report on their quality.

The answer of a server is kept for an hour (Prefect's cache), so that a second run asks nobody; a
file is always read, for it may be another one by then.
Files are named by the content of the answer: equal posts give equal files.

Examples:
  python flows/examples/basic_etl_pipeline.py --api-url https://jsonplaceholder.typicode.com/posts
  python flows/examples/basic_etl_pipeline.py --api-url file:///tmp/posts.json --output-dir out
"""

import argparse
import json
from datetime import timedelta
from pathlib import Path

import pandas as pd
from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import INPUTS, TASK_SOURCE

from airnub_prefect_starter.control.programs import run_program, sample_sources
from airnub_prefect_starter.core.examples.posts import (
    QualityReport,
    check_quality,
    extract_posts,
    load_posts,
    quality_markdown,
    transform_posts,
)
from airnub_prefect_starter.tasks.retry import RETRY


@task(
    name="Extract Posts",
    cache_policy=INPUTS + TASK_SOURCE,  # INPUTS alone is one key for all tasks
    cache_expiration=timedelta(hours=1),
    persist_result=True,
    **RETRY,
)
def extract(api_url: str) -> bytes:
    """Fetch the posts, unless the same address was asked within the hour."""
    return extract_posts(api_url)


@task(name="Transform Posts")
def transform(raw: bytes) -> pd.DataFrame:
    """Measure titles and bodies."""
    return transform_posts(raw)


@task(name="Load Posts")
def load(raw: bytes, posts: pd.DataFrame, report: QualityReport, folder: Path) -> dict[str, Path]:
    """Write JSON, Parquet, CSV and a summary."""
    return load_posts(raw, posts, report, folder)


@task(name="Report Quality")
def report_quality(report: QualityReport, files: dict[str, Path]) -> None:
    """Publish the report as an artifact."""
    create_markdown_artifact(
        key="basic-etl-pipeline",
        markdown=quality_markdown(report, files),
        description="Quality of the posts",
    )


@flow(name="Basic ETL Pipeline", persist_result=False)
def basic_etl_pipeline(
    api_url: str, output_dir: Path = Path("output"), refresh: bool = False
) -> tuple[QualityReport, dict[str, Path]]:
    """Extract, transform, load and report.

    Args:
        api_url: Address of a JSON list of posts, ``http(s)://`` or ``file://``.
        output_dir: Where the files go.
        refresh: Ask the source even where its answer is kept.
    """
    is_file = api_url.startswith("file:")
    raw = extract.with_options(refresh_cache=refresh or is_file)(api_url)
    posts = transform(raw)
    report = check_quality(posts, rows_in=len(raw.splitlines()))
    files = load(raw, posts, report, output_dir)
    report_quality(report, files)
    return report, files


def main() -> None:
    """Run with the arguments of the command line, and print what was written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--api-url", help="default: the posts of the sample sources")
    parser.add_argument("--output-dir", type=Path, default=Path("output"), help="default: output")
    parser.add_argument("--refresh", action="store_true", help="do not use the kept answer")
    options = parser.parse_args()
    url = options.api_url or f"{sample_sources()}/api/posts"
    report, files = basic_etl_pipeline(url, options.output_dir, options.refresh)
    found = {**report.to_json(), "files": {kind: str(path) for kind, path in files.items()}}
    print(json.dumps(found, indent=2))  # noqa: T201 - what the program answers


if __name__ == "__main__":
    run_program(main)
