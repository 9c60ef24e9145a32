"""Notebooks for tests: written cell by cell."""

from __future__ import annotations

import json
from pathlib import Path


def write_notebook(path: Path, *cells: tuple[str, str]) -> Path:
    """Write a notebook of cells of code, each with its tag (may be empty) and its text."""
    found = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "execution_count": None,
            "metadata": {"tags": [tag]} if tag else {},
            "outputs": [],
            "source": text.splitlines(keepends=True),
        }
        for number, (tag, text) in enumerate(cells, start=1)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"cells": found, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    return path
