"""Notebooks as files: which cells they have, and which imports stand in them.

Source: https://nbformat.readthedocs.io/en/latest/format_description.html (format 4)
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airnub_prefect_starter.common.errors import ScaffoldError

_MAGICS = ("%", "!", "?")


@dataclass(frozen=True)
class Cell:
    """A cell of code: where it stands, counted from 1, its tags and its text."""

    number: int
    tags: frozenset[str]
    source: str

    def parse(self) -> ast.Module:
        """Parse the cell as plain Python.

        Raises:
            ScaffoldError: It is none, or has what only IPython understands. No retry.
        """
        try:
            return ast.parse(self.source)
        except SyntaxError as error:
            for line, text in enumerate(self.source.splitlines(), start=1):
                if text.lstrip().startswith(_MAGICS) or text.rstrip().endswith("?"):
                    raise self.refusal(f"{text.strip()!r} is for IPython alone", line) from error
            raise self.refusal(f"not valid Python: {error.msg}", error.lineno or 1) from error

    def imports_as(self, module: str, name: str) -> str | None:
        """Say what the cell calls a name that it imports from a module; None if it does not."""
        for node in self.parse().body:
            if isinstance(node, ast.ImportFrom) and node.module == module:
                for alias in node.names:
                    if alias.name == name:
                        return alias.asname or name
        return None

    def refusal(self, why: str, line: int | None = None) -> ScaffoldError:
        """Build the error that says why a cell cannot become a function."""
        where = f"cell {self.number}" if line is None else f"cell {self.number}, line {line}"
        return ScaffoldError(
            f"{where}: {why}", "Give the cell one function that stands alone, and try again"
        )


class Notebook:
    """A notebook's cells of code.

    Args:
        path: The file.

    Raises:
        ScaffoldError: It cannot be read, or is no notebook of format 4. No retry.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cells = tuple(_code_cells(_read(path)))

    def tagged(self, tag: str) -> Cell:
        """Find the one cell of a tag.

        Raises:
            ScaffoldError: None or several have it. No retry.
        """
        found = [cell for cell in self.cells if tag in cell.tags]
        if len(found) == 1:
            return found[0]
        known = ", ".join(sorted({each for cell in self.cells for each in cell.tags})) or "none"
        what = "no cell" if not found else f"{len(found)} cells"
        raise ScaffoldError(
            f"{self.path}: {what} tagged {tag!r}", f"Tag one cell of code; tags there: {known}"
        )

    def has(self, tag: str) -> bool:
        """Tell whether a cell has a tag."""
        return any(tag in cell.tags for cell in self.cells)

    def imports(self, until: Cell) -> Mapping[str, str]:
        """Give the imports of a cell and of those above it: name that is bound → statement."""
        cells = self.cells[: self.cells.index(until) + 1]
        return imports_of(*(node for cell in cells for node in _statements(cell)))

    def defined_above(self, name: str, cell: Cell) -> int | None:
        """Say in which cell above another one a name is given a value, if in any."""
        for each in reversed(self.cells[: self.cells.index(cell)]):
            if any(_defines(node, name) for node in ast.walk(_module(each))):
                return each.number
        return None


def imports_of(*nodes: ast.stmt) -> dict[str, str]:
    """Give what imports bind: name → a statement that binds it alone, or several of one package."""
    found: dict[str, str] = {}
    for bound, statement in (pair for node in nodes for pair in _bindings(node)):
        known = found.get(bound, "").splitlines()
        # `import xml.dom` and `import xml.sax` bind the same name, and both are needed.
        of_one_package = known and all(_is_plain(each) for each in (*known, statement))
        kept = known if of_one_package else []
        found[bound] = "\n".join(dict.fromkeys([*kept, statement]))
    return found


def _bindings(node: ast.stmt) -> Iterator[tuple[str, str]]:
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return
    for alias in node.names:
        alone = (
            ast.Import([alias])
            if isinstance(node, ast.Import)
            else ast.ImportFrom(node.module, [alias], node.level)
        )
        yield alias.asname or alias.name.partition(".")[0], ast.unparse(alone)


def _is_plain(statement: str) -> bool:
    return statement.startswith("import ") and " as " not in statement


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise ScaffoldError(f"{path}: {error.strerror}", "Correct the path") from error
    except ValueError as error:
        raise ScaffoldError(f"{path} is not JSON: {error}", "Give a notebook") from error
    if not (isinstance(found, dict) and found.get("nbformat") == 4):
        raise ScaffoldError(f"{path} is no notebook of format 4", "Save it with a current Jupyter")
    return found


def _code_cells(notebook: Mapping[str, Any]) -> Iterator[Cell]:
    for number, cell in enumerate(notebook.get("cells", ()), start=1):
        if cell["cell_type"] == "code":
            tags = frozenset(cell.get("metadata", {}).get("tags", ()))
            yield Cell(number, tags, "".join(cell["source"]))


def _statements(cell: Cell) -> list[ast.stmt]:
    return _module(cell).body


def _defines(node: ast.AST, name: str) -> bool:
    if isinstance(node, ast.Name):
        return node.id == name and isinstance(node.ctx, ast.Store)
    return isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name


def _module(cell: Cell) -> ast.Module:
    """Parse another cell as far as that goes: without its magics where it has some."""
    lines = cell.source.splitlines()
    for source in (lines, [each for each in lines if not each.lstrip().startswith(_MAGICS)]):
        with suppress(SyntaxError):
            return ast.parse("\n".join(source))
    return ast.Module([], [])
