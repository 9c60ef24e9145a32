"""The embedded object store's keys, on a real MinIO server."""

import io
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from minio import Minio
from minio.error import S3Error
from prefect.client.orchestration import SyncPrefectClient
from pydantic import SecretStr

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.names import Department
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.bootstrap import bootstrap
from airnub_prefect_starter.control.desired import DesiredState, ObjectStoreSpec, StoreUserSpec
from airnub_prefect_starter.control.object_store import ObjectStore
from airnub_prefect_starter.control.platform import quiet
from airnub_prefect_starter.control.probes import free_port
from airnub_prefect_starter.control.reconcile import Summary

PRUNE = {"object store user", "object store policy"}
ROOT = SecretStr("root-of-the-test")
MINIO = shutil.which("minio")

pytestmark = pytest.mark.skipif(MINIO is None, reason="there is no `minio` on the PATH")

Register = Callable[[ObjectStoreSpec], Summary]


def user(department: str, secret: str = "") -> StoreUserSpec:
    return StoreUserSpec(
        department=Department(department, department.title()),
        access_key=f"{department}-key",
        secret_key=SecretStr(secret or f"secret-of-{department}"),
        prefix=f"store/{department}",
    )


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert MINIO is not None
    folder, port = tmp_path_factory.mktemp("minio"), free_port()
    root = ROOT.get_secret_value()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [MINIO, "server", "--address", f"127.0.0.1:{port}", str(folder / "data")],
            env={**os.environ, "MINIO_ROOT_USER": root, "MINIO_ROOT_PASSWORD": root},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(20)


@pytest.fixture
def spec(endpoint: str) -> ObjectStoreSpec:
    return ObjectStoreSpec(
        endpoint_url=endpoint,
        region="us-east-1",
        root_user=ROOT,
        root_password=ROOT,
        bucket="airnub",
        users=(user("alpha"), user("beta")),
    )


@pytest.fixture
def register(client: SyncPrefectClient, settings: Settings) -> Register:
    return lambda wanted: bootstrap(
        DesiredState(object_store=wanted), settings=settings, on_progress=quiet, prune=PRUNE
    )


@pytest.fixture
def registered(register: Register, spec: ObjectStoreSpec) -> ObjectStoreSpec:
    """Begin with everything as it should be."""
    register(spec)
    return spec


def changes(summary: Summary) -> list[str]:
    return [str(each) for each in summary.changes]


def as_user(spec: ObjectStoreSpec, each: StoreUserSpec) -> Minio:
    return Minio(
        spec.endpoint_url.removeprefix("http://"),
        each.access_key,
        each.secret_key.get_secret_value(),
        region=spec.region,
        secure=False,
    )


def refusal(action: Callable[[], object]) -> str | None:
    with pytest.raises(S3Error) as caught:
        action()
    return caught.value.code


def put(client: Minio, name: str) -> None:
    client.put_object("airnub", name, io.BytesIO(b"x"), 1)


def names(client: Minio, prefix: str) -> list[str | None]:
    return [each.object_name for each in client.list_objects("airnub", prefix, recursive=True)]


def test_bucket_policies_and_users_are_made_once(
    register: Register, spec: ObjectStoreSpec, endpoint: str, tmp_path: Path
) -> None:
    fresh = replace(spec, bucket=f"fresh-{int(time.time())}", users=(user("one"), user("two")))

    first = register(fresh)
    second = register(fresh)

    made = [each for each in changes(first) if each.startswith("create object store")]
    assert made == [
        f"create object store bucket {fresh.bucket}",
        "create object store policy airnub-one",
        "create object store policy airnub-two",
        "create object store user one-key",
        "create object store user two-key",
    ]
    assert (second.changes, second.unchanged) == ((), first.unchanged + len(first.changes))


def test_a_key_opens_its_own_department_and_no_other(registered: ObjectStoreSpec) -> None:
    alpha, beta = (as_user(registered, each) for each in registered.users)
    put(alpha, "store/alpha/blobs/a")
    put(beta, "store/beta/blobs/b")

    assert alpha.get_object("airnub", "store/alpha/blobs/a").read() == b"x"
    assert names(alpha, "store/alpha/") == ["store/alpha/blobs/a"]
    alpha.remove_object("airnub", "store/alpha/blobs/a")
    for forbidden in (
        lambda: alpha.get_object("airnub", "store/beta/blobs/b"),
        lambda: put(alpha, "store/beta/blobs/b"),
        lambda: alpha.remove_object("airnub", "store/beta/blobs/b"),
        lambda: names(alpha, "store/beta/"),
        lambda: names(alpha, "store/"),
        lambda: names(alpha, ""),
        lambda: put(alpha, "store/alphabet/x"),
        lambda: alpha.make_bucket("another"),
        lambda: alpha.remove_bucket("airnub"),
    ):
        assert refusal(forbidden) == "AccessDenied"
    assert names(beta, "store/beta/") == ["store/beta/blobs/b"]


