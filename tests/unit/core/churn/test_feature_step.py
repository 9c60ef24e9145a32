from pathlib import Path
from types import ModuleType

import pytest

from airnub_prefect_starter.core.churn import columns, features
from airnub_prefect_starter.core.store import Store
from tests.churn_kit import TABLE
from tests.features_kit import build_features, prepare


@pytest.mark.parametrize("module", [columns, features], ids=["columns", "features"])
def test_features_are_made_anew_with_another_list_or_other_code(
    module: ModuleType, content_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(content_store, TABLE, tmp_path)
    build_features(content_store)
    assert build_features(content_store).outcome == "not_modified"

    other = tmp_path / "other.py"
    other.write_text("# corrected")
    monkeypatch.setattr(module, "__file__", str(other))

    assert build_features(content_store).outcome == "stored"
