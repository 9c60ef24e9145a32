"""The end of a release: what is left is what docs/kubernetes.md says, and nothing else."""

from typing import Any

import pytest

from tests.e2e.k8s.conftest import KEEP
from tests.e2e.k8s.kit import Release, eventually, get, helm

pytestmark = pytest.mark.skipif(KEEP, reason="AIRNUB_E2E_KEEP=1 keeps the release")

CLUSTER_SCOPED = ("namespaces", "priorityclasses", "persistentvolumes", "clusterroles")
NAMESPACED = (
    "all", "secrets", "configmaps", "networkpolicies", "roles", "rolebindings",
    "serviceaccounts", "persistentvolumeclaims", "resourcequotas", "limitranges",
)  # fmt: skip
RUN = "prefect.io/flow-run-id"
# Every namespace has these, whoever made it.
OF_KUBERNETES = {"kube-root-ca.crt", "default"}


def test_uninstall_leaves_its_namespace_alone(release: Release) -> None:
    helm("uninstall", release.name, "-n", release.namespace, "--wait", "--timeout", "5m")

    eventually("all objects are gone", lambda: not left(release), timeout=180)
    # Volumes go a moment after their claims.
    eventually("the rest is gone", lambda: of(release) == ["namespaces"], timeout=120)


def of(release: Release) -> list[str]:
    """Give the kinds of the cluster-scoped objects that are of a release, one for each object."""
    return [
        kind
        for kind in CLUSTER_SCOPED
        for each in get(kind)["items"]
        if owner(each) == release.namespace or owner(each).startswith(f"{release.name}-")
    ]


def owner(found: Any) -> str:
    """Name what an object is of: a volume belongs to its claim's namespace."""
    claim = found.get("spec", {}).get("claimRef")
    return str(claim["namespace"] if claim else found["metadata"]["name"])


def left(release: Release) -> list[str]:
    found = get(",".join(NAMESPACED), "-n", release.namespace)["items"]
    # Finished reports of drift are the worker's, and go when their time is over.
    ours = [each for each in found if RUN not in each["metadata"].get("labels", {})]
    names = [f"{each['kind']}/{each['metadata']['name']}" for each in ours]
    return [name for name in names if name.partition("/")[2] not in OF_KUBERNETES]
