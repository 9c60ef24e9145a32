from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import ConfigError, ObjectNotFoundError
from airnub_prefect_starter.core.manifest_models import FetchManifest, RunInfo
from airnub_prefect_starter.core.object_listing import (
    ListedObject,
    ObjectFolder,
    land_object,
    list_objects,
    open_folder,
)
from airnub_prefect_starter.core.store import Store, open_store

RUN = RunInfo()
NOW = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store((tmp_path / "store").as_uri(), durability="none")


@pytest.fixture
def folder(tmp_path: Path) -> ObjectFolder:
    place = tmp_path / "in coming"
    (place / "b").mkdir(parents=True)
    (place / "b" / "Two #2.csv").write_bytes(b"id\n2\n")
    (place / "a.csv").write_bytes(b"id\n1\n")
    (place / ".hidden").write_bytes(b"no")
    (place / "link.csv").symlink_to(place / "a.csv")
    return open_folder(place.as_uri())


def test_files_are_listed_in_order_without_hidden_ones_and_links(folder: ObjectFolder) -> None:
    found = list_objects(folder)

    assert [(each.name, each.size) for each in found] == [("a.csv", 5), ("b/Two #2.csv", 5)]
    assert folder.url(found[1]).endswith("/in%20coming/b/Two%20%232.csv")


def test_a_file_is_landed_with_where_it_came_from(store: Store, folder: ObjectFolder) -> None:
    item = list_objects(folder)[1]

    result = land_object(store, folder, item, namespace="files", run=RUN)

    assert result.outcome == "stored"
    assert store.read_blob(result.blob.digest) == b"id\n2\n"
    manifest = store.manifest(result.manifest)
    assert isinstance(manifest, FetchManifest)
    assert manifest.source.url == folder.url(item)
    again = land_object(store, folder, item, namespace="files", run=RUN)
    assert (again.outcome, again.blob) == ("not_modified", result.blob)


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("a.csv", "a-csv-"),
        ("2024/Jan/Ünïcode Name.json", "2024-jan-n-code-name-json-"),
        ("/".join(["folder"] * 50), "folder-folder-folder-folder-folder-folde"),
        ("日本", ""),
    ],
)
def test_any_name_has_a_name_in_the_store(name: str, beginning: str, store: Store) -> None:
    item = ListedObject(name, 1, NOW, None)

    digest = hashlib.sha256(name.encode()).hexdigest()[:12]

    assert item.source_id.startswith(beginning)
    assert item.source_id.endswith(digest)
    assert store.ref("files", item.source_id) is None  # raises where it is no name


def test_names_that_look_alike_are_kept_apart() -> None:
    assert (
        ListedObject("a b", 1, NOW, None).source_id != ListedObject("a-b", 1, NOW, None).source_id
    )


def test_nothing_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError, match="There are no files at file:"):
        list_objects(open_folder(tmp_path.as_uri()))


@pytest.mark.parametrize("address", ["ftp://host/x", "relative", "file://host/x", "s3:/bucket"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError):
        open_folder(address)
