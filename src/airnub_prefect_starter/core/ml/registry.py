"""Versions of models and which of them counts, in the content store, safe for many writers.

::

    models/<name>/versions/<n>.json     what version n is; written once
    models/<name>/decisions/<n>.json    what became of version n at first, and why; written once
    models/<name>/aliases.json          {"champion": 3, "challenger": 2}: moves by compare and swap

A version names its model file by digest and the manifest that made it, which a pin keeps from
garbage collection with all that it was made of. scikit-learn is not imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

from pydantic import Field, ValidationError

from airnub_prefect_starter.common.errors import (
    CorruptObjectError,
    ObjectNotFoundError,
    RefConflictError,
)
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    Descriptor,
    DigestText,
    Moment,
    Record,
    RunInfo,
    StoreName,
)
from airnub_prefect_starter.core.ml.config import CandidateKind
from airnub_prefect_starter.core.store import Store, numbered
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import ALIASES, MODELS, Key

R = TypeVar("R", bound=Record)
ModelMetrics = Mapping[str, float]
Role = Literal["champion", "challenger"]
_ATTEMPTS = 8


class TrainedModel(Record):
    """A trained model that passed its gates, before it has a number.

    Attributes:
        categorical: Feature → the values that were known in training.
        threshold: Probability from which a row counts as positive.
        metrics: On the rows held out, by name; ``auc`` is among them.
        manifest: The derived manifest of the training: its inputs lead to the sources' bytes.
        trained_on: Those inputs.
        release: Number of the release that the features are in, if there is one.
        tolerance: By which metrics may differ when it is made again.
    """

    name: StoreName
    kind: CandidateKind
    model_file: Descriptor
    key: str
    target: str
    positive: str
    numeric: tuple[str, ...]
    categorical: Mapping[str, tuple[str, ...]]
    threshold: float = Field(ge=0, le=1)
    metrics: ModelMetrics
    manifest: DigestText
    trained_on: tuple[DerivedInput, ...]
    code: DigestText
    release: int | None = None
    tolerance: float = Field(gt=0)
    run: RunInfo = RunInfo()

    @property
    def columns(self) -> tuple[str, ...]:
        """The features, numbers first."""
        return (*self.numeric, *self.categorical)

    def to_json(self) -> bytes:
        """Serialise; the shortest text that gives each float again, so nothing is lost."""
        return self.model_dump_json(indent=1, exclude_none=True).encode()


class ModelVersion(TrainedModel):
    """A registered model; never changes."""

    schema_version: Literal[1] = 1
    number: int = Field(ge=1)
    created_at: Moment


class Aliases(Record):
    """Which versions have a role."""

    champion: int | None = None
    challenger: int | None = None


class Decision(Record):
    """What became of a version when it was registered.

    Attributes:
        champion: Number of the version that counted from then on.
    """

    version: int
    role: Role
    reason: str
    champion: int
    decided_at: Moment


class ModelRegistry:
    """The versions of one model.

    Args:
        store: Where they are.
        name: The model's.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self.name = name
        self._versions = f"{MODELS}{name}/versions/"
        self._decisions = f"{MODELS}{name}/decisions/"
        self._aliases = Key(f"{MODELS}{name}/{ALIASES}")

    # Reading

    def versions(self) -> list[ModelVersion]:
        """Read all versions, the first one first.

        Raises:
            StoreError: One cannot be read.
        """
        return [self.version(number) for number in self._numbers()]

    def version(self, number: int) -> ModelVersion:
        """Read a version.

        Raises:
            ObjectNotFoundError: There is none of that number. No retry.
            CorruptObjectError: It is not a version. No retry.
        """
        data = numbered.read(self._store.backend, self._key(number))
        if data is None:
            known = ", ".join(map(str, self._numbers())) or "none"
            raise ObjectNotFoundError(
                f"There is no version {number} of the model {self.name}", f"There are: {known}"
            )
        return _parse(ModelVersion, data, self._key(number))

    def aliases(self) -> Aliases:
        """Read which versions are champion and challenger; neither before the first one."""
        return self._read_aliases()[0]

    def champion(self) -> ModelVersion | None:
        """Read the version that counts, or None before there is one."""
        number = self.aliases().champion
        return None if number is None else self.version(number)

    def require_champion(self) -> ModelVersion:
        """Read the version that counts.

        Raises:
            ObjectNotFoundError: There is none yet. No retry.
        """
        found = self.champion()
        if found is None:
            raise ObjectNotFoundError(
                f"The model {self.name} has no champion",
                "Train one: `airnub run DEPARTMENT model_building`; or name a version",
            )
        return found

    def challenger(self) -> ModelVersion | None:
        """Read the version that the champion is compared with, if there is one."""
        number = self.aliases().challenger
        return None if number is None else self.version(number)

    def decision(self, number: int) -> Decision | None:
        """Read what became of a version when it was registered, if that was decided."""
        key = self._decision(number)
        data = numbered.read(self._store.backend, key)
        return None if data is None else _parse(Decision, data, key)

    # Writing

    def register(self, trained: TrainedModel) -> ModelVersion:
        """Give a trained model the next number, or the one that it has already.

        Raises:
            RefConflictError: Other trainers took every number that was tried. A retry helps.
            StoreError: It cannot be written.
        """
        for _ in range(_ATTEMPTS):
            known = self.versions()
            version = _same(known, trained)
            if version is None:
                version = self._create(trained, known[-1].number + 1 if known else 1)
            if version is not None:
                return version
        raise RefConflictError(
            f"Other trainers registered {self.name} {_ATTEMPTS} times meanwhile", "Try again"
        )

    def promote(self, version: ModelVersion, *, expected: int | None) -> Aliases:
        """Make a version the champion; the one before becomes its challenger.

        Args:
            version: A registered version.
            expected: Number of the champion that the decision was made against; None for none.

        Raises:
            RefConflictError: Another trainer changed the champion meanwhile. A retry that decides
                anew helps.
        """
        aliases, token = self._expect(expected)
        if aliases.champion == version.number:
            return aliases
        return self._move(Aliases(champion=version.number, challenger=aliases.champion), token)

    def challenge(self, version: ModelVersion, *, expected: int | None) -> Aliases:
        """Make a version the challenger of the champion; arguments and errors as `promote`."""
        aliases, token = self._expect(expected)
        if version.number in (aliases.champion, aliases.challenger):
            return aliases
        return self._move(aliases.model_copy(update={"challenger": version.number}), token)

    def keep_decision(
        self, version: ModelVersion, *, role: Role, reason: str, champion: int
    ) -> None:
        """Keep what became of a version; the first decision stays, whoever moves it later.

        Raises:
            StoreError: It cannot be written.
        """
        found = Decision(
            version=version.number,
            role=role,
            reason=reason,
            champion=champion,
            decided_at=self._store.clock(),
        )
        numbered.claim(self._store.backend, self._decision(version.number), found.canonical())

    def _create(self, trained: TrainedModel, number: int) -> ModelVersion | None:
        # First the pin: what has a number must never be collected.
        pin = f"model.{self.name}.{Digest(trained.manifest).hex[:12]}"
        self._store.pin(pin, trained.manifest)
        version = ModelVersion(**dict(trained), number=number, created_at=self._store.clock())
        claimed = numbered.claim(self._store.backend, self._key(number), version.to_json())
        return version if claimed else None

    def _expect(self, champion: int | None) -> tuple[Aliases, str | None]:
        aliases, token = self._read_aliases()
        if aliases.champion != champion:
            raise RefConflictError(
                f"The champion of {self.name} is version {aliases.champion} now, not {champion}",
                "Compare with that one, then try again",
            )
        return aliases, token

    def _move(self, aliases: Aliases, token: str | None) -> Aliases:
        self._store.backend.cas(self._aliases, aliases.canonical(), token)
        return aliases

    def _read_aliases(self) -> tuple[Aliases, str | None]:
        try:
            with self._store.backend.open(self._aliases) as reader:
                data, token = reader.read(), reader.stat.token
        except ObjectNotFoundError:
            return Aliases(), None
        return _parse(Aliases, data, self._aliases), token

    def _key(self, number: int) -> Key:
        return Key(f"{self._versions}{number}.json")

    def _decision(self, number: int) -> Key:
        return Key(f"{self._decisions}{number}.json")

    def _numbers(self) -> list[int]:
        return numbered.numbers(self._store.backend, self._versions)


def _same(known: list[ModelVersion], trained: TrainedModel) -> ModelVersion | None:
    """Find the version with the same model, so that training it again adds none."""
    return next((each for each in known if _what(each) == _what(trained)), None)


def _what(model: TrainedModel) -> tuple[object, ...]:
    return (model.model_file.digest, model.threshold, model.trained_on)


def _parse(model: type[R], data: bytes, key: Key) -> R:
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise CorruptObjectError(
            f"{key} is not a {model.__name__}: {error.errors()[0]['msg']}",
            "Restore it from a backup; a later version of this program may have written it",
        ) from error
