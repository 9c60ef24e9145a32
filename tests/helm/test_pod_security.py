"""The checker itself: it must find what admission would refuse."""

from copy import deepcopy
from typing import Any

import pytest

from tests.helm.kit import pods, profile
from tests.pod_security import violations

GOOD: dict[str, Any] = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "volumes": [{"name": "tmp", "emptyDir": {}}],
    "containers": [
        {
            "name": "main",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
            },
        }
    ],
}

BAD = [
    ("hostNetwork", True, "hostNetwork is set"),
    ("hostPID", True, "hostPID is set"),
    ("hostIPC", True, "hostIPC is set"),
    ("volumes/0", {"name": "node", "hostPath": {"path": "/"}}, "volume node is a hostPath"),
    ("volumes/0", {"name": "share", "nfs": {}}, "volume share is a nfs"),
    ("securityContext", {}, "main: runAsNonRoot is not true"),
    ("securityContext/runAsNonRoot", False, "main: runAsNonRoot is not true"),
    ("securityContext/runAsUser", 0, "main: runAsUser is 0"),
    ("securityContext/seccompProfile/type", "Unconfined", "main: seccompProfile is not"),
    ("securityContext/sysctls", [{"name": "kernel.msgmax"}], "sysctl kernel.msgmax"),
    ("securityContext/windowsOptions", {"hostProcess": True}, "hostProcess is set"),
    ("securityContext/seLinuxOptions", {"type": "spc_t"}, "main: seLinuxOptions are set"),
    ("securityContext/appArmorProfile", {"type": "Unconfined"}, "main: appArmorProfile is"),
    ("containers/0/securityContext/runAsUser", 0, "main: runAsUser is 0"),
    ("containers/0/securityContext/runAsNonRoot", False, "main: runAsNonRoot is not true"),
    ("containers/0/securityContext/privileged", True, "main: privileged"),
    ("containers/0/securityContext", {}, "main: allowPrivilegeEscalation is not false"),
    ("containers/0/securityContext/capabilities", {}, "main: not all capabilities are dropped"),
    ("containers/0/securityContext/capabilities/add", ["SYS_ADMIN"], "main: capabilities are"),
    ("containers/0/securityContext/procMount", "Unmasked", "main: procMount is set"),
    ("containers/0/ports", [{"containerPort": 80, "hostPort": 80}], "main: hostPort is set"),
    ("containers/0/livenessProbe", {"httpGet": {"host": "h"}}, "main: livenessProbe names a host"),
    ("containers/0/lifecycle", {"preStop": {"httpGet": {"host": "h"}}}, "main: a lifecycle hook"),
    ("initContainers", [{"name": "init"}], "init: allowPrivilegeEscalation is not false"),
    ("ephemeralContainers", [{"name": "debug"}], "debug: not all capabilities are dropped"),
]


def test_a_restricted_pod_passes() -> None:
    assert violations(GOOD) == []


@pytest.mark.parametrize(("path", "value", "says"), BAD, ids=[path for path, _, _ in BAD])
def test_it_finds(path: str, value: Any, says: str) -> None:
    pod = deepcopy(GOOD)
    *parents, last = [int(each) if each.isdigit() else each for each in path.split("/")]
    place: Any = pod
    for each in parents:
        place = place[each]
    place[last] = value

    assert any(found.startswith(says) for found in violations(pod)), violations(pod)


def test_a_container_may_say_what_its_pod_does_not() -> None:
    pod = deepcopy(GOOD)
    pod["containers"][0]["securityContext"] |= pod.pop("securityContext")

    assert violations(pod) == []


def test_there_are_pods_to_check() -> None:
    assert {pod.component for pod in pods(profile("local"))} == {
        "server", "worker", "postgresql", "object-store", "sources", "bootstrap", "test",
    }  # fmt: skip
