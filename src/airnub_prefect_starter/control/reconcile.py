"""The one reconciler: read what is registered, compare it with what should be, apply the rest.

A `Kind` knows one sort of object. The mechanism knows none: a second run finds nothing to do, an
object that fails does not stop the others, and what does not carry our tag is never deleted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Generic, TypeVar

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import PrefectException
from pydantic import JsonValue, ValidationError

from airnub_prefect_starter.common.errors import DifferencesError, PlatformError, StarterError
from airnub_prefect_starter.control.differences import (
    MASK,
    Action,
    Change,
    Difference,
    find_differences,
)
from airnub_prefect_starter.control.scope import EVERYTHING, Scope

Spec = TypeVar("Spec")
Item = TypeVar("Item")
Fields = Mapping[str, JsonValue]

API_ERRORS = (PrefectException, httpx.HTTPError, ValidationError)
_PAGE = 200  # the most that the API returns at once (PREFECT_SERVER_API_DEFAULT_LIMIT)


@dataclass(frozen=True)
class Current:
    """An object as it is registered.

    Attributes:
        managed: Whether it is ours to delete.
        owners: The departments that it belongs to, as far as it says so itself.
    """

    id: str
    fields: Fields
    managed: bool = False
    owners: tuple[str, ...] = ()


class Kind(ABC, Generic[Spec]):
    """One sort of object: how to describe, read, write and delete it.

    Args:
        wanted: Name → what is wanted, in the order in which it must be written.
    """

    name: ClassVar[str]
    secret_fields: ClassVar[frozenset[str]] = frozenset()
    # What reading, writing and deleting may raise beside our own errors.
    foreign_errors: ClassVar[tuple[type[Exception], ...]] = API_ERRORS

    def __init__(self, wanted: Mapping[str, Spec]) -> None:
        self.wanted = wanted

    def prepare(self, specs: Collection[Spec]) -> None:
        """Find out at once what `describe` needs to know of each; before it is called."""

    @abstractmethod
    def describe(self, spec: Spec) -> Fields:
        """Give the fields that the object should have.

        Raises:
            StarterError: What is wanted is wrong in itself.
        """

    def owners(self, spec: Spec) -> tuple[str, ...]:  # noqa: ARG002 - some kinds have them
        """Name the departments that the object belongs to; none for what serves all."""
        return ()

    @abstractmethod
    def read(self, client: SyncPrefectClient) -> Mapping[str, Current]:
        """Read what is registered, by name."""

    @abstractmethod
    def write(self, client: SyncPrefectClient, spec: Spec, current: Current | None) -> None:
        """Create the object, or update the one that is there."""

    def delete(self, client: SyncPrefectClient, current: Current) -> None:
        """Delete an object that is ours and no longer wanted."""
        raise NotImplementedError(f"{self.name} objects are never deleted")


@dataclass(frozen=True)
class Step:
    """A change and how to carry it out."""

    change: Change
    run: Callable[[SyncPrefectClient], None]
    foreign_errors: tuple[type[Exception], ...]


@dataclass(frozen=True)
class Plan:
    """What to do, in order, and what cannot even be planned."""

    steps: tuple[Step, ...]
    failures: tuple[StarterError, ...]
    unchanged: int

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes alone."""
        return tuple(step.change for step in self.steps)

    def only(self, *actions: Action) -> Plan:
        """Give the same plan with the changes of some sorts alone."""
        return replace(
            self, steps=tuple(step for step in self.steps if step.change.action in actions)
        )

    def require_sound(self) -> None:
        """Accept a plan in which nothing is wrong in itself.

        Raises:
            ExceptionGroup: Something is; each object is named with its reason.
        """
        _raise_all(self.failures)

    def require_none(self) -> None:
        """Accept an empty plan.

        Raises:
            DifferencesError: There are changes; the message names them.
            ExceptionGroup: Something is wrong in itself.
        """
        self.require_sound()
        if self.steps:
            listed = "; ".join(str(change) for change in self.changes)
            raise DifferencesError(
                f"{len(self.steps)} differences: {listed}", "Run `airnub bootstrap`"
            )


@dataclass(frozen=True)
class Summary:
    """What was done."""

    changes: tuple[Change, ...]
    unchanged: int

    def count(self, action: Action) -> int:
        """Count the changes of one sort."""
        return sum(change.action == action for change in self.changes)

    def __str__(self) -> str:
        return (
            f"{len(self.changes)} changes ({self.count('create')} created, "
            f"{self.count('update')} updated, {self.count('delete')} deleted), "
            f"{self.unchanged} unchanged"
        )


