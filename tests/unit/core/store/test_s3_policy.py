from __future__ import annotations

import json

from airnub_prefect_starter.core.store.s3_policy import department_policy


def test_allows_one_prefix_only() -> None:
    policy = department_policy("airnub", "store/project_alpha")
    assert json.loads(json.dumps(policy)) == policy
    objects, listing, uploads = policy["Statement"]
    assert objects["Resource"] == ["arn:aws:s3:::airnub/store/project_alpha/*"]
    assert set(objects["Action"]) == {
        "s3:GetObject",
        "s3:PutObject",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
    }
    assert (listing["Action"], listing["Resource"]) == (["s3:ListBucket"], ["arn:aws:s3:::airnub"])
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["store/project_alpha/*"]}}
    assert uploads["Action"] == ["s3:ListBucketMultipartUploads"]


def test_does_not_reach_a_department_whose_name_starts_alike() -> None:
    policy = department_policy("airnub", "store/alpha")
    assert "store/alpha_two/" not in json.dumps(policy)
    assert '"store/alpha*"' not in json.dumps(policy)


def test_can_be_for_a_whole_bucket() -> None:
    objects, listing, _ = department_policy("alpha-only", "")["Statement"]
    assert objects["Resource"] == ["arn:aws:s3:::alpha-only/*"]
    assert "Condition" not in listing
