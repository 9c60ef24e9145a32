"""A release as seen from this machine: its API and its store, through forwarded ports.

Passwords and keys are read from the cluster's Secrets for the time of one command and are kept in
its memory only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.control.environment import Layout, without_proxy
from airnub_prefect_starter.control.k8s.forward import PortForward
from airnub_prefect_starter.control.k8s.programs import Progress
from airnub_prefect_starter.control.k8s.release import Release
from airnub_prefect_starter.core.departments import DEFAULT_POOL, DepartmentEntry

_IN_CLUSTER = re.compile(r"([^.]+)\.([^.]+)\.svc(\..+)?")
# What a person may have set for other servers and stores.
_FOREIGN = ("PREFECT_", "AWS_")
_PASSED_ON = ("PREFECT_LOGGING_",)
# A file of this machine is none of a pod's; empty, since .env counts where a name is not set. What
# the release itself says of them wins.
_OF_THIS_MACHINE = {"AIRNUB_TELCO_CSV": "", "TELCO_SOURCE": ""}


# Not closed: a release of another version may say more.
class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _S3(_Spec):
    endpoint_url: str | None = None
    region: str
    secret_name: str


class _Department(_Spec):
    namespace: str
    service_account: str = Field("flow-run", alias="serviceAccount")
    work_pool: str = Field(DEFAULT_POOL, alias="workPool")
    image: str | None = None


class _Generic(_Spec):
    work_pool: str
    namespace: str


class _Cluster(_Spec):
    s3: _S3
    flows_image: str = ""
    department_secret_name: str = ""
    generic: _Generic | None = None
    departments: Mapping[str, _Department] = {}


class _Client(_Spec):
    api_url: str
    ui_url: str = ""
    auth_secret: str | None = None
    api_key_secret: str | None = None
    store_url: str
    addresses: Mapping[str, str] = {}


@contextmanager
def cluster_environment(
    settings: Settings, release: Release, department: DepartmentEntry | None, on_progress: Progress
) -> Iterator[Mapping[str, str]]:
    """Open the ports that a command needs, and give the variables that point it at the release.

    Args:
        settings: The project's settings.
        release: Where the release is.
        department: Whose store is meant, and whose key to it is used; None for no store.
        on_progress: Called when the ports are opened.

    Raises:
        PlatformError: The release is not there, does not answer, or its Secrets may not be read.
    """
    with ExitStack() as ports:
        opener = ReleaseAccess(release, ports)
        on_progress(f"Opening ports to the release {release.name} of {release.context}")
        yield {
            **opener.addresses(),
            **opener.api(),
            **(opener.store(department) if department else {}),
            **own_environment(settings),
        }


@contextmanager
def api_environment(release: Release) -> Iterator[Mapping[str, str]]:
    """Open the port of the API, and give the variables that point at it.

    Raises:
        PlatformError: As for `cluster_environment`.
    """
    with ExitStack() as ports:
        yield ReleaseAccess(release, ports).api()


@contextmanager
def registering_environment(
    settings: Settings, release: Release, on_progress: Progress
) -> Iterator[Mapping[str, str]]:
    """Open the port of the API, and give the variables with which a release is registered.

    Raises:
        PlatformError: As for `cluster_environment`.
    """
    with ExitStack() as ports, TemporaryDirectory(prefix="airnub-") as folder:
        opener = ReleaseAccess(release, ports)
        on_progress(f"Opening a port to the release {release.name} of {release.context}")
        yield {**opener.api(), **opener.registration(settings, Path(folder))}


def use_cluster(environment: Mapping[str, str], environ: MutableMapping[str, str]) -> None:
    """Point a process's environment at a release, before it imports Prefect.

    Args:
        environment: What `cluster_environment` gave.
        environ: What to change: ``os.environ``.
    """
    for name in list(environ):
        if name.startswith(_FOREIGN) and not name.startswith(_PASSED_ON):
            del environ[name]
    environ.update({**_OF_THIS_MACHINE, **environment})


def own_environment(settings: Settings) -> dict[str, str]:
    """Give the variables that keep a process to this project, wherever the server is."""
    direct = without_proxy(settings.environment)
    # Prefect keeps profiles there; a person's own could name another server.
    home = Layout(settings.home).prefect_home
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PREFECT_HOME": str(home),
        "AIRNUB_PROJECT_ROOT": str(settings.project_root),
        "AIRNUB_HOME": str(settings.home),
        # Both, since readers differ in which one wins.
        "NO_PROXY": direct,
        "no_proxy": direct,
    }


class ReleaseAccess:
    """Makes what one release offers reachable, for as long as ``ports`` are open.

    Raises:
        PlatformError: The release is not there, does not answer, or its Secrets may not be read.
    """

    def __init__(self, release: Release, ports: ExitStack) -> None:
        self._release = release
        self._ports = ports
        name = release.object_name("cluster")
        files = release.data("configmaps", name, release.namespace)
        if "client.yaml" not in files:
            raise PlatformError(
                f"There is no release {release.name} in {release.namespace} of {release.context}",
                "Run `airnub k8s up`, or name another: --context, --release, --namespace",
            )
        self.files = files
        self.client = _Client.model_validate(yaml.safe_load(files["client.yaml"]))
        self.cluster = _Cluster.model_validate(yaml.safe_load(files["cluster.yaml"]))
        self._reached: dict[tuple[str, str, int], str] = {}
        self._opening = Lock()

    def addresses(self) -> dict[str, str]:
        """What ``${NAME}`` stands for there, as its pods see it."""
        return dict(self.client.addresses)

    def api(self) -> dict[str, str]:
        """Variables that point at the API."""
        client = self.client
        # Prefect itself looks for the page of a run where none is named.
        found = {"PREFECT_UI_URL": client.ui_url} if client.ui_url else {}
        secrets = {
            "PREFECT_API_AUTH_STRING": (client.auth_secret, "auth-string"),
            "PREFECT_API_KEY": (client.api_key_secret, "api-key"),
        }
        for variable, (name, key) in secrets.items():
            if name:
                (found[variable],) = self._values(self._release.namespace, name, key)
        return {**found, "PREFECT_API_URL": self.reachable(client.api_url)}

    def registration(self, settings: Settings, folder: Path) -> dict[str, str]:
        """Variables that tell what bootstrap there knows, but for the object store's root key.

        Args:
            settings: The project's settings.
            folder: Where a file for them is written.
        """
        cluster = yaml.safe_load(self.files["cluster.yaml"])
        cluster["s3"]["embedded"] = False
        file = folder / "cluster.yaml"
        file.write_text(yaml.safe_dump(cluster))
        return {
            **self.addresses(),
            **own_environment(settings),
            "AIRNUB_STORE_URL": self.client.store_url,
            "AIRNUB_DURABILITY": "full",
            "AIRNUB_CLUSTER_FILE": str(file),
        }

    def store(self, department: DepartmentEntry) -> dict[str, str]:
        """Variables that point at the stores, with a department's key."""
        s3 = self.cluster.s3
        names = ("access-key-id", "secret-access-key")
        key_id, key = self._values(self.namespace(department), s3.secret_name, *names)
        endpoint = s3.endpoint_url
        return {
            "AIRNUB_STORE_URL": self.client.store_url,
            "AWS_REGION": s3.region,
            "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": key,
            **({"AWS_ENDPOINT_URL": self.reachable(endpoint)} if endpoint else {}),
        }

    def namespace(self, department: DepartmentEntry) -> str:
        """Name a department's namespace."""
        # The chart's values win over the department's file, as they do for bootstrap.
        placed = self.cluster.departments
        if not placed:
            return self._release.object_name(department.namespace)
        if department.name.id not in placed:
            raise PlatformError(
                f"The release {self._release.name} has no department {department.name.id}",
                "Run `airnub render` and upgrade the release with that chart",
            )
        return placed[department.name.id].namespace

    def _values(self, namespace: str, secret: str, *keys: str) -> list[str]:
        found = self._release.secret(secret, namespace)
        missing = [key for key in keys if key not in found]
        if missing:
            raise PlatformError(
                f"The Secret {secret} in {namespace} has no key {', '.join(missing)}",
                "See `airnub doctor --k8s`",
            )
        return [found[key] for key in keys]

    def reachable(self, url: str) -> str:
        """Give an address of this machine for one that only the cluster knows; others as is."""
        parts = urlsplit(url)
        found = _IN_CLUSTER.fullmatch(parts.hostname or "")
        if not found:
            return url
        service = (found[2], found[1], parts.port or 80)
        with self._opening:
            if service not in self._reached:
                forward = self._ports.enter_context(PortForward(self._release, *service))
                self._reached[service] = forward.address
        return f"{parts.scheme}://{self._reached[service]}{parts.path}"
