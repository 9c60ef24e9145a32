"""What was looked at, as inputs of a derivation; what is not there yet is left out."""

from __future__ import annotations

from collections.abc import Iterable

from airnub_prefect_starter.core.derivation import read_inputs, split_ref
from airnub_prefect_starter.core.manifest_models import DerivedInput
from airnub_prefect_starter.core.store import Store


def inputs_of(store: Store, refs: Iterable[str | None]) -> tuple[DerivedInput, ...]:
    """Look up those of some refs that are in the store."""
    there = [ref for ref in refs if ref and store.ref(*split_ref(ref)) is not None]
    return read_inputs(store, dict.fromkeys(there))
