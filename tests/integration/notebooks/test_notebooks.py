"""The notebooks run from top to bottom, are stored without results, and hold what they promise."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from airnub_prefect_starter.core.churn.synthetic import customers_csv
from airnub_prefect_starter.data_science import dataset_processing
from airnub_prefect_starter.data_science.config_ds import paths

FOLDER = Path(__file__).parents[3] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
COUNT = 3000


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepare a smaller table than the usual one."""
    root = tmp_path_factory.mktemp("notebooks")
    table = root / "given.csv"
    table.write_bytes(customers_csv(COUNT))
    dataset_processing.main(source=str(table), root=root)
    return root


def read(path: Path) -> NotebookNode:
    found: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return found


def test_there_are_some() -> None:
    assert [path.name for path in NOTEBOOKS] == [
        "01_explore_churn.ipynb",
        "02_features_and_model.ipynb",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_results_are_not_stored(path: Path) -> None:
    notebook = read(path)

    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell for cell in code if cell.outputs or cell.execution_count] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom(path: Path, root: Path) -> None:
    notebook = read(path)
    _with_parameters(notebook, root)

    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(FOLDER)}}).execute()

    shown = {
        tag: cell.outputs
        for cell in notebook.cells
        if cell.cell_type == "code"
        for tag in cell.metadata.get("tags", ())
    }
    if path.stem.startswith("01"):
        assert "Month-to-month" in shown["segments"][0].data["text/plain"]
    else:
        assert "logistic-regression  AUC 0." in shown["train"][0].text
        assert paths(root).model("customer_churn").is_file()


def _with_parameters(notebook: NotebookNode, root: Path) -> None:
    """Set the parameters: another folder, and few candidates."""
    (cell,) = (each for each in notebook.cells if "parameters" in each.metadata.get("tags", ()))
    cell.source = f'ROOT = {str(root)!r}\nCANDIDATES = ("dummy", "logistic_regression")'
