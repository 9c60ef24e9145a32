"""One release on one cluster, read through kubectl: never the person's current context."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.k8s.cluster import CONTEXT
from airnub_prefect_starter.control.k8s.programs import run


@dataclass(frozen=True)
class Release:
    """Where a release of the chart is.

    Args:
        context: Context of the kubeconfig.
        name: The release's name, with which the names of its objects begin.
        namespace: The release's own namespace, where server and workers are.
    """

    context: str = CONTEXT
    name: str = "airnub"
    namespace: str = "airnub"

    def object_name(self, component: str) -> str:
        """Name one of the release's objects, such as a Service."""
        return f"{self.name}-{component}"

    def kubectl(self, *arguments: str) -> list[str]:
        """Give the kubectl command for this cluster."""
        return ["kubectl", "--context", self.context, *arguments]

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        """List objects as the API gives them; ``arguments`` are those of ``kubectl get``.

        Raises:
            PlatformError: The cluster does not answer, or does not know such objects.
        """
        text = run(
            self.kubectl("get", *arguments, "--output", "json", "--request-timeout=30s"),
            remedy="Run `airnub k8s up`, or name another cluster with --context",
        )
        found: list[dict[str, Any]] = json.loads(text)["items"]
        return found

    def data(self, kind: str, name: str, namespace: str) -> dict[str, str]:
        """Read what a Secret or ConfigMap holds; empty if there is none of that name.

        Raises:
            PlatformError: The cluster does not answer, or reading is not allowed.
        """
        # By field: a name that does not exist would be an error, with a remedy of its own.
        field = f"metadata.name={name}"
        for each in self.items(kind, "--namespace", namespace, "--field-selector", field):
            given: dict[str, str] = each.get("data") or {}
            return _decoded(given) if kind == "secrets" else given
        return {}

    def secret(self, name: str, namespace: str) -> dict[str, str]:
        """Read a Secret that must be there.

        Raises:
            PlatformError: There is none, or it may not be read. No retry.
        """
        found = self.data("secrets", name, namespace)
        if not found:
            look = " ".join(self.kubectl("get", "secrets", "--namespace", namespace))
            raise PlatformError(f"There is no Secret {name} in {namespace}", f"See `{look}`")
        return found


def _decoded(data: dict[str, str]) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in data.items()}
