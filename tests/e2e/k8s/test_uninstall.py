"""The end of a release: what is left is what docs/kubernetes.md says, and nothing else."""

from tests.e2e.k8s.kit import Release, eventually, get, helm, kubectl

CLUSTER_SCOPED = ("namespaces", "priorityclasses", "persistentvolumes", "clusterroles")
NAMESPACED = (
    "all", "secrets", "configmaps", "networkpolicies", "roles", "rolebindings",
    "serviceaccounts", "persistentvolumeclaims", "resourcequotas", "limitranges",
)  # fmt: skip
# Every namespace has these, whoever made it.
OF_KUBERNETES = {"kube-root-ca.crt", "default"}


def test_uninstall_leaves_its_namespace_alone(release: Release) -> None:
    helm("uninstall", release.name, "-n", release.namespace, "--wait", "--timeout", "5m")

    eventually("all objects are gone", lambda: not left(release), timeout=180)
    for kind in CLUSTER_SCOPED:
        names = [each["metadata"]["name"] for each in get(kind)["items"]]
        ours = [name for name in names if name.startswith(f"{release.name}-")]
        assert ours == []
    assert kubectl("get", "namespace", release.namespace)


def left(release: Release) -> list[str]:
    found = get(",".join(NAMESPACED), "-n", release.namespace)["items"]
    names = [f"{each['kind']}/{each['metadata']['name']}" for each in found]
    return [name for name in names if name.partition("/")[2] not in OF_KUBERNETES]
