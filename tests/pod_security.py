"""What Kubernetes' Pod Security Standards call "restricted", as a check of pod specs.

Written from https://kubernetes.io/docs/concepts/security/pod-security-standards/ (v1.34), for Linux
pods. For the chart's pods and for the Jobs that Prefect's worker makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Pod = Mapping[str, Any]

_VOLUMES = frozenset(
    {
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image",
        "persistentVolumeClaim", "projected", "secret",
    }
)  # fmt: skip
_SECCOMP = ("RuntimeDefault", "Localhost")
_SELINUX = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
        "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
    }
)  # fmt: skip


def containers(pod: Pod) -> Iterator[Mapping[str, Any]]:
    """List a pod spec's containers of every kind."""
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from pod.get(kind) or []


def violations(pod: Pod) -> list[str]:
    """List where a pod spec is less than "restricted"; empty if it passes admission."""
    found = list(_of_pod(pod))
    for container in containers(pod):
        name = container["name"]
        found += [f"{name}: {each}" for each in _of_container(container, pod)]
    return found


def _of_pod(pod: Pod) -> Iterator[str]:
    context = pod.get("securityContext") or {}
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield f"{field} is set"
    for volume in pod.get("volumes") or []:
        kinds = set(volume) - {"name"}
        if kinds - _VOLUMES:
            yield f"volume {volume['name']} is a {', '.join(sorted(kinds - _VOLUMES))}"
    for sysctl in context.get("sysctls") or []:
        if sysctl["name"] not in _SYSCTLS:
            yield f"sysctl {sysctl['name']}"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield "hostProcess is set"


def _of_container(container: Mapping[str, Any], pod: Pod) -> Iterator[str]:
    own = container.get("securityContext") or {}
    both = {**(pod.get("securityContext") or {}), **own}
    yield from _escalation(own)
    yield from _identity(both)
    if any("hostPort" in port for port in container.get("ports") or []):
        yield "hostPort is set"
    for hook in (container.get("lifecycle") or {}).values():
        if "host" in hook.get("httpGet", {}) or "host" in hook.get("tcpSocket", {}):
            yield "a lifecycle hook names a host"
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        handler = container.get(probe) or {}
        if "host" in handler.get("httpGet", {}) or "host" in handler.get("tcpSocket", {}):
            yield f"{probe} names a host"


def _escalation(own: Mapping[str, Any]) -> Iterator[str]:
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or []):
        yield "not all capabilities are dropped"
    if set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"}:
        yield "capabilities are added"
    if own.get("procMount", "Default") != "Default":
        yield "procMount is set"


def _identity(both: Mapping[str, Any]) -> Iterator[str]:
    if both.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if both.get("runAsUser") == 0:
        yield "runAsUser is 0"
    if (both.get("seccompProfile") or {}).get("type") not in _SECCOMP:
        yield "seccompProfile is not RuntimeDefault"
    if (both.get("appArmorProfile") or {}).get("type", "RuntimeDefault") == "Unconfined":
        yield "appArmorProfile is Unconfined"
    selinux = both.get("seLinuxOptions") or {}
    if selinux.get("type", "") not in _SELINUX or selinux.get("user") or selinux.get("role"):
        yield "seLinuxOptions are set"
