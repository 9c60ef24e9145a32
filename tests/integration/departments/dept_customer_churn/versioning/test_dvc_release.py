"""What a run of the category releases, and that DVC itself pulls it from disk and from a bucket."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, repeat
from pathlib import Path

import pytest

from airnub_prefect_starter.core.churn.reproduction import core_reproduce
from airnub_prefect_starter.core.markdown import artifact_key
from airnub_prefect_starter.core.releases.config import ReleaseStep
from airnub_prefect_starter.core.releases.dvc import remote_of
from airnub_prefect_starter.core.releases.records import Release
from airnub_prefect_starter.core.releases.release import (
    core_release_datasets,
    read_release,
    read_result,
    release_key,
    releases,
)
from airnub_prefect_starter.core.store import Store, open_store
from airnub_prefect_starter.core.store.digest import Digest
from flows.dept_customer_churn.versioning.dvc_release.config import CATEGORY, DvcReleaseConfig
from flows.dept_customer_churn.versioning.dvc_release.release_datasets_flow_dept_customer_churn import (  # noqa: E501
    release_datasets_flow_dept_customer_churn,
)
from tests.churn_kit import TABLE
from tests.features_kit import ROOT, build, own_config
from tests.integration.departments.kit import StoreOf, shown
from tests.s3_kit import s3_server
from tests.unit.core.releases.kit import STEP, claiming_at_once, fill, release

DVC = ROOT / ".venv" / "tools" / "dvc" / "bin" / "dvc"


CONFIG = own_config(CATEGORY.config_file, DvcReleaseConfig)
FEWER = b"".join(TABLE.splitlines(keepends=True)[:-1])


def test_data_is_released_once_and_its_change_is_shown(store_of: StoreOf, tmp_path: Path) -> None:
    store = store_of(CATEGORY.department)
    build(store, TABLE, tmp_path)

    (first,) = release_datasets_flow_dept_customer_churn(CONFIG)
    (again,) = release_datasets_flow_dept_customer_churn(CONFIG)
    build(store, FEWER, tmp_path)
    (second,) = release_datasets_flow_dept_customer_churn(CONFIG)

    assert (first.outcome, again.outcome) == ("stored", "not_modified")
    before, after = (read_release(store, "customer_churn", number) for number in (1, 2))
    assert read_result(store, second) == after
    table = after.source("transformation.feature_store/customer").table
    assert table is not None
    assert (table.table, table.rows) == ("features/customer", FEWER.count(b"\n") - 1)
    page = shown(artifact_key(CATEGORY.deployment, "release"))
    assert "# Release customer\\_churn@2" in page
    assert f"md5: {after.datasets[0].md5}" in page
    assert before.content != after.content


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Give an address below which this process may do what a department may in its store."""
    with s3_server() as server:
        department = server.of_department()
        with department.reachable():
            yield department.root


@pytest.mark.skipif(
    not DVC.exists() and not os.environ.get("CI"),
    reason="`make test` installs DVC into .venv/tools/dvc",
)
@pytest.mark.parametrize("where", ["disk", "bucket"])
def test_dvc_pulls_a_release(where: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    address = (
        f"{request.getfixturevalue('bucket')}/pull"
        if where == "bucket"
        else (tmp_path / "a store").as_uri()
    )
    store = open_store(address, durability="none")
    build(store, TABLE, tmp_path)
    result = core_release_datasets(store, CONFIG, namespace=CATEGORY.namespace)
    found = read_result(store, result)
    folder = tmp_path / "laptop"
    folder.mkdir()
    for name, text in found.pointers().items():
        (folder / name).write_bytes(text)
    for command in remote_of(store).commands():
        _dvc(folder, *shlex.split(command)[1:])

    _require_equal(folder, found, store)
    assert "in sync" in _dvc(folder, "status", "--cloud")
    if where == "disk":
        # What DVC itself would write for the folder is what the pointer says.
        shutil.rmtree(folder / ".dvc" / "cache")
        _dvc(folder, "add", "raw")
        assert found.datasets[0].md5 in (folder / "raw.dvc").read_text()


def test_a_later_release_in_a_bucket_is_made_again(bucket: str, tmp_path: Path) -> None:
    store = open_store(f"{bucket}/again", durability="none")
    for table in (TABLE, FEWER):
        build(store, table, tmp_path)
        core_release_datasets(store, CONFIG, namespace=CATEGORY.namespace)

    found = core_reproduce(store, 2)

    assert found.is_equal
    assert {each.verdict for each in found.compared} == {"same"}


def test_two_who_release_at_once_in_a_bucket_do_not_share_a_number(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(f"{bucket}/race", durability="none")
    fill(store)
    lost = claiming_at_once(store, monkeypatch)
    steps = [
        ReleaseStep(source_id=f"of-{each.name}", name="shop", datasets=(each,))
        for each in STEP.datasets
    ]
    with ThreadPoolExecutor(4) as pool:
        results = [*pool.map(release, repeat(store), steps * 2)]

    assert release_key("shop", 1) in lost
    numbers = releases(store, "shop")
    assert numbers == [*range(1, len(numbers) + 1)]
    assert len(numbers) >= len(steps)
    contents = [read_release(store, "shop", number).content for number in numbers]
    assert all(before != after for before, after in pairwise(contents))
    assert {read_result(store, each).number for each in results} <= {*numbers}


def _dvc(folder: Path, *arguments: str) -> str:
    empty = folder.parent / "aws"
    empty.touch()
    own = {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": f"{folder}/site"}
    own |= {"AWS_CONFIG_FILE": str(empty), "AWS_SHARED_CREDENTIALS_FILE": str(empty)}
    environment = {**os.environ, **own}
    done = subprocess.run(
        [DVC, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _require_equal(folder: Path, release: Release, store: Store) -> None:
    for dataset in release.datasets:
        base = folder / dataset.name if dataset.is_folder else folder
        for file in dataset.files:
            found = (base / file.name).read_bytes()
            assert Digest.of(found).text == file.sha256
            assert found == store.read_blob(file.sha256)
