from __future__ import annotations

import threading
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import (
    CorruptObjectError,
    ObjectNotFoundError,
    RefConflictError,
)
from airnub_prefect_starter.core.ml.registry import (
    Aliases,
    ModelRegistry,
    ModelVersion,
    TrainedModel,
)
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.gc import mark, sweep
from airnub_prefect_starter.core.store.layout import Key
from tests.ml_kit import candidate
from tests.unit.core.store.tools import HandClock, clocked_store


@pytest.fixture
def registry(content_store: Store) -> ModelRegistry:
    return ModelRegistry(content_store, "leavers")


def test_an_empty_registry_has_neither_versions_nor_champion(registry: ModelRegistry) -> None:
    assert registry.versions() == []
    assert registry.champion() is registry.challenger() is None
    with pytest.raises(ObjectNotFoundError, match=r"no version 3 .*There are: none"):
        registry.version(3)


def test_a_version_comes_back_as_it_was_registered(
    content_store: Store, registry: ModelRegistry
) -> None:
    made = candidate(content_store)
    version = registry.register(made)
    assert version.number == 1
    assert registry.version(1) == version
    assert version.metrics["auc"] == 0.8 + 0.04  # no digit is lost
    numbered = {"schema_version", "number", "created_at"}
    assert TrainedModel.model_validate(version.model_dump(exclude=numbered)) == made


def test_a_training_has_one_number_however_often_it_is_registered(
    content_store: Store, registry: ModelRegistry
) -> None:
    made = candidate(content_store)
    assert registry.register(made) == registry.register(made)
    assert registry.register(candidate(content_store, "second")).number == 2
    assert [each.number for each in registry.versions()] == [1, 2]


def test_a_model_that_is_trained_once_more_keeps_its_number(
    content_store: Store, registry: ModelRegistry
) -> None:
    first = registry.register(candidate(content_store, "first"))
    registry.register(candidate(content_store, "second"))
    again = candidate(content_store, "third").model_copy(update={"model_file": first.model_file})
    assert registry.register(again) == first
    stricter = again.model_copy(update={"threshold": 0.5})
    assert registry.register(stricter).number == 3


def test_the_first_decision_on_a_version_is_kept(
    content_store: Store, registry: ModelRegistry
) -> None:
    version = registry.register(candidate(content_store))
    assert registry.decision(1) is None
    registry.keep_decision(version, role="champion", reason="it is the first one", champion=1)
    registry.keep_decision(version, role="challenger", reason="somebody moved it", champion=2)
    found = registry.decision(1)
    assert found is not None
    assert (found.role, found.reason, found.champion) == ("champion", "it is the first one", 1)
    assert registry.versions() == [version]


def test_the_champion_of_before_becomes_the_challenger(
    content_store: Store, registry: ModelRegistry
) -> None:
    first, second, third = (registry.register(candidate(content_store, name)) for name in "abc")
    registry.promote(first, expected=None)
    registry.challenge(second, expected=1)
    assert registry.aliases() == Aliases(champion=1, challenger=2)
    registry.promote(third, expected=1)
    assert registry.champion() == third
    assert registry.challenger() == first


def test_a_decision_against_another_champion_is_a_conflict(
    content_store: Store, registry: ModelRegistry
) -> None:
    first, second = (registry.register(candidate(content_store, name)) for name in "ab")
    registry.promote(first, expected=None)
    for decide in (registry.promote, registry.challenge):
        with pytest.raises(RefConflictError, match="is version 1 now, not None") as caught:
            decide(second, expected=None)
        assert caught.value.transient
    assert registry.aliases() == Aliases(champion=1)


def test_repeating_a_decision_writes_nothing(content_store: Store, registry: ModelRegistry) -> None:
    first, second = (registry.register(candidate(content_store, name)) for name in "ab")
    registry.promote(first, expected=None)
    registry.promote(second, expected=1)
    # What a person has moved back would else be undone.
    assert registry.promote(second, expected=2) == Aliases(champion=2, challenger=1)
    assert registry.challenge(first, expected=2) == Aliases(champion=2, challenger=1)


def test_trainers_that_race_get_numbers_of_their_own(content_store: Store) -> None:
    made = [candidate(content_store, str(number)) for number in range(6)]
    numbers: list[int] = []

    def register(each: TrainedModel) -> None:
        numbers.append(ModelRegistry(content_store, "leavers").register(each).number)

    threads = [threading.Thread(target=register, args=(each,)) for each in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == [1, 2, 3, 4, 5, 6]


def test_where_the_last_writer_wins_the_first_one_takes_another_number(
    content_store: Store, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = (candidate(content_store, name) for name in ("mine", "other"))
    theirs = ModelVersion(**dict(other), number=1, created_at=content_store.clock())
    write = content_store.backend.cas

    def overwritten(key: Key, data: bytes, expect: str | None) -> str:
        """Write as a server without conditions does where two write at once."""
        return write(key, theirs.to_json() if key.endswith("/1.json") else data, expect)

    monkeypatch.setattr(content_store.backend, "cas", overwritten)
    assert registry.register(mine).number == 2
    assert registry.version(1) == theirs


def test_a_model_is_pinned_before_it_has_a_number(
    content_store: Store, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = candidate(content_store)
    write = content_store.backend.cas

    def killed(key: Key, data: bytes, expect: str | None) -> str:
        if key.startswith("models/"):
            raise KeyboardInterrupt
        return write(key, data, expect)

    monkeypatch.setattr(content_store.backend, "cas", killed)
    with pytest.raises(KeyboardInterrupt):
        registry.register(made)
    assert made.manifest in {digest for _, digest in content_store.pins()}


def test_a_registered_model_survives_garbage_collection(tmp_path: Path) -> None:
    clock = HandClock()
    store = clocked_store(tmp_path, clock)
    registered = candidate(store, "first", ref="candidates")
    ModelRegistry(store, "leavers").register(registered)
    forgotten = candidate(store, "second", ref="candidates")
    candidate(store, "third", ref="candidates")
    clock.forward(days=8)
    mark(store)
    clock.forward(days=4)
    sweep(store, apply=True)
    assert store.read_blob(registered.model_file.digest) == b"first"
    with pytest.raises(ObjectNotFoundError):
        store.read_blob(forgotten.model_file.digest)


def test_what_is_no_version_is_said_to_be_none(
    content_store: Store, registry: ModelRegistry, tmp_path: Path
) -> None:
    registry.register(candidate(content_store))
    (tmp_path / "store" / "models" / "leavers" / "versions" / "1.json").write_text("{}")
    with pytest.raises(CorruptObjectError, match=r"versions/1\.json is not a ModelVersion"):
        registry.version(1)
