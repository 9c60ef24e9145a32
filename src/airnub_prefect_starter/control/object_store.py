"""The embedded object store: its bucket, and a user with a policy for each department.

This is the one place that speaks MinIO's own API; everywhere else the store is plain S3. MinIO's
users have no tags, so a policy named ``airnub-…`` is what marks a user as ours.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException, MinioException, S3Error
from prefect.client.orchestration import SyncPrefectClient
from pydantic import JsonValue, SecretStr
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from airnub_prefect_starter.control.desired import ObjectStoreSpec, StoreUserSpec
from airnub_prefect_starter.control.reconcile import Current, Fields, Kind, Spec
from airnub_prefect_starter.core.store.s3_policy import department_policy

POLICY_MARK = "airnub-"
_TIMEOUT_S = 30
# What the store answers to a request that a key has signed and another key would have to.
_UNKNOWN_KEY = frozenset({"SignatureDoesNotMatch", "InvalidAccessKeyId"})


class ObjectStore:
    """A MinIO server, asked with its root key."""

    def __init__(self, spec: ObjectStoreSpec) -> None:
        self.spec = spec
        self._url = urlsplit(spec.endpoint_url)
        self._http = PoolManager(
            timeout=Timeout(_TIMEOUT_S),
            retries=Retry(3, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        )
        root = spec.root_user.get_secret_value()
        self.admin = MinioAdmin(
            endpoint=self._url.netloc,
            credentials=StaticProvider(root, spec.root_password.get_secret_value()),
            region=spec.region,
            secure=self._url.scheme == "https",
            http_client=self._http,
        )
        self.client = self._client(root, spec.root_password)

    def unready(self) -> Exception | None:
        """Tell why the server cannot be used yet; None if it can."""
        try:
            answer = self._http.request(
                "GET", f"{self.spec.endpoint_url.rstrip('/')}/minio/health/ready", retries=False
            )
        except HTTPError as error:
            return error
        return None if answer.status == 200 else HTTPError(f"it answers {answer.status}")

    def accepts(self, user: StoreUserSpec) -> bool:
        """Tell whether a user's key is known, by a request that it signs; it may be denied."""
        listing = self._client(user.access_key, user.secret_key).list_objects(
            self.spec.bucket, prefix=f"{user.prefix}/"
        )
        try:
            next(iter(listing), None)
        except S3Error as error:
            return error.code not in _UNKNOWN_KEY
        return True

    def _client(self, access_key: str, secret_key: SecretStr) -> Minio:
        return Minio(
            self._url.netloc,
            access_key,
            secret_key.get_secret_value(),
            region=self.spec.region,
            secure=self._url.scheme == "https",
            http_client=self._http,
        )


class _StoreKind(Kind[Spec]):
    """Objects of the store: whatever they are asked, they do not need Prefect's client."""

    foreign_errors = (MinioException, MinioAdminException, HTTPError, ValueError)

    def __init__(self, wanted: Mapping[str, Spec], store: ObjectStore) -> None:
        super().__init__(wanted)
        self.store = store

    @abstractmethod
    def registered(self) -> Mapping[str, Current]:
        """Read what is there, by name."""

    @abstractmethod
    def put(self, spec: Spec) -> None:
        """Create or update one."""

    def remove(self, name: str) -> None:
        """Delete one that is ours."""
        raise NotImplementedError(f"{name}: {self.name} objects are never deleted")

    def read(self, client: SyncPrefectClient) -> Mapping[str, Current]:  # noqa: ARG002 - see class
        """See ``Kind.read``."""
        return self.registered()

    def write(
        self,
        client: SyncPrefectClient,  # noqa: ARG002 - see class
        spec: Spec,
        current: Current | None,  # noqa: ARG002 - to put does both
    ) -> None:
        """See ``Kind.write``."""
        self.put(spec)

    def delete(self, client: SyncPrefectClient, current: Current) -> None:  # noqa: ARG002 - see class
        """See ``Kind.delete``."""
        self.remove(current.id)


