from __future__ import annotations

import pickle
import re

import pytest

from airnub_prefect_starter.common import errors
from airnub_prefect_starter.common.errors import (
    EXIT_BUG,
    EXIT_USAGE,
    ConfigError,
    ModelError,
    NoSpaceError,
    PayloadError,
    SourceError,
    SourceUnavailableError,
    StarterError,
    StoreError,
    TooSlowError,
    error_lines,
    exit_code_of,
    is_transient,
    leaves_of,
)


def _tree(root: type[StarterError]) -> list[type[StarterError]]:
    own = [cls for cls in root.__subclasses__() if cls.__module__ == errors.__name__]
    return [root, *(each for cls in own for each in _tree(cls))]


CLASSES = sorted(set(_tree(StarterError)), key=lambda cls: cls.__name__)
ABSTRACT = {StarterError, SourceError, StoreError, ModelError}
# "├─ TooSlowError            (T)      deadline, ...   13" in the module's docstring
ROW = re.compile(r"─ (?P<name>\w+Error)(?: \(ValueError\))?(?P<t> +\(T\))? .*?(?P<code>\d+)?$")


def _documented() -> dict[str, tuple[bool, int | None]]:
    rows = [ROW.search(line.rstrip()) for line in str(errors.__doc__).splitlines()]
    return {
        row["name"]: (bool(row["t"]), int(row["code"]) if row["code"] else None)
        for row in rows
        if row
    }


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_pickles_with_its_attributes(cls: type[StarterError]) -> None:
    error = cls("a.yaml is wrong", "Correct it")

    again = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes

    assert type(again) is cls
    assert (again.message, again.remedy) == ("a.yaml is wrong", "Correct it")
    assert str(again) == "a.yaml is wrong. Correct it"


def test_every_class_is_in_the_documented_tree() -> None:
    assert set(_documented()) == {cls.__name__ for cls in CLASSES} - {"StarterError"}


@pytest.mark.parametrize(
    "cls", [cls for cls in CLASSES if cls not in ABSTRACT], ids=lambda cls: cls.__name__
)
def test_exit_code_and_transience_are_as_documented(cls: type[StarterError]) -> None:
    assert _documented()[cls.__name__] == (cls.transient, cls.exit_code)


def test_every_class_has_an_exit_code_of_its_own() -> None:
    codes = [cls.exit_code for cls in CLASSES if cls not in ABSTRACT]

    assert len(set(codes)) == len(codes)
    assert not {0, EXIT_USAGE, EXIT_BUG} & set(codes)


def test_message_without_remedy_has_no_trailing_full_stop() -> None:
    assert str(ConfigError("a.yaml is wrong")) == "a.yaml is wrong"


@pytest.mark.parametrize("cls", [ConfigError, PayloadError])
def test_wrong_values_are_value_errors_too(cls: type[StarterError]) -> None:
    assert issubclass(cls, ValueError)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TooSlowError("x"), True),
        (PayloadError("x"), False),
        (TimeoutError("not ours"), False),
        (ExceptionGroup("g", [TooSlowError("x"), SourceUnavailableError("y")]), True),
        (ExceptionGroup("g", [TooSlowError("x"), PayloadError("y")]), False),
        (ExceptionGroup("g", [ExceptionGroup("inner", [PayloadError("y")])]), False),
    ],
    ids=["transient", "permanent", "foreign", "all-transient", "mixed", "nested"],
)
def test_a_retry_helps_only_if_it_helps_every_part(error: Exception, expected: bool) -> None:
    assert is_transient(error) is expected


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoSpaceError("x"), 26),
        (RuntimeError("not ours"), 70),
        (ExceptionGroup("g", [PayloadError("x"), PayloadError("y")]), 17),
        (ExceptionGroup("g", [PayloadError("x"), NoSpaceError("y")]), 1),
        (ExceptionGroup("g", [ExceptionGroup("inner", [NoSpaceError("y")])]), 26),
    ],
    ids=["own", "bug", "one-kind", "several-kinds", "nested"],
)
def test_exit_code_of(error: Exception, code: int) -> None:
    assert exit_code_of(error) == code


def test_a_group_is_told_line_by_line_with_every_mistake() -> None:
    inner = ExceptionGroup("inner", [ConfigError("first\nsecond", "Do")])
    group = ExceptionGroup("outer", [inner, PayloadError("third")])

    assert [*error_lines(group)] == ["error: first\n", "error: second. Do\n", "error: third\n"]
    assert [type(each) for each in leaves_of(group)] == [ConfigError, PayloadError]
