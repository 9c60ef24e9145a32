"""Every test of this folder needs the ephemeral Prefect server."""

import pytest


@pytest.fixture(autouse=True)
def _server(prefect_server: None) -> None:
    pass
