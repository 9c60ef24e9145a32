"""What the tests of categories share: a store per department, and what a run left in it."""

from collections.abc import Callable

from airnub_prefect_starter.common.names import Category, Department
from airnub_prefect_starter.core.store import Store

StoreOf = Callable[[Department], Store]


def stored(store: Store, category: Category, source_id: str) -> bytes | None:
    """Read what is stored of a source, verified; None if there is nothing."""
    ref = store.ref(category.namespace, source_id)
    return store.read_blob(ref.blob.digest) if ref and ref.blob else None
