"""Whose objects are looked at: all, or those of some departments."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Scope:
    """Some departments, or everything.

    Attributes:
        departments: Identifiers, also of departments that are gone; None for everything.
    """

    departments: frozenset[str] | None = None

    def has(self, owners: Collection[str]) -> bool:
        """Tell whether an object of these departments is looked at; one of none only with all."""
        return self.departments is None or not self.departments.isdisjoint(owners)


EVERYTHING = Scope()
