from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

import pytest

from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.doctor.examination import EMBEDDED
from airnub_prefect_starter.control.doctor.findings import Finding, examine, ok
from airnub_prefect_starter.core.store import open_store
from tests.broken_s3 import BrokenS3, always
from tests.fake_s3 import error
from tests.project_kit import make_project, project_settings
from tests.unit.control.doctor.kit import context_of

STORES = next(each for each in EMBEDDED if each.name == "stores")


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    return project_settings(make_project(tmp_path / "project"))


def asked(project: Settings) -> Finding:
    """Examine with nothing of another store in the environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRNUB_")}
    with mock.patch.dict(os.environ, {**kept, "AIRNUB_DURABILITY": "none"}, clear=True):
        return examine([STORES], context_of(project)).findings["stores"]


def test_a_store_that_is_not_there_yet(project: Settings) -> None:
    found = asked(project)

    assert (found.state, found.fixes) == ("warn", ("airnub run sample",))
    assert found.what.startswith("sample: There is no store at file://")


def test_a_store_on_a_disk(project: Settings) -> None:
    open_store(f"{project.store_url}/sample", durability="none")

    assert asked(project) == ok("1 written, read and verified")


def test_a_store_of_another_layout(project: Settings) -> None:
    open_store(f"{project.store_url}/sample", durability="none")
    folder = project.project_root / "data" / "store" / "sample"
    (folder / "cas.json").write_text('{"layout": "of another world"}')

    found = asked(project)

    assert found.state == "fail"
    assert found.what.startswith("sample: ")
    assert found.fixes


@pytest.mark.parametrize(
    ("manner", "state", "fix"),
    [
        ("stores_framing", "fail", "Keep no store here"),
        ("denied", "fail", "docs/store.md"),
        ("obeys_if_match", "warn", "one at a time"),
    ],
)
def test_a_bucket(project: Settings, manner: str, state: str, fix: str) -> None:
    with BrokenS3() as broken, mock.patch.dict(os.environ, broken.environment):
        if manner == "denied":
            broken.rules.append(always("PUT Object", error(403, "AccessDenied")))
        else:
            setattr(broken.s3.manners, manner, manner == "stores_framing")
        found = asked(project_settings(project.project_root, AIRNUB_STORE_URL="s3://bucket/stores"))

    assert found.state == state
    assert fix in found.fixes[0]
