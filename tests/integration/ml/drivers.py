"""Trainers that race for the champion's place, each in a process of its own; started by the tests.

They run in an interpreter of their own, because forking is only safe without threads.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from multiprocessing.synchronize import Barrier

from airnub_prefect_starter.common.errors import RefConflictError
from airnub_prefect_starter.core.ml.registry import ModelRegistry, ModelVersion
from airnub_prefect_starter.core.store import Store, open_store
from tests.ml_kit import candidate

ROUNDS = 5
_PATIENCE_S = 60
"""A trainer that fails breaks the barrier for the others instead of leaving them to wait."""


def race(url: str, trainers: int) -> None:
    """Let so many trainers register a model at a time, and make it champion if it is the best."""
    store = open_store(url, durability="none")
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(trainers)
    children = [
        context.Process(target=_train, args=(store, barrier, number), daemon=True)
        for number in range(trainers)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    if any(child.exitcode for child in children):
        sys.exit("A trainer failed")


def _train(store: Store, barrier: Barrier, trainer: int) -> None:
    registry = ModelRegistry(store, "leavers")
    for number in range(ROUNDS):
        # The later one of a trainer is better, and so is the one of a trainer with more of a name.
        made = candidate(store, f"{trainer}-{number}", auc=0.5 + number / 10 + trainer / 100)
        barrier.wait(_PATIENCE_S)
        version = registry.register(made)
        barrier.wait(_PATIENCE_S)
        while not _decided(registry, version):
            pass  # another trainer was faster: decide anew
        line = {"number": version.number, "auc": version.metrics["auc"]}
        os.write(1, json.dumps(line).encode() + b"\n")


def _decided(registry: ModelRegistry, version: ModelVersion) -> bool:
    champion = registry.champion()
    expected = champion.number if champion else None
    try:
        if champion is None or version.metrics["auc"] > champion.metrics["auc"]:
            registry.promote(version, expected=expected)
        else:
            registry.challenge(version, expected=expected)
    except RefConflictError:
        return False
    return True


if __name__ == "__main__":
    race(sys.argv[1], int(sys.argv[2]))
