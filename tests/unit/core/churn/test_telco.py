"""The published columns, and that names, contracts and parts agree."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from airnub_prefect_starter.common.addresses import TELCO_DIGEST
from airnub_prefect_starter.core.churn.columns import KEY, NAMES, SPLITS
from airnub_prefect_starter.core.churn.telco import COLUMNS, PartName
from tests.churn_kit import REAL_TABLE, needs_real_table

ROOT = Path(__file__).parents[4]


def test_names_contracts_and_parts_agree() -> None:
    assert tuple(column.name for column in COLUMNS) == NAMES
    assert set(SPLITS) == set(PartName.__args__)  # type: ignore[attr-defined]
    in_parts = [name for columns in SPLITS.values() for name in columns if name != KEY]
    assert sorted([KEY, *in_parts]) == sorted(NAMES)


def test_configuration_and_sample_data_need_no_heavy_library() -> None:
    files = ROOT.glob("flows/dept_customer_churn/*/*/config.py")
    configs = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    assert configs
    heavy = ("sklearn", "skops", "deltalake", "pandera", "matplotlib")
    program = f"""
import sys
import {", ".join(configs)}
assert not set(sys.modules) & set({heavy!r}), sys.modules
"""
    light = "import sys, airnub_prefect_starter.core.churn.synthetic as s; assert s.customers(3); "

    for code in (program, f"{light} assert 'pandas' not in sys.modules"):
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@needs_real_table
def test_the_copy_is_the_published_table() -> None:
    raw = Path(str(REAL_TABLE)).read_bytes()

    assert f"sha256:{hashlib.sha256(raw).hexdigest()}" == TELCO_DIGEST
    assert raw.splitlines()[0].decode().split(",") == list(NAMES)
