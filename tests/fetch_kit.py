"""What tests of fetching share: limits that end soon, a store to look into, a patient client."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airnub_prefect_starter.core.http import AccessPolicy, HttpLimits
from airnub_prefect_starter.core.http.client import HttpClient
from airnub_prefect_starter.core.store import Store

LOOPBACK = AccessPolicy.model_validate({"allow_networks": ["127.0.0.0/8", "::1/128"]})
QUICK = HttpLimits(
    max_bytes=1 << 20,
    connect_timeout_s=2,
    idle_timeout_s=0.2,
    total_timeout_s=5,
    rate_window_s=1.0,
    min_bytes_per_s=1_000,
)


@dataclass
class Kept:
    """A store, and what lies in its folder."""

    store: Store
    folder: Path

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


class PatientClient(HttpClient):
    """A client whose pauses take no time and are written down."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        super().__init__(sleep=self.pauses.append)
