"""SHA-256 digests as values; parsing one is the only way to the key of an object."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.manifest_models import DIGEST_PATTERN

ALGORITHM = "sha256"
_PATTERN = re.compile(DIGEST_PATTERN)


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """``sha256:`` and 64 lower-case hexadecimal digits (the grammar of OCI descriptors).

    Raises:
        ConfigError: The text is anything else. No retry.
    """

    text: str

    def __post_init__(self) -> None:
        if not _PATTERN.fullmatch(self.text):
            raise ConfigError(
                f"{self.text[:80]!r} is not a digest",
                "Write sha256: and 64 lower-case hexadecimal digits",
            )

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """Return the digest of some bytes."""
        return cls(f"{ALGORITHM}:{hashlib.sha256(data).hexdigest()}")

    @property
    def hex(self) -> str:
        """The 64 hexadecimal digits."""
        return self.text[len(ALGORITHM) + 1 :]

    def in_sample(self, part: int, parts: int) -> bool:
        """Tell whether this digest is in the given one (from 1) of so many equal parts."""
        return int(self.hex[:8], 16) % parts == part - 1

    def __str__(self) -> str:
        return self.text
