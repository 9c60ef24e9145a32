"""What was made of raw bytes is released beside those very bytes, and beside no others."""

from __future__ import annotations

import pytest

from airnub_prefect_starter.common.errors import ObjectNotFoundError
from airnub_prefect_starter.core.derivation import Derivation, commit, read_inputs
from airnub_prefect_starter.core.manifest_models import DerivedOutput
from airnub_prefect_starter.core.releases.release import read_result, releases
from airnub_prefect_starter.core.store import Store
from tests.unit.core.releases.kit import RUN, fetch, fill, join, release


def test_raw_bytes_of_which_nothing_was_made_are_not_released(content_store: Store) -> None:
    fill(content_store)
    release(content_store)
    # The next run stores new visits, and is stopped before it joins them.
    fetch(content_store, "visits", b"id\nbroken\n")

    with pytest.raises(ObjectNotFoundError, match=r"joined was made of other bytes than .*visits"):
        release(content_store)

    assert releases(content_store, "shop") == [1]
    join(content_store, b"1,3\n")
    assert read_result(content_store, release(content_store)).number == 2


def test_what_was_made_of_two_makings_is_not_released(content_store: Store) -> None:
    fill(content_store)
    (before,) = read_inputs(content_store, ["ingestion.files/visits"])
    fetch(content_store, "visits", b"id\nnew\n")
    (now,) = read_inputs(content_store, ["ingestion.files/visits"])
    blob, _ = content_store.put_bytes(b"1,3\n")
    derivation = Derivation("preparation.join", "joined", (before, now), {})
    output = DerivedOutput(name="joined.csv", blob=blob)
    commit(content_store, derivation, [output], run=RUN)

    with pytest.raises(ObjectNotFoundError, match=r"joined was made of other bytes than .*visits"):
        release(content_store)


def test_equal_bytes_that_were_fetched_anew_are_what_was_joined(content_store: Store) -> None:
    fill(content_store)
    fetch(content_store, "visits", b"id\nother\n")
    fetch(content_store, "visits", b"id\n1\n")

    assert read_result(content_store, release(content_store)).number == 1
