"""Who may connect to what, by the NetworkPolicies that were rendered.

The semantics are those of networking.k8s.io/v1: a pod that no policy selects for a direction is
open in it; policies add up; a peer with both selectors needs both; `except` takes addresses out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from tests.helm.kit import Manifest, kind

Labels = Mapping[str, str]


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod with labels in a namespace, or an address."""

    namespace: str = ""
    labels: Labels = field(default_factory=dict)
    address: str = ""


class Network:
    """The namespaces and policies of rendered objects.

    Args:
        manifests: What was rendered.
        others: Labels of namespaces that the release does not make.
    """

    def __init__(self, manifests: Sequence[Manifest], others: Mapping[str, Labels]) -> None:
        made = {
            each["metadata"]["name"]: each["metadata"]["labels"]
            for each in kind(tuple(manifests), "Namespace")
        }
        # The API server adds this label to each.
        self._namespaces = {
            name: {**labels, "kubernetes.io/metadata.name": name}
            for name, labels in {**others, **made}.items()
        }
        self._policies = kind(tuple(manifests), "NetworkPolicy")

    def allows(self, source: End, target: End, port: int, protocol: str = "TCP") -> bool:
        """Tell whether a connection passes the policies of both ends."""
        return self._passes("Egress", source, target, port, protocol) and self._passes(
            "Ingress", target, source, port, protocol
        )

    def _passes(self, direction: str, own: End, other: End, port: int, protocol: str) -> bool:
        if own.address:
            return True
        chosen = [
            each["spec"]
            for each in self._policies
            if each["metadata"]["namespace"] == own.namespace
            and direction in each["spec"]["policyTypes"]
            and _selects(each["spec"]["podSelector"], own.labels)
        ]
        field_, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
        rules = [rule for spec in chosen for rule in spec.get(field_) or ()]
        return not chosen or any(
            self._has_peer(rule.get(peers), other) and _has_port(rule.get("ports"), port, protocol)
            for rule in rules
        )

    def _has_peer(self, peers: Sequence[Any] | None, end: End) -> bool:
        # No peers at all means everybody: a mistake in this chart.
        return any(self._is_peer(each, end) for each in peers or ())

    def _is_peer(self, peer: Mapping[str, Any], end: End) -> bool:
        if block := peer.get("ipBlock"):
            return bool(end.address) and _in_block(block, end.address)
        if end.address:
            return False
        namespace = peer.get("namespaceSelector")
        assert namespace is not None, "without one the policy's own namespace is meant"
        return _selects(namespace, self._namespaces[end.namespace]) and _selects(
            peer.get("podSelector", {}), end.labels
        )


def _in_block(block: Mapping[str, Any], address: str) -> bool:
    found = ip_address(address)
    return found in ip_network(block["cidr"]) and not any(
        found in ip_network(each) for each in block.get("except", ())
    )


def _has_port(ports: Sequence[Any] | None, port: int, protocol: str) -> bool:
    return any(
        each["port"] == port and each.get("protocol", "TCP") == protocol for each in ports or ()
    )


def _selects(selector: Mapping[str, Any], labels: Labels) -> bool:
    exact = selector.get("matchLabels", {}).items() <= dict(labels).items()
    return exact and all(_matches(each, labels) for each in selector.get("matchExpressions", ()))


def _matches(expression: Mapping[str, Any], labels: Labels) -> bool:
    assert expression["operator"] == "In", "the only one that the chart uses"
    return labels.get(expression["key"]) in expression["values"]
