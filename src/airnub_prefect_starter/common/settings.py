"""Process settings from the environment and ``.env``, as one value that is passed down.

Nothing reads the environment anywhere else, but for what Prefect and boto3 read themselves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from airnub_prefect_starter.common.addresses import TELCO_PIN, TELCO_SAMPLE, address_of
from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.identifiers import nearest

ROOT_MARKER = Path("configs", "department_mapping.yaml")
# What Kubernetes adds for each Service: AIRNUB_STORE_PORT_9000_TCP, AIRNUB_STORE_SERVICE_HOST.
_SERVICE_LINK = re.compile(r"_(PORT(_.*)?|SERVICE_(HOST|PORT.*))$")
_ADDRESS = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
TELCO_SOURCE = "TELCO_SOURCE"


class Settings(BaseModel):
    """Where things are. Each field is the environment variable ``AIRNUB_<FIELD>``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project_root: Path = Field(description="Folder that holds flows/ and configs/")
    home: Path = Field(description="State of the embedded platform: database, logs, process ids")
    store_url: str = Field(
        description="Root of the content stores: file:///path or s3://bucket/prefix"
    )
    durability: Literal["full", "batch", "none"] = Field(
        default="full", description="When a local publish is synced to disk"
    )
    start_timeout_s: int = Field(
        default=120, ge=1, description="How long to wait for a server, in seconds"
    )
    cluster_file: Path | None = Field(
        default=None, description="What the Helm chart tells `airnub bootstrap`; None: embedded"
    )
    kube_context: str = Field(
        default="kind-airnub", description="Context of the kubeconfig, for `--on k8s`"
    )
    release: str = Field(default="airnub", description="The Helm release, for `--on k8s`")
    release_namespace: str = Field(default="airnub", description="The release's own namespace")
    isolation: Literal["process", "job"] = Field(
        default="process",
        description="Where a stage's categories run; its deployment says so, from Git",
    )
    telco_csv: Path | None = Field(
        default=None, description="A copy of the published churn table; its digest is checked"
    )
    environment: Mapping[str, str] = Field(
        description="What ${NAME} in the YAML files may refer to", exclude=True, repr=False
    )

    @field_validator("home")
    @classmethod
    def _wherever_one_is(cls, home: Path) -> Path:
        return home.resolve()

    @field_validator("telco_csv", mode="before")
    @classmethod
    def _empty_is_none(cls, given: object) -> object:
        return given or None

    @property
    def telco_source(self) -> str:
        """What ``${TELCO_SOURCE}`` stands for: the address of the churn table.

        ``TELCO_SOURCE``, an address or a path, wins; then ``AIRNUB_TELCO_CSV``, a copy of the
        published table; without either, the made-up table of the sample sources.

        Raises:
            ConfigError: None of them is set. No retry.
        """
        return self.named_telco_source or f"{self._lookup('SOURCES_URL')}{TELCO_SAMPLE}"

    @property
    def named_telco_source(self) -> str | None:
        """The churn table's address as far as the settings name it; an empty setting does not."""
        if given := self.environment.get(TELCO_SOURCE):
            return address_of(given)
        if self.telco_csv is not None:
            return f"{address_of(str(self.telco_csv))}{TELCO_PIN}"
        return None

    def resolve(self, value: Any) -> Any:
        """Replace every ``${NAME}`` in the strings of a JSON-like value.

        Raises:
            ConfigError: A name is not set; the message names it. No retry.
        """
        if isinstance(value, str):
            return _ADDRESS.sub(lambda found: self._lookup(found[1]), value)
        if isinstance(value, Mapping):
            return {key: self.resolve(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.resolve(each) for each in value]
        return value

    def hiding(self, names: Collection[str]) -> Settings:
        """Return the same settings, in which ``${NAME}`` cannot refer to some names."""
        visible = {name: value for name, value in self.environment.items() if name not in names}
        return self.model_copy(update={"environment": visible})

    def secret(self, name: str) -> SecretStr | None:
        """Return a secret from the environment, or None where it is not set."""
        value = self.environment.get(name)
        return SecretStr(value) if value else None

    def _lookup(self, name: str) -> str:
        value = self.telco_source if name == TELCO_SOURCE else self.environment.get(name)
        if value is None:
            raise ConfigError(
                f"The address ${{{name}}} is not set, or is a secret",
                f"Set {name} in the environment or in .env, or run `airnub up`",
            )
        return value


def find_project_root(start: Path | None = None) -> Path:
    """Return the nearest folder from ``start`` upward with ``configs/department_mapping.yaml``.

    Raises:
        ConfigError: There is none. No retry.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / ROOT_MARKER).is_file():
            return folder
    raise ConfigError(
        f"No {ROOT_MARKER} in {here} or above it",
        "Change into the project's folder or set AIRNUB_PROJECT_ROOT",
    )


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings: the environment wins over ``.env`` in the project's root.

    With an ``AWS_ACCESS_KEY_ID`` of the environment, no ``AWS_*`` of ``.env`` is used.

    Raises:
        ConfigError: No project root, an unknown ``AIRNUB_*`` name, or a bad value. No retry.
    """
    given = dict(os.environ if environ is None else environ)
    explicit = given.get("AIRNUB_PROJECT_ROOT")
    root = Path(explicit).resolve() if explicit else find_project_root()
    dotenv = {
        key: value for key, value in dotenv_values(root / ".env").items() if value is not None
    }
    if given.get("AWS_ACCESS_KEY_ID"):
        # That key is of a server of its own: the one that .env names must not get it.
        dotenv = {key: value for key, value in dotenv.items() if not key.startswith("AWS_")}
    merged = {**dotenv, **given}
    fields = {
        "home": root / ".airnub",
        "store_url": (root / "data" / "store").as_uri(),
        **_prefixed(merged),
        "project_root": root,
    }
    try:
        return Settings(**fields, environment=merged)
    except ValidationError as error:
        first = error.errors()[0]
        name = f"AIRNUB_{str(first['loc'][0]).upper()}"
        raise ConfigError(
            f"{name}={merged.get(name)!r}: {first['msg']}",
            "Correct it in the environment or in .env",
        ) from None


def _prefixed(environ: Mapping[str, str]) -> dict[str, str]:
    allowed = set(Settings.model_fields) - {"environment"}
    found = {}
    for name, value in environ.items():
        field = name.removeprefix("AIRNUB_").lower()
        if field == name.lower() or field.startswith("test_"):
            continue  # another's variable, or one for the tests alone (AIRNUB_TEST_S3_URL)
        if field in allowed:
            found[field] = value
        elif not _SERVICE_LINK.search(name) and (hint := nearest(field, allowed)):
            # Names that are like none of ours are left alone.
            raise ConfigError(f"{name} is not a setting", f"Did you mean AIRNUB_{hint.upper()}?")
    return found
