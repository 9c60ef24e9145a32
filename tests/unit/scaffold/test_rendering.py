from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
import yaml
from jinja2 import UndefinedError

from airnub_prefect_starter.common.errors import ScaffoldError
from airnub_prefect_starter.scaffold import rendering
from airnub_prefect_starter.scaffold.rendering import render, settle, yaml_scalar

ROOT = Path(__file__).parents[3]
MODULE = PurePosixPath("flows/dept_new/module.py")


def test_a_name_that_a_template_does_not_get_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="department"):
        render("department/init.py")


@pytest.mark.parametrize("text", ["plain", "it's", "a: b # c", "yes", "12", "@x", "é", "x " * 90])
def test_a_scalar_is_one_line_that_reads_back(text: str) -> None:
    line = yaml_scalar(text)

    assert "\n" not in line
    assert yaml.safe_load(f"key: {line}") == {"key": text}


def test_imports_are_sorted_and_lines_wrapped_but_for_names_that_cannot_be() -> None:
    name = "x" * 90
    imports = f"from flows.dept_new.{name} import b\nfrom pydantic import Field\nimport json\n"

    assert settle(MODULE, f"{imports}print( b,Field ,json)", ROOT) == (
        "import json\n\n"
        "from pydantic import Field\n\n"
        f"from flows.dept_new.{name} import (  # noqa: E501\n    b,\n)\n\n"
        "print(b, Field, json)\n"
    )


def test_what_is_settled_stays_so() -> None:
    text = settle(MODULE, f"def {'x' * 99}(a: int, b: int) -> int:\n    return a\n", ROOT)

    assert settle(MODULE, text, ROOT) == text


def test_other_files_are_left_alone() -> None:
    assert settle(PurePosixPath("a.yaml"), "a:   1", ROOT) == "a:   1"


def test_what_is_not_python_is_refused() -> None:
    with pytest.raises(ScaffoldError, match=r"module\.py: ruff refuses it"):
        settle(MODULE, "def", ROOT)


@pytest.fixture
def _no_ruff(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    rendering._ruff_program.cache_clear()
    yield
    rendering._ruff_program.cache_clear()


@pytest.mark.usefixtures("_no_ruff")
def test_without_ruff_the_remedy_is_named() -> None:
    with pytest.raises(ScaffoldError, match="Run `make setup`"):
        settle(MODULE, "a = 1\n", ROOT)
