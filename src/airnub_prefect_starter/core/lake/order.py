"""In which order the steps of a lake run, and which need which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from airnub_prefect_starter.core.lake.gold_steps import GoldStep
from airnub_prefect_starter.core.lake.steps import SilverStep


def silver_waves(steps: Sequence[SilverStep]) -> list[list[SilverStep]]:
    """Group silver steps so that each comes after those that its foreign keys refer to.

    Raises:
        ValueError: Two have the same name, one refers to a table that nothing makes or to columns
            of other types, or tables refer to each other in a circle.
    """
    by_name = {each.name: each for each in steps}
    if len(by_name) != len(steps):
        raise ValueError("two silver steps have the same name")
    needed = {each.name: {key.table for key in each.foreign_keys} for each in steps}
    if unknown := sorted(set().union(*needed.values()) - set(by_name)):
        raise ValueError(f"foreign keys refer to silver tables that are not made: {unknown}")
    for each in steps:
        _check_types(each, by_name)
    order = TopologicalSorter(needed)
    try:
        order.prepare()
    except CycleError as error:
        circle = " → ".join(map(str, error.args[1]))
        raise ValueError(f"foreign keys go round in a circle: {circle}") from None
    waves = []
    while order.is_active():
        ready = sorted(order.get_ready())
        waves.append([by_name[name] for name in ready])
        order.done(*ready)
    return waves


def _check_types(step: SilverStep, by_name: Mapping[str, SilverStep]) -> None:
    own = {column.name: column.dtype for column in step.contract.columns}
    for key in step.foreign_keys:
        other = {column.name: column.dtype for column in by_name[key.table].contract.columns}
        if [own[name] for name in key.columns] != [other.get(name) for name in key.references]:
            raise ValueError(
                f"foreign key {key.rule} of {step.name}: "
                f"{', '.join(key.references)} of {key.table} are not there, or of other types"
            )


def silver_needs(step: SilverStep) -> list[str]:
    """List the steps, by the names of their refs, that a silver step needs."""
    return [f"bronze.{step.name}", *(f"silver.{key.table}" for key in step.foreign_keys)]


def gold_needs(step: GoldStep) -> list[str]:
    """List the steps, by the names of their refs, that a gold step needs."""
    return [ref.rpartition("/")[2] for ref in step.tables.values()]
