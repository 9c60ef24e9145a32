"""What the tests of categories share: a store per department, and what a run left in it."""

from collections.abc import Callable

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from airnub_prefect_starter.common.names import Category, Department
from airnub_prefect_starter.core.store import Store

StoreOf = Callable[[Department], Store]


def stored(store: Store, category: Category, source_id: str) -> bytes | None:
    """Read what is stored of a source, verified; None if there is nothing."""
    ref = store.ref(category.namespace, source_id)
    return store.read_blob(ref.blob.digest) if ref and ref.blob else None


def shown(key: str) -> str:
    """Read the newest artifact of a key."""
    of_key = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=of_key)
    assert found
    return str(max(found, key=lambda each: str(each.created)).data)
