"""What a department's key may do: everything in its own store, nothing in any other.

Object storage has no folders, so the borders are prefixes: objects by their names, listings by the
prefix that they ask for. A listing of unfinished uploads cannot be limited so (S3 knows no such
condition): it shows the names of others' uploads, never their bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WRITE_ACTIONS = ("s3:PutObject", "s3:AbortMultipartUpload")
READ_ACTIONS = ("s3:GetObject",)
COLLECT_ACTIONS = ("s3:DeleteObject",)
"""What gc, quarantine and the removal of pins and probes need beside reading and writing."""


def department_policy(bucket: str, prefix: str) -> dict[str, Any]:
    """Return the policy (IAM JSON, also MinIO's) for one store: ``s3://<bucket>/<prefix>``.

    Args:
        bucket: The bucket's name.
        prefix: The store's prefix without slashes around it; empty for the whole bucket.
    """
    bucket_arn = f"arn:aws:s3:::{bucket}"
    below = f"{prefix}/*" if prefix else "*"
    of_prefix = {"StringLike": {"s3:prefix": [below]}} if prefix else {}
    objects = [*READ_ACTIONS, *WRITE_ACTIONS, *COLLECT_ACTIONS]
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow("Objects", objects, f"{bucket_arn}/{below}"),
            _allow("List", ["s3:ListBucket"], bucket_arn, of_prefix),
            _allow("UnfinishedUploads", ["s3:ListBucketMultipartUploads"], bucket_arn),
        ],
    }


def _allow(
    sid: str, actions: list[str], resource: str, condition: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": [resource]}
    return {**statement, "Condition": dict(condition)} if condition else statement
