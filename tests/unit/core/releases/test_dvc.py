import hashlib
import shlex

import pytest
import yaml

from airnub_prefect_starter.common.errors import ObjectNotFoundError
from airnub_prefect_starter.core.releases import dvc
from airnub_prefect_starter.core.releases.dvc import DvcFile, Remote
from airnub_prefect_starter.core.store import Store
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.s3 import S3Backend
from airnub_prefect_starter.core.store.s3_address import parse_s3_url
from airnub_prefect_starter.core.store.s3_bucket import S3Bucket
from airnub_prefect_starter.core.store.s3_client import S3Connection

HELLO = "5d41402abc4b2a76b9719d911017c592"


def _file(name: str, md5: str = HELLO) -> DvcFile:
    return DvcFile(name=name, md5=md5, sha256=Digest.of(b"hello").text, size=5)


def test_a_blob_gets_the_key_that_dvc_looks_for(content_store: Store) -> None:
    blob, _ = content_store.put_bytes(b"hello")
    found = dvc.put_file(content_store, "a.txt", blob.digest)

    assert found == _file("a.txt")
    with content_store.backend.open(dvc.object_key(HELLO)) as reader:
        assert reader.read() == b"hello"
    assert dvc.object_key(HELLO) == f"dvc/files/md5/5d/{HELLO[2:]}"


def test_an_object_that_has_rotted_is_written_again(content_store: Store) -> None:
    blob, _ = content_store.put_bytes(b"hello")
    dvc.put_file(content_store, "a.txt", blob.digest)
    path = content_store.backend.local_path(dvc.object_key(HELLO))
    assert path is not None
    path.chmod(0o644)
    path.write_bytes(b"jello")
    dvc.put_file(content_store, "a.txt", blob.digest)

    assert path.read_bytes() == b"hello"


def test_a_blob_that_is_not_there_is_named(content_store: Store) -> None:
    with pytest.raises(ObjectNotFoundError):
        dvc.put_file(content_store, "a.txt", Digest.of(b"never").text)


def test_a_folder_is_the_list_of_its_files_by_path(content_store: Store) -> None:
    md5 = dvc.put_folder(content_store, [_file("b.txt"), _file("a.txt", md5="0" * 32)])
    listed = (
        f'[{{"md5": "{"0" * 32}", "relpath": "a.txt"}}, {{"md5": "{HELLO}", "relpath": "b.txt"}}]'
    )

    assert md5 == f"{hashlib.md5(listed.encode()).hexdigest()}.dir"  # noqa: S324 - DVC's key
    with content_store.backend.open(dvc.object_key(md5)) as reader:
        assert reader.read() == listed.encode()


def test_a_pointer_names_a_file_or_a_folder() -> None:
    file = yaml.safe_load(dvc.pointer("a.txt", HELLO, [_file("a.txt")], {"release": "shop@1"}))
    files = [_file("a.txt"), _file("b.txt")]
    folder = yaml.safe_load(dvc.pointer("raw", f"{HELLO}.dir", files, {}))

    assert file == {
        "outs": [{"md5": HELLO, "size": 5, "hash": "md5", "path": "a.txt"}],
        "meta": {"release": "shop@1"},
    }
    assert folder["outs"] == [
        {"md5": f"{HELLO}.dir", "size": 10, "hash": "md5", "nfiles": 2, "path": "raw"}
    ]


def test_the_commands_name_the_remote_and_a_buckets_server(content_store: Store) -> None:
    remote = dvc.remote_of(content_store)
    bucket = Remote("s3://lake/shop/dvc", "http://127.0.0.1:9000")

    assert remote.address.endswith("/store/dvc")
    assert "dvc remote modify" not in "".join(remote.commands())
    assert "dvc remote add --default store s3://lake/shop/dvc" in bucket.commands()
    assert "dvc remote modify store endpointurl http://127.0.0.1:9000" in bucket.commands()


def test_a_folder_with_a_space_is_one_word_of_its_command() -> None:
    add = Remote("/data/my store/dvc").commands()[1]

    assert shlex.split(add)[-1] == "/data/my store/dvc"


def test_a_bucket_at_aws_needs_no_address_of_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    bucket = S3Bucket(parse_s3_url("s3://lake/shop"), S3Connection(region="eu-central-1"))

    assert dvc.remote_of(Store(S3Backend(bucket))) == Remote("s3://lake/shop/dvc")
