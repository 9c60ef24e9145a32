"""What of a notebook's cell becomes a function of core, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ScaffoldError
from airnub_prefect_starter.scaffold.extraction import (
    CellFunction,
    CellTest,
    extract_function,
    extract_test,
    indented,
)
from airnub_prefect_starter.scaffold.notebook import Notebook
from tests.notebook_kit import write_notebook

TAG = "share"
CELL = '''import pandas as pd

LEFT = "Yes"  # who left


def share(table: pd.DataFrame, column: str = "Churn") -> float:
    """Give the share of who left.

    Of all rows.
    """
    # share of share() is not renamed, nor are strings: share
    return _mean(table[column] == LEFT) if len(table) else share(table.head(1))


# One line.
def _mean(flags: pd.Series[bool]) -> float:
    return float(flags.mean())
'''


def extracted(tmp_path: Path, *cells: tuple[str, str]) -> CellFunction:
    notebook = Notebook(write_notebook(tmp_path / "a.ipynb", *cells))
    return extract_function(notebook, notebook.tagged(TAG), "core_share")[0]


def test_a_function_comes_with_its_constants_helpers_and_imports(tmp_path: Path) -> None:
    found = extracted(tmp_path, ("", "import numpy as np"), (TAG, CELL))

    assert found.imports == ("import pandas as pd",)
    assert (found.summary, found.takes, found.returns) == (
        "Give the share of who left.",
        "frame",
        "float",
    )
    assert found.return_imports == ()
    assert 'LEFT = "Yes"  # who left' in found.source
    assert "def core_share(table" in found.source
    assert "else core_share(table.head(1))" in found.source
    assert "# share of share() is not renamed, nor are strings: share" in found.source
    assert "# One line.\ndef _mean" in found.source


def test_imports_of_cells_above_are_found(tmp_path: Path) -> None:
    text = 'def share(data: bytes) -> pl.Path:\n    """Do."""\n    return pl.Path(dumps(str(data)))'
    above = "%matplotlib inline\nimport pathlib as pl\nfrom json import dumps, loads"

    found = extracted(tmp_path, ("", above), (TAG, text))

    assert found.imports == ("from json import dumps", "import pathlib as pl")
    assert (found.takes, found.return_imports) == ("bytes", ("import pathlib as pl",))


def function(body: str = "return 1", arguments: str = "data: bytes", returns: str = "int") -> str:
    return f'def share({arguments}) -> {returns}:\n    """Do."""\n    {body}\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("%timeit 1\n" + function(), "cell 2, line 1: '%timeit 1' is for IPython alone"),
        ("!ls\n", "'!ls' is for IPython alone"),
        ("share?\n", "'share?' is for IPython alone"),
        ("def share(:\n", "cell 2, line 1: not valid Python"),
        (function("return len(table)"), "'table' is of cell 1: make it an argument"),
        (function("return len(nowhere)"), "'nowhere' is defined nowhere in the notebook"),
        (function("return display(data)"), "'display' is defined nowhere"),
        (function() + "print(share(b''))", "cell 2, line 4: \"print(share(b''))\" is no function"),
        (function() + function().replace("share", "other"), "there are: share, other"),
        ("A = 1\n", "one function is expected, there are: none"),
        ("def share(data: bytes) -> int:\n    return 1\n", "share has no docstring"),
        (function().replace("Do.", " "), "share has no docstring"),
        (function("share = 1"), "'share' is the name of a variable, too"),
        (function(arguments="data: bytes, share: int = 1"), "'share' is the name of a variable"),
        (function(arguments="data"), "share has no type for data"),
        (function().replace(" -> int", ""), "share has no type for return"),
        (function(arguments="data: str"), "data is str, not bytes or pd.DataFrame"),
        (function(arguments=""), "must take what was stored as its one required argument"),
        (function(arguments="data: bytes, more: int"), "its one required argument"),
        (function(arguments="data: bytes, *, more: int"), "its one required argument"),
        (function(arguments="*data: bytes"), "its one required argument"),
        ("import functools\n@functools.cache\n" + function(), "share has a decorator"),
        ("import prefect\n" + function("return prefect.x"), "core may not import it"),
        (
            "from airnub_prefect_starter.tasks import retry\n" + function("return retry"),
            "core may not import it",
        ),
        ("import no_such_module as n\n" + function("return n.x"), "it is not installed"),
        ("from . import x\n" + function("return x"), "does not say what is imported"),
    ],
)
def test_what_cannot_stand_alone_is_refused_with_the_reason(
    tmp_path: Path, text: str, why: str
) -> None:
    with pytest.raises(ScaffoldError) as caught:
        extracted(tmp_path, ("", "table = 1"), (TAG, text))

    assert why in caught.value.message
    assert caught.value.remedy


def test_plain_python_that_looks_like_a_magic_is_taken(tmp_path: Path) -> None:
    body = "# of whom?\n    return (5\n        % len(data))"
    above = "rate = (7\n% 4)\nimport json"

    found = extracted(tmp_path, ("", above), (TAG, function(f"json.dumps(1)\n    {body}")))

    assert "# of whom?" in found.source
    assert found.imports == ("import json",)


def test_a_helper_of_another_cell_is_named_with_it(tmp_path: Path) -> None:
    above = "def _mean(data: bytes) -> int:\n    return 1"

    with pytest.raises(ScaffoldError, match="'_mean' is of cell 1: make it an argument"):
        extracted(tmp_path, ("", above), (TAG, function("return _mean(data)")))


def test_what_core_itself_has_may_be_imported(tmp_path: Path) -> None:
    text = "from airnub_prefect_starter.core.tables import read_parquet\n"

    found = extracted(tmp_path, (TAG, text + function("return len(read_parquet(data))")))

    assert found.imports == ("from airnub_prefect_starter.core.tables import read_parquet",)


def test_only_the_function_is_renamed(tmp_path: Path) -> None:
    body = "return len(dict(share=data.share, é=share(data)))  # share"

    found = extracted(tmp_path, (TAG, function(body)))

    assert "def core_share(data: bytes)" in found.source
    assert "return len(dict(share=data.share, é=core_share(data)))  # share" in found.source


def test_decorators_of_helpers_are_kept(tmp_path: Path) -> None:
    helper = "import functools\n\n# Once.\n@functools.cache\ndef _one() -> int:\n    return 1\n"

    found = extracted(tmp_path, (TAG, helper + function("return _one()")))

    assert found.imports == ("import functools",)
    assert "# Once.\n@functools.cache\ndef _one() -> int:" in found.source


def test_modules_of_one_package_are_all_imported(tmp_path: Path) -> None:
    above = "import xml.dom\nimport xml.sax\nimport json, json"

    found = extracted(tmp_path, ("", above), (TAG, function("return len(str(xml) + str(json))")))

    assert found.imports == ("import json", "import xml.dom\nimport xml.sax")


def asserted(tmp_path: Path, text: str) -> CellTest:
    path = write_notebook(tmp_path / "a.ipynb", ("", "import json\ntable = 1"), (TAG, text))
    notebook = Notebook(path)
    return extract_test(notebook, notebook.tagged(TAG), "share", "core_share")


def test_a_cell_that_asserts_is_a_test(tmp_path: Path) -> None:
    found = asserted(tmp_path, "rows = json.loads('[1]')\n\nassert share(rows) == 1\n")

    assert found == CellTest(
        ("import json",), "rows = json.loads('[1]')\nassert core_share(rows) == 1"
    )


def test_text_over_several_lines_stays_as_it_is() -> None:
    body = 'rows = """a\n1\n"""\nif rows:\n    assert rows\n\nassert f"""\n{rows}"""'

    text = f"if True:\n{indented(body)}"

    assert text == (
        'if True:\n    rows = """a\n1\n"""\n    if rows:\n        assert rows\n\n'
        '    assert f"""\n{rows}"""'
    )
    compile(text, "test", "exec")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("share(1)", "a test asserts something"),
        ("assert share(rows)", "'rows' is defined nowhere"),
        ("assert share(table)", "'table' is of cell 1: make it in the test"),
    ],
)
def test_a_test_stands_alone_too(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(ScaffoldError, match=why):
        asserted(tmp_path, text)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        ("{", "is not JSON"),
        ('{"nbformat": 3}', "is no notebook of format 4"),
        ("[]", "is no notebook of format 4"),
    ],
)
def test_what_is_no_notebook_is_named(tmp_path: Path, content: str | None, why: str) -> None:
    path = tmp_path / "a.ipynb"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ScaffoldError, match=why):
        Notebook(path)


@pytest.mark.parametrize(
    ("tags", "why"),
    [((), "no cell tagged 'share'"), (("share", "share"), "2 cells tagged 'share'")],
)
def test_the_cell_must_be_one(tmp_path: Path, tags: tuple[str, ...], why: str) -> None:
    cells = [(tag, "1") for tag in tags]
    path = write_notebook(tmp_path / "a.ipynb", ("other", "1"), *cells)

    with pytest.raises(ScaffoldError, match=why) as caught:
        Notebook(path).tagged(TAG)

    assert "other" in caught.value.remedy