class Buckets(_StoreKind[str]):
    """The one bucket; it is never deleted."""

    name = "object store bucket"

    def describe(self, spec: str) -> Fields:
        """See ``Kind.describe``."""
        return {"name": spec}

    def registered(self) -> Mapping[str, Current]:
        """See ``_StoreKind.registered``."""
        there = [each.name for each in self.store.client.list_buckets()]
        return {name: Current(name, {"name": name}) for name in there}

    def put(self, spec: str) -> None:
        """See ``_StoreKind.put``."""
        self.store.client.make_bucket(spec)


class Policies(_StoreKind[StoreUserSpec]):
    """What each department's key may do; those whose names begin with our mark are ours."""

    name = "object store policy"

    def describe(self, spec: StoreUserSpec) -> Fields:
        """See ``Kind.describe``."""
        return {"document": _ordered(self._document(spec))}

    def registered(self) -> Mapping[str, Current]:
        """See ``_StoreKind.registered``."""
        return {
            name: Current(name, {"document": _ordered(document)}, name.startswith(POLICY_MARK))
            for name, document in json.loads(self.store.admin.policy_list()).items()
        }

    def put(self, spec: StoreUserSpec) -> None:
        """See ``_StoreKind.put``."""
        self.store.admin.policy_add(policy_name(spec), policy=self._document(spec))

    def remove(self, name: str) -> None:
        """See ``_StoreKind.remove``."""
        self.store.admin.policy_remove(name)

    def _document(self, spec: StoreUserSpec) -> dict[str, Any]:
        return department_policy(self.store.spec.bucket, spec.prefix)


class Users(_StoreKind[StoreUserSpec]):
    """The departments' keys; those with a policy of ours are ours.

    A secret key cannot be read back, so it is tried instead of compared.
    """

    name = "object store user"

    def describe(self, spec: StoreUserSpec) -> Fields:
        """See ``Kind.describe``."""
        return {"policy": policy_name(spec), "status": "enabled", "secret_key": "accepted"}

    def registered(self) -> Mapping[str, Current]:
        """See ``_StoreKind.registered``."""
        users = json.loads(self.store.admin.user_list())
        return {name: self._current(name, user) for name, user in users.items()}

    def put(self, spec: StoreUserSpec) -> None:
        """See ``_StoreKind.put``."""
        self.store.admin.user_add(spec.access_key, spec.secret_key.get_secret_value())
        self.store.admin.policy_set(policy_name(spec), user=spec.access_key)

    def remove(self, name: str) -> None:
        """See ``_StoreKind.remove``."""
        self.store.admin.user_remove(name)

    def _current(self, name: str, user: Mapping[str, str]) -> Current:
        wanted, policy = self.wanted.get(name), user.get("policyName", "")
        accepted = wanted is not None and self.store.accepts(wanted)
        fields: Fields = {
            "policy": policy,
            "status": user["status"],
            "secret_key": "accepted" if accepted else "refused",
        }
        return Current(name, fields, managed=policy.startswith(POLICY_MARK))


def store_kinds(store: ObjectStore) -> list[Kind[Any]]:
    """List the kinds in the order in which their objects must exist."""
    users = store.spec.users
    return [
        Buckets({store.spec.bucket: store.spec.bucket}, store),
        Policies({policy_name(each): each for each in users}, store),
        Users({each.access_key: each for each in users}, store),
    ]


def policy_name(user: StoreUserSpec) -> str:
    """Name the policy of a department's key."""
    return f"{POLICY_MARK}{user.department.block}"


def _ordered(document: JsonValue) -> JsonValue:
    """Sort the lists of texts, which the store returns in an order of its own."""
    if isinstance(document, dict):
        return {key: _ordered(value) for key, value in document.items()}
    if isinstance(document, list):
        found = [_ordered(each) for each in document]
        return sorted(found, key=str) if all(isinstance(e, str) for e in found) else found
    return document
