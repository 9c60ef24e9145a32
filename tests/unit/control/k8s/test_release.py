from __future__ import annotations

import base64

import pytest

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.k8s.release import Release
from tests.unit.control.k8s.fake_tools import FakeTools

OTHER = Release(context="work", name="blue", namespace="data")


def test_every_call_names_the_context(tools: FakeTools) -> None:
    tools.gives("kubectl", "get pods", {"kind": "Pod"})

    assert OTHER.items("pods") == [{"kind": "Pod"}]
    assert all(call.startswith("kubectl --context work ") for call in tools.calls)
    assert OTHER.object_name("server") == "blue-server"


def test_secrets_are_decoded_and_configmaps_are_not(tools: FakeTools) -> None:
    encoded = base64.b64encode(b"user:p\xc3\xa4ss").decode()
    tools.gives("kubectl", "get secrets", {"data": {"auth-string": encoded}})
    tools.gives("kubectl", "get configmaps", {"data": {"file": "YQ=="}})

    assert OTHER.secret("blue-api-auth", "data") == {"auth-string": "user:päss"}
    assert OTHER.data("configmaps", "blue-cluster", "data") == {"file": "YQ=="}
    assert "--namespace data --field-selector metadata.name=blue-api-auth" in tools.calls[0]


@pytest.mark.parametrize("found", [[], [{}], [{"data": None}]], ids=["none", "no data", "null"])
def test_a_secret_that_must_be_there(tools: FakeTools, found: list[dict[str, None]]) -> None:
    tools.gives("kubectl", "get secrets", *found)

    with pytest.raises(PlatformError, match="no Secret blue-s3 in data") as caught:
        OTHER.secret("blue-s3", "data")

    assert caught.value.remedy == "See `kubectl --context work get secrets --namespace data`"


def test_a_cluster_that_does_not_answer(tools: FakeTools) -> None:
    tools.fails("kubectl", "get", "The connection to the server 127.0.0.1:6443 was refused")

    with pytest.raises(PlatformError, match=r"was refused\. Run `airnub k8s up`"):
        OTHER.items("nodes")
