"""Block types and blocks: the departments' stores and secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from prefect.blocks.core import Block
from prefect.blocks.system import Secret
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import BlockDocument
from pydantic import JsonValue, SecretStr

from airnub_prefect_starter.blocks import ContentStore
from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.control.desired import ContentStoreSpec, SecretSpec
from airnub_prefect_starter.control.reconcile import Current, Fields, Kind, pages

BlockSpec = ContentStoreSpec | SecretSpec


class BlockTypes(Kind[type[Block]]):
    """Block types by slug, each with the checksum of its present schema."""

    name = "block type"

    def __init__(self) -> None:
        super().__init__({ContentStore.get_block_type_slug(): ContentStore})

    def describe(self, spec: type[Block]) -> Fields:
        """See ``Kind.describe``."""
        # The checksum is how the API itself tells schemas apart; it has no public name.
        return {"schema": spec._calculate_schema_checksum()}  # noqa: SLF001

    def read(self, client: SyncPrefectClient) -> Mapping[str, Current]:
        """See ``Kind.read``."""
        found = {}
        for slug in {each.slug: each for each in client.read_block_types()}.keys() & self.wanted:
            block_type = client.read_block_type_by_slug(slug)
            schema = client.get_most_recent_block_schema_for_block_type(block_type.id)
            found[slug] = Current(
                str(block_type.id), {"schema": schema.checksum if schema else None}
            )
        return found

    def write(
        self,
        client: SyncPrefectClient,  # noqa: ARG002 - Prefect opens one of its own
        spec: type[Block],
        current: Current | None,  # noqa: ARG002 - registering does both
    ) -> None:
        """See ``Kind.write``."""
        spec.register_type_and_schema(_sync=True)  # type: ignore[call-arg]


class Blocks(Kind[BlockSpec]):
    """Blocks by type and name: ``content-store/project-alpha``; none is ever deleted."""

    name = "block"
    secret_fields = frozenset({"value"})

    def describe(self, spec: BlockSpec) -> Fields:
        """See ``Kind.describe``."""
        if isinstance(spec, SecretSpec):
            return {"value": _value(spec).get_secret_value()}
        return _store_fields(spec)

    def owners(self, spec: BlockSpec) -> tuple[str, ...]:
        """See ``Kind.owners``."""
        return spec.owners

    def read(self, client: SyncPrefectClient) -> Mapping[str, Current]:
        """See ``Kind.read``."""
        documents = pages(
            lambda limit, offset: client.read_block_documents(limit=limit, offset=offset)
        )
        return {_key(each): Current(str(each.id), each.data) for each in documents}

    def write(
        self,
        client: SyncPrefectClient,  # noqa: ARG002 - Prefect opens one of its own
        spec: BlockSpec,
        current: Current | None,  # noqa: ARG002 - saving does both
    ) -> None:
        """See ``Kind.write``."""
        block = (
            Secret(value=_value(spec))
            if isinstance(spec, SecretSpec)
            else ContentStore.model_validate(_store_fields(spec))
        )
        block.save(spec.name, overwrite=True, _sync=True)  # type: ignore[call-arg]


def _store_fields(spec: ContentStoreSpec) -> dict[str, JsonValue]:
    return {key: value for key, value in asdict(spec).items() if key != "name"}


def _value(spec: SecretSpec) -> SecretStr:
    if spec.value is None:
        raise ConfigError(
            f"Block secret/{spec.name}: {spec.variable} is not set",
            f"Set {spec.variable} in the environment or in .env",
        )
    return spec.value


def block_key(spec: BlockSpec) -> str:
    """Give a block's full name, by which settings refer to it: ``content-store/project-alpha``."""
    block_class = Secret if isinstance(spec, SecretSpec) else ContentStore
    return f"{block_class.get_block_type_slug()}/{spec.name}"


def _key(document: BlockDocument) -> str:
    slug = document.block_type.slug if document.block_type else "unknown"
    return f"{slug}/{document.name}"