def disable(store: ObjectStore) -> None:
    store.admin.user_disable("alpha-key")


def widen(store: ObjectStore) -> None:
    store.admin.policy_set("readwrite", user="alpha-key")


def edit_policy(store: ObjectStore) -> None:
    everything = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}
    store.admin.policy_add(
        "airnub-alpha", policy={"Version": "2012-10-17", "Statement": [everything]}
    )


def change_key(store: ObjectStore) -> None:
    store.admin.user_add("alpha-key", "quite-another-secret")


@pytest.mark.parametrize(
    ("drift", "expected"),
    [
        (disable, "update object store user alpha-key (status, secret_key)"),
        (widen, "update object store user alpha-key (policy)"),
        (edit_policy, "update object store policy airnub-alpha (document)"),
        (change_key, "update object store user alpha-key (secret_key)"),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_what_was_changed_elsewhere_is_put_right(
    registered: ObjectStoreSpec,
    register: Register,
    drift: Callable[[ObjectStore], None],
    expected: str,
) -> None:
    drift(ObjectStore(registered))

    assert changes(register(registered)) == [expected]
    assert register(registered).changes == ()
    alpha = as_user(registered, registered.users[0])
    put(alpha, "store/alpha/mine")
    assert refusal(lambda: put(alpha, "store/beta/theirs")) == "AccessDenied"


def test_a_changed_secret_is_taken_over(registered: ObjectStoreSpec, register: Register) -> None:
    renewed = replace(registered, users=(user("alpha", "renewed-secret"), user("beta")))

    assert changes(register(renewed)) == ["update object store user alpha-key (secret_key)"]

    put(as_user(registered, renewed.users[0]), "store/alpha/new")
    old = as_user(registered, registered.users[0])
    assert refusal(lambda: put(old, "store/alpha/old")) == "SignatureDoesNotMatch"


def test_the_key_of_a_department_that_is_gone_is_removed_and_no_foreign_one(
    registered: ObjectStoreSpec, register: Register
) -> None:
    store = ObjectStore(registered)
    store.admin.user_add("somebody", "somebody's secret")
    store.admin.policy_set("readonly", user="somebody")

    summary = register(replace(registered, users=registered.users[:1]))

    assert changes(summary) == [
        "delete object store user beta-key",
        "delete object store policy airnub-beta",
    ]
    assert "somebody" in store.admin.user_list()
    beta = as_user(registered, registered.users[1])
    assert refusal(lambda: names(beta, "store/beta/")) == "InvalidAccessKeyId"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (user("gamma", "short"), "object store user gamma-key.*secret key length"),
        (
            replace(user("gamma"), access_key=ROOT.get_secret_value()),
            "not allowed to be same as admin",
        ),
    ],
    ids=["too short a secret", "the root user's key"],
)
def test_a_key_that_the_store_refuses_is_named_and_stops_no_other(
    registered: ObjectStoreSpec, register: Register, given: StoreUserSpec, expected: str
) -> None:
    other = user("delta")

    with pytest.raises(ExceptionGroup, match=expected):
        register(replace(registered, users=(given, other)))

    put(as_user(registered, other), "store/delta/x")


def test_a_wrong_root_key_is_told_without_it(
    registered: ObjectStoreSpec, register: Register
) -> None:
    wrong = replace(registered, root_password=SecretStr("not the password"))

    with pytest.raises(PlatformError, match="SignatureDoesNotMatch") as caught:
        register(wrong)

    assert caught.value.message.startswith("Cannot read object store bucket objects")
    assert "not the password" not in str(caught.value)


def test_a_store_that_does_not_answer_is_waited_for_and_told(
    client: SyncPrefectClient, settings: Settings, spec: ObjectStoreSpec
) -> None:
    impatient = settings.model_copy(update={"start_timeout_s": 1})
    away = replace(spec, endpoint_url=f"http://127.0.0.1:{free_port()}")
    told: list[str] = []

    with pytest.raises(PlatformError, match="does not answer") as caught:
        bootstrap(DesiredState(object_store=away), settings=impatient, on_progress=told.append)

    assert caught.value.exit_code == 6
    assert told == [f"Waiting for {away.endpoint_url}"]
