"""From a cell of a notebook to a function of core, and from another one to its test.

A function is taken as it is written, with its comments; what it needs of other cells are imports.
What cannot stand alone is refused with the reason.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from airnub_prefect_starter.scaffold.notebook import Cell, Notebook, imports_of

OWN = "airnub_prefect_starter"
# Layers that core may import, and what is above it.
_BELOW = (f"{OWN}.core", f"{OWN}.common")
_ABOVE = (OWN, "data_pipeline_orchestrator", "flows", "prefect", "tests", "IPython")
_FRAMES = ("pd.DataFrame", "pandas.DataFrame", "DataFrame")


@dataclass(frozen=True)
class CellFunction:
    """A function of a cell, named as core names it.

    Attributes:
        summary: First line of its docstring.
        takes: ``bytes`` or ``frame``.
        annotations: Parameter or ``return`` → annotation.
        imports: Statements that the module needs.
        return_imports: Those of them that its result's type needs.
        source: Its text, with constants and private helpers of the cell.
    """

    summary: str
    takes: str
    annotations: dict[str, str]
    imports: tuple[str, ...]
    return_imports: tuple[str, ...]
    source: str

    @property
    def returns(self) -> str:
        """The type of its result."""
        return self.annotations["return"]


@dataclass(frozen=True)
class CellTest:
    """A test of a cell: the statements that it needs first, and its body."""

    imports: tuple[str, ...]
    body: str


def extract_function(notebook: Notebook, cell: Cell, name: str) -> tuple[CellFunction, str]:
    """Take the function of a cell, under a name of core.

    Args:
        notebook: Whose cells above may hold its imports.
        cell: Imports, constants, private helpers and one public function.
        name: What core calls it.

    Returns:
        The function, and what the cell calls it.

    Raises:
        ScaffoldError: The cell cannot become a function; the message says why. No retry.
    """
    tree = cell.parse()
    kept = [node for node in tree.body if _is_kept(node, cell)]
    function = _public(kept, cell)
    _require_form(function, cell)
    imports = _needed_imports(notebook, cell, cell.source)
    source = "\n\n".join(_text(node, cell.source) for node in kept)
    annotations = _annotations(function, cell)
    result = ast.parse(annotations["return"])
    names = {node.id for node in ast.walk(result) if isinstance(node, ast.Name)}
    summary = (ast.get_docstring(function) or "").splitlines()[0]
    taken = CellFunction(
        summary=summary,
        takes=_takes(function, cell),
        annotations=annotations,
        imports=tuple(imports.values()),
        return_imports=tuple(text for bound, text in imports.items() if bound in names),
        source=_renamed(source, function.name, name, cell),
    )
    return taken, function.name


def extract_test(notebook: Notebook, cell: Cell, function: str, name: str) -> CellTest:
    """Take a cell that asserts what a function does as the body of its test.

    Args:
        notebook: Whose cells above may hold its imports.
        cell: What is tested is in its asserts.
        function: What the cell calls the function.
        name: What core calls it.

    Raises:
        ScaffoldError: It asserts nothing, or needs what another cell computes. No retry.
    """
    tree = cell.parse()
    if not any(isinstance(node, ast.Assert) for node in ast.walk(tree)):
        raise cell.refusal("a test asserts something")
    imports = _needed_imports(notebook, cell, cell.source, given=function)
    body = [node for node in tree.body if not imports_of(node)]
    text = "\n".join(_text(node, cell.source) for node in body)
    return CellTest(tuple(imports.values()), _renamed(text, function, name, cell))


def _is_kept(node: ast.stmt, cell: Cell) -> bool:
    """Tell whether a statement is part of the function; imports are gathered elsewhere."""
    if isinstance(node, ast.FunctionDef):
        return True
    if isinstance(node, ast.Assign | ast.AnnAssign) and _is_literal(node.value):
        return True
    if imports_of(node):
        return False
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return False
    raise cell.refusal(f"{_first_line(node)!r} is no function, import or constant", node.lineno)


def _is_literal(value: ast.expr | None) -> bool:
    try:
        ast.literal_eval(value or "")
    except (ValueError, SyntaxError):
        return False
    return True


def _public(kept: Iterable[ast.stmt], cell: Cell) -> ast.FunctionDef:
    functions = [node for node in kept if isinstance(node, ast.FunctionDef)]
    public = [node for node in functions if not node.name.startswith("_")]
    if len(public) != 1:
        names = ", ".join(node.name for node in public) or "none"
        raise cell.refusal(f"one function is expected, there are: {names} (helpers begin with _)")
    return public[0]


def _require_form(function: ast.FunctionDef, cell: Cell) -> None:
    if not ast.get_docstring(function):
        raise cell.refusal(f"{function.name} has no docstring", function.lineno)
    if function.decorator_list:
        raise cell.refusal(f"{function.name} has a decorator", function.lineno)
    arguments = function.args
    required = len(arguments.posonlyargs + arguments.args) - len(arguments.defaults)
    if required != 1 or None in arguments.kw_defaults or arguments.vararg or arguments.kwarg:
        raise cell.refusal(
            f"{function.name} must take what was stored as its one required argument",
            function.lineno,
        )


def _annotations(function: ast.FunctionDef, cell: Cell) -> dict[str, str]:
    found = {each.arg: each.annotation for each in _arguments(function)}
    found["return"] = function.returns
    missing = sorted(name for name, annotation in found.items() if annotation is None)
    if missing:
        raise cell.refusal(f"{function.name} has no type for {missing[0]}", function.lineno)
    return {name: ast.unparse(each) for name, each in found.items() if each is not None}


def _arguments(function: ast.FunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _takes(function: ast.FunctionDef, cell: Cell) -> str:
    first = _arguments(function)[0]
    annotation = ast.unparse(first.annotation) if first.annotation else ""
    if annotation == "bytes":
        return "bytes"
    if annotation in _FRAMES:
        return "frame"
    raise cell.refusal(f"{first.arg} is {annotation}, not bytes or pd.DataFrame", function.lineno)


def _needed_imports(
    notebook: Notebook, cell: Cell, source: str, given: str | None = None
) -> dict[str, str]:
    """Find the imports of what a text uses: name → statement."""
    known = notebook.imports(cell)
    free, own = _names(source)
    used = sorted((free | {name for name in own if name in known}) - {given})
    for name in used:
        if name not in known:
            raise cell.refusal(_unknown(name, notebook, cell, is_test=given is not None))
        _require_importable(known[name], cell)
    return {name: known[name] for name in used}


def _unknown(name: str, notebook: Notebook, cell: Cell, *, is_test: bool) -> str:
    above = notebook.defined_above(name, cell)
    if above is None:
        return f"{name!r} is defined nowhere in the notebook above it"
    remedy = "make it in the test" if is_test else "make it an argument"
    return f"{name!r} is of cell {above}: {remedy}"


def _names(source: str) -> tuple[set[str], set[str]]:
    """Give the global names that a text uses and does not bind, and those that it imports."""
    module = symtable.symtable(source, "cell", "exec")
    bound = {each.get_name() for each in module.get_symbols() if each.is_assigned()}
    imported = {each.get_name() for each in module.get_symbols() if each.is_imported()}
    used = {name for table in _tables(module) for name in _globals(table)}
    free = used - bound - imported - set(dir(builtins))
    return free, imported & used


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    at_top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (at_top or symbol.is_global()):
            yield symbol.get_name()


def _require_importable(statement: str, cell: Cell) -> None:
    for node in ast.parse(statement).body:
        assert isinstance(node, ast.Import | ast.ImportFrom)  # noqa: S101 - of `imports_of`
        module = (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        if isinstance(node, ast.ImportFrom) and (node.level or node.names[0].name == "*"):
            raise cell.refusal(f"{statement!r} does not say what is imported from where")
        if not _is_within(module, _BELOW) and _is_within(module, _ABOVE):
            raise cell.refusal(f"{statement!r}: core may not import it")
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            raise cell.refusal(f"{statement!r}: it is not installed")


def _is_within(module: str, packages: Iterable[str]) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in packages)


def _text(node: ast.stmt, source: str) -> str:
    lines = source.splitlines()
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    start = min([node.lineno, *(each.lineno for each in decorators)]) - 1
    while start and lines[start - 1].startswith("#"):
        start -= 1  # comments that stand right above
    return "\n".join(lines[start : node.end_lineno])


def _first_line(node: ast.stmt) -> str:
    return ast.unparse(node).splitlines()[0]


def indented(text: str) -> str:
    """Indent statements, but not what stands on further lines of a string."""
    inside: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr | ast.Constant):
            inside |= set(range(node.lineno + 1, (node.end_lineno or node.lineno) + 1))
    return "\n".join(
        f"    {line}" if line.strip() and number not in inside else line
        for number, line in enumerate(text.split("\n"), start=1)
    )


def _renamed(source: str, old: str, new: str, cell: Cell) -> str:
    """Rename a function where it is defined and used.

    Raises:
        ScaffoldError: Something else has the name, too, or it is used in an f-string. No retry.
    """
    tree = ast.parse(source)
    if any(_binds(node, old) for node in ast.walk(tree)):
        raise cell.refusal(f"{old!r} is the name of a variable, too")
    lines = source.encode().splitlines(keepends=True)
    for row, column in sorted(_places(tree, old), reverse=True):
        line, found = lines[row - 1], old.encode()
        # Before Python 3.12 what is in f-strings has no place.
        if not line.startswith(found, column):
            raise cell.refusal(f"{old!r} is used in an f-string: give it a variable")
        lines[row - 1] = line[:column] + new.encode() + line[column + len(found) :]
    return b"".join(lines).decode()


def _binds(node: ast.AST, name: str) -> bool:
    """Tell whether an argument or a variable is given a name."""
    if isinstance(node, ast.arg):
        return node.arg == name
    return isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)


def _places(tree: ast.Module, name: str) -> Iterator[tuple[int, int]]:
    """List the lines and columns, in bytes, where a function is named."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == name:
            yield node.lineno, node.col_offset
        elif isinstance(node, ast.FunctionDef) and node.name == name:
            yield node.lineno, node.col_offset + len("def ")
