"""Templates become text; Python gets the form that ruff wants, however long its names are."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path, PurePosixPath

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from airnub_prefect_starter.common.errors import ScaffoldError
from airnub_prefect_starter.common.identifiers import title

TEMPLATES = Path(__file__).parent / "templates"
LINE_LENGTH = 100

# Modules that are about to be written are first party before ruff can find them on disk.
_SORT = (
    "check",
    "--select=I",
    "--fix",
    '--config=lint.isort.known-first-party=["airnub_prefect_starter", "flows", "tests"]',
)


def render(template: str, **names: object) -> str:
    """Render a template; a name that it does not get is an error."""
    return _environment().get_template(f"{template}.jinja").render(names)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - Python, YAML and Markdown, not HTML
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        module=_module,
        python=lambda text: json.dumps(text, ensure_ascii=False),
        words=title,
        yaml=yaml_scalar,
    )
    return environment


def yaml_scalar(text: str) -> str:
    """Give a text as the rest of a YAML line: quoted where it must be."""
    line = yaml.safe_dump({"key": text}, allow_unicode=True, width=sys.maxsize)
    return line.removeprefix("key: ").rstrip("\n")


def _module(path: PurePosixPath) -> str:
    return ".".join(path.with_suffix("").parts)


def settle(path: PurePosixPath, text: str, root: Path) -> str:
    """Sort the imports of a Python file and format it by the project's own settings.

    Raises:
        ScaffoldError: ruff is not installed, or the text is not Python. No retry.
    """
    if path.suffix != ".py":
        return text
    text = _ruff(path, text, root, *_SORT)
    text = _ruff(path, text, root, "format")
    return "".join(_excused(line) for line in text.splitlines(keepends=True))


def lint(path: PurePosixPath, text: str, root: Path) -> None:
    """Hold a Python text against the project's own rules.

    Raises:
        ScaffoldError: It breaks one; the message has what ruff says. No retry.
    """
    # Whose modules are first party shows when they are on disk.
    _ruff(path, text, root, "check", "--ignore=I001", "--output-format=concise")


def _excused(line: str) -> str:
    """Let the name of a module or function, which nothing can break, be as long as it is."""
    too_long = len(line.rstrip("\n")) > LINE_LENGTH
    return line.replace("(\n", "(  # noqa: E501\n") if too_long else line


def _ruff(path: PurePosixPath, text: str, root: Path, *arguments: str) -> str:
    program = [_ruff_program(), *arguments, "--quiet", f"--stdin-filename={path}", "-"]
    done = subprocess.run(  # noqa: S603 - the environment's own ruff
        program, input=text.encode(), cwd=root, capture_output=True, check=False
    )
    if done.returncode:
        reason = done.stderr.decode().strip() or done.stdout.decode().strip()
        raise ScaffoldError(f"{path}: ruff refuses it: {reason}", "Correct the file")
    return done.stdout.decode()


@cache
def _ruff_program() -> str:
    beside = Path(sys.executable).parent
    found = shutil.which("ruff", path=str(beside)) or shutil.which("ruff")
    if found is None:
        raise ScaffoldError(
            "ruff, which formats what is generated, is not here", "Run `make setup`"
        )
    return found
