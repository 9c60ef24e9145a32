"""The errors of this project, their retry semantics and exit codes, in one tree.

::

    StarterError
    ├─ ConfigError (ValueError)            a YAML file, parameter or environment is wrong      3
    │  └─ UnknownNameError                 no such department, stage, category, source         5
    ├─ DifferencesError                    generated or registered state differs from Git      4
    ├─ PlatformError                       server, worker or pool not usable                   6
    │  └─ PortInUseError                   another process listens on the port                 7
    ├─ RunFailedError                      a flow run ended in a state other than Completed    1
    ├─ ScriptFailedError                   a script ended with an exit code, or took too long 19
    ├─ CriticalFindingError                monitoring found something critical                 9
    ├─ AlertDeliveryError         (T)      a sink did not take alerts                         18
    ├─ SourceError                         something is wrong with what a source sent
    │  ├─ BlockedUrlError                  scheme, host, address or redirect is not allowed   10
    │  ├─ RedirectError                    too many redirects, or a loop                      11
    │  ├─ TooLargeError                    body, pages, nesting or input over its limit       12
    │  ├─ TooSlowError            (T)      deadline, idle time or minimum rate missed         13
    │  ├─ SourceRejectedError              4xx other than 408, 425, 429                       14
    │  ├─ SourceUnavailableError  (T)      refused, reset, timeout, 408, 425, 429, 5xx        15
    │  │  └─ TruncatedBodyError   (T)      fewer bytes than promised                          16
    │  ├─ PayloadError (ValueError)        not the promised format                            17
    │  └─ ContractError                    rows break the rules that a source promised        30
    ├─ StoreError                          the content store cannot do what was asked
    │  ├─ DigestMismatchError              bytes are not those that were expected             20
    │  ├─ CorruptObjectError               stored bytes or manifests fail verification        21
    │  ├─ ObjectNotFoundError              no such blob, manifest or ref                      22
    │  ├─ RefConflictError        (T)      another writer moved the ref first                 23
    │  ├─ StoreUnavailableError   (T)      timeouts and 5xx of the object store               24
    │  ├─ StoreDeniedError                 no permission to read or write                     25
    │  ├─ NoSpaceError                     disk, quota or spool budget is full                26
    │  ├─ StoreIntegrityError     (T)      the server rejected the bytes on the way           27
    │  ├─ TableConflictError      (T)      another writer committed to the table first        28
    │  └─ TableSchemaError                 rows do not fit the table that is there            29
    ├─ WarehouseError                      the database that gold tables go to refuses         40
    │  └─ WarehouseUnavailableError (T)    it cannot be reached, or was lost on the way        41
    ├─ ModelError                          something is wrong with a model
    │  ├─ GateError                        data or model do not pass a gate                    50
    │  └─ ModelFileError                   bytes are no model file that may be loaded          51
    └─ ScaffoldError                       a generator refuses; for the person at the keys     8

(T) is transient: a retry may help. Everything else fails again. Exit codes are stable; 2 is a usage
error of the command line itself and 70 (EX_SOFTWARE of sysexits) a bug in this project.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

EXIT_USAGE = 2
EXIT_BUG = 70


class StarterError(Exception):
    """Base of every error that this project raises on purpose.

    Args:
        message: What was found and what was expected, in one line, naming the input.
        remedy: What the reader can do about it, in one line.
    """

    exit_code: ClassVar[int] = EXIT_BUG
    transient: ClassVar[bool] = False

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}. {self.remedy}" if self.remedy else self.message


class ConfigError(StarterError, ValueError):
    """A YAML file, a parameter or the environment is wrong."""

    exit_code = 3


class UnknownNameError(ConfigError):
    """No such department, stage, category or source."""

    exit_code = 5


class DifferencesError(StarterError):
    """Generated files or registered objects differ from what Git says."""

    exit_code = 4


class PlatformError(StarterError):
    """The Prefect server, worker or work pool cannot be used."""

    exit_code = 6


class PortInUseError(PlatformError):
    """Another process listens on the port that was asked for."""

    exit_code = 7


class ScaffoldError(StarterError):
    """A generator refuses to write."""

    exit_code = 8


class RunFailedError(StarterError):
    """A flow run ended in a state other than Completed."""

    exit_code = 1


class ScriptFailedError(StarterError):
    """A script that a task ran ended with another exit code than 0, or took too long.

    Args:
        message: As of every error; names the exit code or the signal.
        remedy: As of every error.
        exit_status: The script's own exit code, negative for a signal; None if it took too long.
    """

    exit_code = 19

    def __init__(self, message: str, remedy: str = "", exit_status: int | None = None) -> None:
        super().__init__(message, remedy)
        self.args = (message, remedy, exit_status)
        self.exit_status = exit_status


class CriticalFindingError(StarterError):
    """Monitoring found something critical."""

    exit_code = 9


class AlertDeliveryError(StarterError):
    """A sink did not take alerts."""

    exit_code = 18
    transient = True


class SourceError(StarterError):
    """Something is wrong with a source or with what it sent."""


class BlockedUrlError(SourceError):
    """The address, or one it redirects to, is not allowed."""

    exit_code = 10


class RedirectError(SourceError):
    """Too many redirects, or a loop."""

    exit_code = 11


class TooLargeError(SourceError):
    """A body, page count, nesting depth or stored input is over its limit."""

    exit_code = 12


class TooSlowError(SourceError):
    """A deadline, idle time or minimum rate was missed."""

    exit_code = 13
    transient = True


class SourceRejectedError(SourceError):
    """The source answered with a client error that a retry will not change."""

    exit_code = 14


class SourceUnavailableError(SourceError):
    """The source refused, reset, timed out or answered 408, 425, 429 or 5xx."""

    exit_code = 15
    transient = True


class TruncatedBodyError(SourceUnavailableError):
    """The source sent fewer bytes than it promised."""

    exit_code = 16


class PayloadError(SourceError, ValueError):
    """The bytes are not of the promised format."""

    exit_code = 17


class ContractError(SourceError):
    """Rows break the rules that sources promised; the message names rules and first rows."""

    exit_code = 30


class StoreError(StarterError):
    """The content store cannot do what was asked."""


class DigestMismatchError(StoreError):
    """The bytes are not those that were expected."""

    exit_code = 20


class CorruptObjectError(StoreError):
    """Stored bytes or a manifest fail verification."""

    exit_code = 21


class ObjectNotFoundError(StoreError):
    """No such blob, manifest or ref."""

    exit_code = 22


class RefConflictError(StoreError):
    """Another writer moved the ref first."""

    exit_code = 23
    transient = True


class StoreUnavailableError(StoreError):
    """The object store timed out or answered 5xx."""

    exit_code = 24
    transient = True


class StoreDeniedError(StoreError):
    """No permission to read or write the store."""

    exit_code = 25


class NoSpaceError(StoreError):
    """The disk, the quota or the spool budget is full."""

    exit_code = 26


class StoreIntegrityError(StoreError):
    """The object store rejected the bytes on the way in."""

    exit_code = 27
    transient = True


class TableConflictError(StoreError):
    """Another writer committed to the table first."""

    exit_code = 28
    transient = True


class TableSchemaError(StoreError):
    """Rows do not fit the table that is there, or a query names what it has not."""

    exit_code = 29


class WarehouseError(StarterError):
    """The database that gold tables are published to refuses: a password, a right, a value."""

    exit_code = 40


class WarehouseUnavailableError(WarehouseError):
    """The warehouse cannot be reached, is busy, or was lost on the way."""

    exit_code = 41
    transient = True


class ModelError(StarterError):
    """Something is wrong with a model, or with what it is made of."""


class GateError(ModelError):
    """The data or the model do not pass a gate; nothing was registered."""

    exit_code = 50


class ModelFileError(ModelError):
    """The bytes are no model file, or hold what must not be loaded."""

    exit_code = 51


def leaves_of(error: BaseException) -> Iterator[BaseException]:
    """List the errors of a group, of groups in it too; another error is its own only leaf."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves_of(each)
    else:
        yield error


def error_lines(error: BaseException) -> Iterator[str]:
    """Give a line per mistake of this project's errors, as programs end with them."""
    for leaf in leaves_of(error):
        # Several mistakes in one file are one error with a line for each.
        yield from (f"error: {line}\n" for line in str(leaf).splitlines())


def is_transient(error: BaseException) -> bool:
    """Tell whether a retry may help: every leaf of an exception group must be transient."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_transient(each) for each in error.exceptions)
    return isinstance(error, StarterError) and error.transient


def exit_code_of(error: BaseException) -> int:
    """Give an error's exit code; a group has that of its only kind, else that of a failed run."""
    if isinstance(error, BaseExceptionGroup):
        codes = {exit_code_of(each) for each in error.exceptions}
        return codes.pop() if len(codes) == 1 else RunFailedError.exit_code
    return error.exit_code if isinstance(error, StarterError) else EXIT_BUG
