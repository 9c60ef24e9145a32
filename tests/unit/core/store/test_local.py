"""What the local backend does on a disk: order of durability, faults, foreign folders."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import (
    ConfigError,
    NoSpaceError,
    ObjectNotFoundError,
    StoreDeniedError,
    StoreError,
    StoreUnavailableError,
)
from airnub_prefect_starter.core.store import department_url, open_store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.faults import store_error
from airnub_prefect_starter.core.store.gc import mark
from airnub_prefect_starter.core.store.layout import BLOBS, MARKER, SHARDS, TMP, blob_key
from airnub_prefect_starter.core.store.local import Durability, LocalBackend
from airnub_prefect_starter.core.store.verify import verify
from tests.store_conformance import blob_of, fetch, put, read
from tests.unit.core.store.tools import HookedDisk, local_backend, local_store

BIG = b"x" * ((8 << 20) + 1)


class Recorder:
    """A hook that notes every change, with paths relative to the store."""

    def __init__(self, root: Path) -> None:
        self.calls: list[tuple[str, str]] = []
        self._root = f"{root}/"

    def __call__(self, name: str, path: str) -> None:
        self.calls.append((name, path.removeprefix(self._root)))

    def first(self, name: str, start: str) -> int:
        return next(
            i for i, call in enumerate(self.calls) if call[0] == name and call[1].startswith(start)
        )


def recorded(root: Path, durability: Durability, data: bytes) -> Recorder:
    local_backend(root)
    recorder = Recorder(root)
    fetch(local_store(root, durability=durability, disk=HookedDisk(recorder)), data)
    return recorder


@pytest.mark.parametrize("data", [b"small", BIG], ids=["from memory", "from a spool file"])
def test_makes_each_step_durable_before_the_next(tmp_path: Path, data: bytes) -> None:
    calls = recorded(tmp_path, "full", data)
    steps = [
        calls.first("fsync", TMP),
        calls.first("link", BLOBS),
        calls.first("fsync", BLOBS),
        calls.first("link", "manifests/"),
        calls.first("fsync", "manifests/"),
        calls.first("replace", "refs/"),
        calls.first("fsync", "refs/"),
    ]
    assert steps == sorted(steps)


def test_syncs_a_batch_once_before_the_ref(tmp_path: Path) -> None:
    calls = recorded(tmp_path, "batch", b"small")
    assert [name for name, _ in calls.calls].count("syncfs") == 1
    assert calls.first("syncfs", "") < calls.first("fsync", TMP)
    assert calls.first("link", "manifests/") < calls.first("syncfs", "")
    assert calls.first("syncfs", "") < calls.first("replace", "refs/")


def test_syncs_nothing_without_durability(tmp_path: Path) -> None:
    calls = recorded(tmp_path, "none", b"small")
    objects = (TMP, BLOBS, "manifests/")
    assert not any(name == "fsync" and path.startswith(objects) for name, path in calls.calls)
    assert not any(name == "syncfs" for name, _ in calls.calls)


def test_syncs_a_file_system_for_real(tmp_path: Path) -> None:
    store = local_store(tmp_path / "store", durability="batch")
    store.put_bytes(b"bytes")
    store.sync()
    assert fetch(store, b"bytes").outcome == "deduplicated"


def test_publishes_a_spool_file_without_copying_it(tmp_path: Path) -> None:
    store = local_store(tmp_path)
    with store.spool() as spool:
        spool.write(BIG)
        assert spool.path is not None
        inode = spool.path.stat().st_ino
        blob, _ = store.put_blob(spool)
    stored = tmp_path / blob_key(Digest(blob.digest))
    assert stored.stat().st_ino == inode
    assert stored.stat().st_mode & 0o777 == 0o444
    assert stored.stat().st_nlink == 1
    assert list((tmp_path / TMP).iterdir()) == []


def fail_on(call: str, start: str, code: int) -> Callable[[str, str], None]:
    def hook(name: str, path: str) -> None:
        if name == call and start in path:
            raise OSError(code, os.strerror(code))

    return hook


@pytest.mark.parametrize("data", [b"small", BIG], ids=["from memory", "from a spool file"])
@pytest.mark.parametrize(
    ("call", "where", "code", "error"),
    [
        ("write", f"/{TMP}", errno.ENOSPC, NoSpaceError),
        ("write", f"/{TMP}", errno.EDQUOT, NoSpaceError),
        ("create", f"/{TMP}", errno.EROFS, StoreDeniedError),
        ("create", f"/{TMP}", errno.EACCES, StoreDeniedError),
        ("fsync", f"/{TMP}", errno.EIO, StoreUnavailableError),
        ("fsync", "/blobs/", errno.EIO, StoreUnavailableError),
        ("link", "/blobs/", errno.ENOSPC, NoSpaceError),
        ("link", "/manifests/", errno.EIO, StoreUnavailableError),
        ("replace", "/refs/", errno.EACCES, StoreDeniedError),
        ("mkdir", "/refs/", errno.ENOSPC, NoSpaceError),
    ],
)
def test_never_advances_a_ref_when_the_disk_fails(
    tmp_path: Path, data: bytes, call: str, where: str, code: int, error: type[StoreError]
) -> None:
    healthy = local_store(tmp_path)
    broken = local_store(tmp_path, disk=HookedDisk(fail_on(call, where, code)))
    with pytest.raises(error) as caught:
        fetch(broken, data)
    assert caught.value.remedy
    assert healthy.ref("alpha", "airports") is None
    report = verify(healthy, level="deep")
    assert report.ok
    assert report.unfinished == 0
    fetch(healthy, data)
    assert healthy.validators("alpha", "airports") is not None


def test_replaces_a_spool_file_without_hard_links(tmp_path: Path) -> None:
    backend = local_backend(tmp_path, disk=HookedDisk(fail_on("link", "/", errno.EPERM)))
    with backend.spool() as spool:
        spool.write(BIG)
        spool.seal()
        digest = Digest(spool.digest)
        backend.put(blob_key(digest), spool, sha256=digest, size=len(BIG), if_absent=False)
        with spool.reader() as reader:
            assert reader.read() == BIG
    assert read(backend, blob_key(digest)) == BIG


@pytest.mark.parametrize("data", [b"small", BIG], ids=["from memory", "from a spool file"])
@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def test_does_without_hard_links(tmp_path: Path, data: bytes, code: int) -> None:
    store = local_store(tmp_path, disk=HookedDisk(fail_on("link", "/", code)))
    committed = fetch(store, data)
    assert committed.outcome == "stored"
    assert fetch(store, data).outcome == "not_modified"
    assert store.read_blob(blob_of(committed).text) == data
    assert verify(store).unfinished == 0


def test_makes_all_shard_folders_at_once(tmp_path: Path) -> None:
    LocalBackend(tmp_path)
    assert all((tmp_path / shard).is_dir() for shard in SHARDS)


def test_makes_shard_folders_that_a_copy_left_out(tmp_path: Path) -> None:
    store = local_store(tmp_path)
    assert not (tmp_path / BLOBS).exists()
    fetch(store, b"bytes")
    assert verify(store, level="deep").ok


def test_makes_the_scratch_folder_that_a_copy_left_out(tmp_path: Path) -> None:
    fetch(local_store(tmp_path), b"bytes")
    (tmp_path / TMP).rmdir()
    store = open_store(tmp_path.as_uri())
    assert fetch(store, b"newer").outcome == "stored"
    assert mark(store).key is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_reads_a_copy_without_a_scratch_folder_that_it_may_not_write(tmp_path: Path) -> None:
    digest = blob_of(fetch(local_store(tmp_path), b"bytes")).text
    (tmp_path / TMP).rmdir()
    tmp_path.chmod(0o555)
    assert open_store(tmp_path.as_uri()).read_blob(digest) == b"bytes"
    tmp_path.chmod(0o755)


@pytest.mark.parametrize("data", [b"small", BIG], ids=["from memory", "from a spool file"])
def test_does_not_retry_where_it_cannot_write(tmp_path: Path, data: bytes) -> None:
    store = local_store(tmp_path)
    (tmp_path / TMP).rmdir()
    with pytest.raises(StoreError, match="No such file or directory") as caught:
        fetch(store, data)
    assert not caught.value.transient


def test_puts_again_what_is_collected_meanwhile(tmp_path: Path) -> None:
    key = blob_key(Digest.of(b"bytes"))
    other = local_backend(tmp_path)
    left = ["link", "unlink"]

    def hook(name: str, _path: str) -> None:
        if left and name == left[0]:
            left.pop(0)
            if name == "link":
                put(other, b"bytes")
            else:
                other.delete([key])

    store = local_store(tmp_path, disk=HookedDisk(hook))
    assert store.put_bytes(b"bytes")[1] == "stored"
    assert read(store.backend, key) == b"bytes"
    assert left == []


def test_does_not_follow_links(tmp_path: Path) -> None:
    store = local_store(tmp_path / "store")
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    key = blob_key(Digest.of(b"secret"))
    (tmp_path / "store" / key).parent.mkdir(parents=True)
    (tmp_path / "store" / key).symlink_to(outside)
    assert store.backend.stat(key) is None
    assert list(store.backend.list(BLOBS)) == []
    with pytest.raises(StoreDeniedError):
        read(store.backend, key)


def test_refuses_a_folder_with_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(ConfigError, match=r"thesis\.doc"):
        LocalBackend(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.doc"]


def test_refuses_a_store_of_a_later_version(tmp_path: Path) -> None:
    local_backend(tmp_path)
    (tmp_path / "cas.json").write_bytes(MARKER.replace(b"1", b"2"))
    with pytest.raises(ConfigError, match="casLayoutVersion"):
        LocalBackend(tmp_path)


def test_completes_a_store_whose_making_was_interrupted(tmp_path: Path) -> None:
    LocalBackend(tmp_path)
    (tmp_path / "cas.json").unlink()
    (tmp_path / "blobs" / "sha256" / "00").rmdir()
    LocalBackend(tmp_path)
    assert (tmp_path / "cas.json").read_bytes() == MARKER
    assert (tmp_path / "blobs" / "sha256" / "00").is_dir()


def test_opens_a_store_without_writing_to_it(tmp_path: Path) -> None:
    fetch(local_store(tmp_path), b"bytes")
    before = tree(tmp_path)
    store = open_store(tmp_path.as_uri())
    assert [source_id for _, source_id, _ in store.refs()] == ["airports"]
    assert tree(tmp_path) == before


def test_changes_not_one_file_the_second_time(tmp_path: Path) -> None:
    store = local_store(tmp_path)
    for source_id in ("airports", "planes"):
        fetch(store, source_id.encode() * 1000, source_id=source_id)
    before = tree(tmp_path)
    for source_id in ("airports", "planes"):
        fetch(store, source_id.encode() * 1000, source_id=source_id)
    assert tree(tmp_path) == before


def tree(root: Path) -> dict[str, tuple[int, int, int]]:
    """Every file and folder with inode, size and times; tmp/ itself is a scratch folder."""
    found = ((str(each), each.stat()) for each in root.rglob("*") if each != root / "tmp")
    return {name: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in found}


@pytest.mark.parametrize(
    "url",
    ["gs://bucket/prefix", "/data/store", "file:relative", "file://host/share", "file:///a?b", ""],
)
def test_refuses_other_addresses(url: str) -> None:
    with pytest.raises(ConfigError, match="file:///"):
        open_store(url)


def test_opens_addresses_with_escapes(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    open_store(department_url(folder.as_uri(), "alpha"))
    assert (folder / "alpha" / "cas.json").is_file()


def test_names_the_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"):
        open_store((tmp_path / "file" / "store").as_uri())


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (errno.ENOSPC, NoSpaceError),
        (errno.EDQUOT, NoSpaceError),
        (errno.EACCES, StoreDeniedError),
        (errno.EPERM, StoreDeniedError),
        (errno.EROFS, StoreDeniedError),
        (errno.ENOENT, ObjectNotFoundError),
        (errno.EIO, StoreUnavailableError),
        (errno.EMFILE, StoreUnavailableError),
    ],
)
def test_translates_errors_of_the_system(code: int, error: type[StoreError]) -> None:
    found = store_error(OSError(code, os.strerror(code)), "Writing x")
    assert type(found) is error
    assert os.strerror(code) in found.message
    assert found.remedy


def test_makes_no_store_for_a_reader(tmp_path: Path) -> None:
    url = (tmp_path / "store").as_uri()
    with pytest.raises(ObjectNotFoundError, match="There is no store"):
        open_store(url, create=False)
    assert list(tmp_path.iterdir()) == []
    local_store(tmp_path / "store")
    assert list(open_store(url, create=False).refs()) == []
