"""Whether data sets belong together: what was made of raw bytes, beside those very bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from airnub_prefect_starter.common.errors import ObjectNotFoundError
from airnub_prefect_starter.core.manifest_models import DerivedInput, DerivedManifest, Manifest
from airnub_prefect_starter.core.store import Store


def require_one_making(store: Store, inputs: Iterable[DerivedInput]) -> None:
    """Refuse data sets of which one is newer than what another was made of.

    A stage that stops a run leaves new bytes behind of which nothing was made, and which may have
    failed a check. Refs that have nothing to do with each other may be of any time.

    Args:
        store: Where they are.
        inputs: What refs lead to now.

    Raises:
        ObjectNotFoundError: Nothing was made of the present bytes of a ref yet. No retry before the
            stages between have run.
        StoreError: A manifest cannot be read.
    """
    present: dict[tuple[str, str], set[str]] = {}
    for each in inputs:
        present.setdefault((_ref(each), each.manifest), set()).add(each.blob)
    read = cache(store.manifest)
    for made, digest in present:
        used = _made_of(digest, read)
        for (ref, manifest), blobs in present.items():
            if ref != made and any(
                each.manifest != manifest and each.blob not in blobs for each in used.get(ref, ())
            ):
                raise ObjectNotFoundError(
                    f"{made} was made of other bytes than {ref} has now",
                    "Run the stages between them; see whether one of them stopped the last run",
                )


def _made_of(digest: str, read: Callable[[str], Manifest]) -> dict[str, list[DerivedInput]]:
    """Give all that a manifest goes back to, by ref."""
    found: dict[str, list[DerivedInput]] = {}
    waiting, seen = [digest], {digest}
    while waiting:
        manifest = read(waiting.pop())
        for each in manifest.inputs if isinstance(manifest, DerivedManifest) else ():
            found.setdefault(_ref(each), []).append(each)
            if each.manifest not in seen:
                seen.add(each.manifest)
                waiting.append(each.manifest)
    return found


def _ref(found: DerivedInput) -> str:
    return f"{found.namespace}/{found.source_id}"
