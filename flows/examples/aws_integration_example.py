r"""Work with any S3 server: buckets, an object, its event, a function, a catalog, retention.

Puts data into a bucket, tells a function of it (an HTTP address, or a deployment, which in the
cluster is a Kubernetes Job), adds it to the catalog in the bucket, and lets it expire as the
environment says. The server and its keys come from AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, ….

Examples:
  python flows/examples/aws_integration_example.py --bucket datalake
  python flows/examples/aws_integration_example.py --bucket datalake --environment prod \
      --data orders.json --function-url http://127.0.0.1:9001/on-object
  python flows/examples/aws_integration_example.py --bucket datalake --deployment \
      "Processing Flow (Data Lake)/data_lake.processing"
"""

import argparse
import json
from pathlib import Path
from typing import Any, get_args

from prefect import flow, task

from airnub_prefect_starter.common.clock import utc_now
from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.control.programs import read_file, run_program
from airnub_prefect_starter.core.examples.s3_integration import (
    ENVIRONMENTS,
    Environment,
    EnvironmentConfig,
    StoredObject,
    call_function,
    created_event,
    list_buckets,
    put_raw,
    read_catalog,
    set_retention,
    write_entry,
)
from airnub_prefect_starter.tasks.deployment_runs import run_for_object
from airnub_prefect_starter.tasks.retry import RETRY

SAMPLE = b'[{"id": 1, "value": "sample"}]'


@task(name="List Buckets", **RETRY)
def find_buckets() -> list[str]:
    """List the buckets."""
    return list_buckets()


@task(name="Put Object", **RETRY)
def put_object(bucket: str, data: Path | None) -> StoredObject:
    """Put a file's bytes, or the sample, under the time of now."""
    return put_raw(bucket, read_file(data) if data else SAMPLE, utc_now())


@task(name="Call Function", **RETRY)
def call(url: str, event: dict[str, Any], memory_mb: int) -> dict[str, Any]:
    """Post the event to an address."""
    return call_function(url, event, memory_mb)


@task(name="Run Deployment")
def run_on_event(name: str, event: dict[str, Any]) -> dict[str, Any]:
    """Run a deployment for the event's object, and wait for it."""
    about = event["Records"][0]["s3"]["object"]
    run_id, state = run_for_object(name, about["key"], about["eTag"])
    return {"kind": "deployment", "run": run_id, "state": state}


@task(name="Update Catalog", **RETRY)
def update_catalog(put: StoredObject, config: EnvironmentConfig) -> list[dict[str, Any]]:
    """Add the object, and read all entries back."""
    write_entry(put, config)
    return read_catalog(put.bucket)


@task(name="Set Retention", **RETRY)
def retain(bucket: str, config: EnvironmentConfig) -> int | None:
    """Let raw data expire as the environment says."""
    return set_retention(bucket, config)


@flow(name="AWS Data Lake Integration", persist_result=False)
def aws_data_lake_integration(
    bucket: str,
    environment: Environment = "dev",
    data: Path | None = None,
    function_url: str | None = None,
    deployment: str | None = None,
) -> dict[str, Any]:
    """Put an object, tell of it, catalogue it, and set how long it stays.

    Args:
        bucket: An existing bucket.
        environment: Whose memory and retention count.
        data: File to put, else a small sample; parameters of a run are no place for its bytes.
        function_url: Address that gets the event.
        deployment: ``FLOW/NAME`` that is run for the event.
    """
    config = ENVIRONMENTS[environment]
    buckets = find_buckets()
    if bucket not in buckets:
        raise ConfigError(f"There is no bucket {bucket!r}", f"There are: {', '.join(buckets)}")
    put = put_object(bucket, data)
    event = created_event(put)
    calls = []
    if function_url:
        calls.append(call(function_url, event, config.function_memory_mb))
    if deployment:
        calls.append(run_on_event(deployment, event))
    return {
        "buckets": buckets,
        "object": f"s3://{put.bucket}/{put.key}",
        "event": event,
        "calls": calls,
        "catalog": update_catalog(put, config),
        "retention_days": retain(bucket, config),
        "config": config.model_dump(),
    }


def main() -> None:
    """Run with the arguments of the command line, and print what happened."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bucket", required=True, help="an existing bucket")
    parser.add_argument("--environment", choices=get_args(Environment), default="dev")
    parser.add_argument("--data", type=Path, metavar="FILE", help="default: a small sample")
    parser.add_argument("--function-url", metavar="URL", help="is posted the event")
    parser.add_argument("--deployment", metavar="FLOW/NAME", help="is run for the event")
    options = parser.parse_args()
    found = aws_data_lake_integration(
        options.bucket,
        options.environment,
        options.data,
        options.function_url,
        options.deployment,
    )
    print(json.dumps(found, indent=2))  # noqa: T201 - what the program answers


if __name__ == "__main__":
    run_program(main)
