"""What the tests of categories share: a store per department, and what a run left in it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from airnub_prefect_starter.common.names import Category, Department
from airnub_prefect_starter.core.store import Store

StoreOf = Callable[[Department], Store]


def stored(store: Store, category: Category, source_id: str) -> bytes | None:
    """Read what is stored of a source, verified; None if there is nothing."""
    ref = store.ref(category.namespace, source_id)
    return store.read_blob(ref.blob.digest) if ref and ref.blob else None


@contextmanager
def limits_of(department: Department, *names: str) -> Iterator[None]:
    """Register limits of one writer each, as bootstrap does, and take them away."""
    full = [f"{department.id}.{name}" for name in names]
    with get_client(sync_client=True) as client:
        for name in full:
            client.create_global_concurrency_limit(
                GlobalConcurrencyLimitCreate(name=name, limit=1, active=True)
            )
        yield
        for name in full:
            client.delete_global_concurrency_limit_by_name(name)


def shown(key: str) -> str:
    """Read the newest artifact of a key."""
    of_key = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=of_key)
    assert found
    return str(max(found, key=lambda each: str(each.created)).data)