def make_plan(
    kinds: Sequence[Kind[Spec]],
    client: SyncPrefectClient,
    *,
    prune: Collection[str] = (),
    scope: Scope = EVERYTHING,
) -> Plan:
    """Compare what is wanted with what is registered.

    Args:
        kinds: What is wanted, in the order in which it must exist.
        client: The server.
        prune: Names of the kinds whose managed but unwanted objects are deleted.
        scope: Whose objects to look at.

    Raises:
        PlatformError: The server cannot be read.
    """
    comparisons = [_Comparison(kind, _read(kind, client), scope) for kind in kinds]
    for each in comparisons:
        each.compare()
    writes = [step for each in comparisons for step in each.steps]
    deletions = [
        step
        for each in reversed(comparisons)
        if each.kind.name in prune
        for step in each.unwanted()
    ]
    return Plan(
        steps=(*writes, *deletions),
        failures=tuple(failure for each in comparisons for failure in each.failures),
        unchanged=sum(each.unchanged for each in comparisons),
    )


def apply_plan(
    plan: Plan, client: SyncPrefectClient, on_progress: Callable[[str], None]
) -> Summary:
    """Carry out a plan; whatever fails does not stop the rest.

    Raises:
        ExceptionGroup: Some objects failed; each is named with its reason.
    """
    done: list[Change] = []
    failures = list(plan.failures)
    for step in plan.steps:
        on_progress(str(step.change))
        try:
            with api_errors(f"Cannot {step.change}", step.foreign_errors):
                step.run(client)
        except StarterError as error:
            failures.append(error)
        else:
            done.append(step.change)
    _raise_all(failures)
    return Summary(tuple(done), plan.unchanged)


class _Comparison(Generic[Spec]):
    """One kind: what is wanted against what is there."""

    def __init__(self, kind: Kind[Spec], registered: Mapping[str, Current], scope: Scope) -> None:
        self.kind = kind
        self.steps: list[Step] = []
        self.failures: list[StarterError] = []
        self.unchanged = 0
        self._registered = registered
        self._scope = scope

    def compare(self) -> None:
        wanted = {
            name: spec
            for name, spec in self.kind.wanted.items()
            if self._scope.has(self.kind.owners(spec))
        }
        self.kind.prepare(wanted.values())
        for name, spec in wanted.items():
            try:
                fields = self.kind.describe(spec)
            except StarterError as error:
                self.failures.append(error)
            else:
                self._add(name, spec, fields)

    def unwanted(self) -> Iterator[Step]:
        for name, current in self._registered.items():
            unwanted = current.managed and name not in self.kind.wanted
            if unwanted and self._scope.has(current.owners):
                change = Change(self.kind.name, name, "delete", owners=current.owners)
                yield self._step(change, partial(self.kind.delete, current=current))

    def _add(self, name: str, spec: Spec, fields: Fields) -> None:
        current = self._registered.get(name)
        differences = tuple(self._differences(current.fields, fields)) if current else ()
        if current is not None and not differences:
            self.unchanged += 1
            return
        action: Action = "update" if current else "create"
        change = Change(self.kind.name, name, action, differences, self.kind.owners(spec))
        self.steps.append(self._step(change, partial(self.kind.write, spec=spec, current=current)))

    def _step(self, change: Change, run: Callable[[SyncPrefectClient], None]) -> Step:
        return Step(change, run, self.kind.foreign_errors)

    def _differences(self, before: Fields, after: Fields) -> Iterator[Difference]:
        for field, value in after.items():
            if field in before and before[field] == value:
                continue
            if field in self.kind.secret_fields:
                yield Difference(field, MASK, MASK)
            else:
                yield from find_differences(field, before.get(field), value)


def _read(kind: Kind[Spec], client: SyncPrefectClient) -> Mapping[str, Current]:
    with api_errors(f"Cannot read {kind.name} objects", kind.foreign_errors):
        return kind.read(client)


def pages(read: Callable[[int, int], Sequence[Item]]) -> Iterator[Item]:
    """Read a listing to its end.

    Args:
        read: Takes limit and offset.
    """
    offset = 0
    while True:
        page = read(_PAGE, offset)
        yield from page
        if len(page) < _PAGE:
            return
        offset += len(page)


@contextmanager
def api_errors(what: str, foreign: tuple[type[Exception], ...] = API_ERRORS) -> Iterator[None]:
    """Translate what a client raises: Prefect's, unless other errors are named.

    Raises:
        PlatformError: The API refused or could not be reached.
    """
    try:
        yield
    except foreign as exc:
        raise PlatformError(f"{what}: {_reason(exc)}", "See the server's log") from exc


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.response.status_code} {error.response.text[:500]}"
    return " ".join(str(error).split()) or type(error).__name__


def _raise_all(failures: Iterable[StarterError]) -> None:
    found = list(failures)
    if found:
        named = "; ".join(error.message for error in found)
        raise ExceptionGroup(f"{len(found)} objects failed: {named}", found)
