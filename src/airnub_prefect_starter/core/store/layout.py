"""Where everything is: keys, the same on disk and in a bucket, and the store's marker.

::

    cas.json                                   the marker: layout version, algorithm, sharding
    blobs/sha256/ab/<hex>                      immutable bytes
    manifests/sha256/ab/<hex>.json             immutable canonical JSON, named by its own digest
    refs/<namespace>/<source_id>.json          the only pointers that move
    pins/<name>.json                           digests that gc must keep
    runs/<yyyy>/<mm>/<dd>/<run_id>.json        one report per run
    gc/<time>.jsonl                            candidates of the first phase of gc
    quarantine/  trash/  tmp/                  corrupt, collected and unfinished objects
    tables/  models/  releases/  dvc/  results/  reserved: other layers' files, outside blob gc

No key is a prefix of another key and a slash, so that folders can hold them all. A remote party's
text never becomes part of a key.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import NewType

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.core.manifest_models import NAME_PATTERN, canonical_json
from airnub_prefect_starter.core.store.digest import ALGORITHM, Digest

Key = NewType("Key", str)

MARKER_KEY = Key("cas.json")
MARKER = canonical_json({"casLayoutVersion": 1, "algorithm": ALGORITHM, "shard": [2]})
BLOBS, MANIFESTS, REFS, PINS, RUNS = "blobs/", "manifests/", "refs/", "pins/", "runs/"
GC, QUARANTINE, TRASH, TMP, RESULTS = "gc/", "quarantine/", "trash/", "tmp/", "results/"
MODELS, RELEASES, DVC = "models/", "releases/", "dvc/"
ALIASES = "aliases.json"  # of a model, in its folder
RESERVED = ("tables/", MODELS, RELEASES, DVC, RESULTS)
PREFIXES = (BLOBS, MANIFESTS, REFS, PINS, RUNS, GC, QUARANTINE, TRASH, TMP, *RESERVED)
MUTABLE = (REFS, PINS, MODELS)
SHARDS = tuple(
    f"{prefix}{ALGORITHM}/{shard:02x}" for prefix in (BLOBS, MANIFESTS) for shard in range(256)
)

_NAME = re.compile(NAME_PATTERN)
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=-]{0,254}")
_MAX_KEY_BYTES = 1024


def blob_key(digest: Digest) -> Key:
    """Return the key of a blob."""
    return Key(f"{BLOBS}{ALGORITHM}/{digest.hex[:2]}/{digest.hex}")


def manifest_key(digest: Digest) -> Key:
    """Return the key of a manifest."""
    return Key(f"{MANIFESTS}{ALGORITHM}/{digest.hex[:2]}/{digest.hex}.json")


def digest_of(key: Key) -> Digest:
    """Return the digest in the key of a blob or manifest.

    Raises:
        ConfigError: The key is not one that this module makes. No retry.
    """
    name = key.rpartition("/")[2].removesuffix(".json")
    digest = Digest(f"{ALGORITHM}:{name}")
    if key not in {blob_key(digest), manifest_key(digest)}:
        raise ConfigError(f"{key!r} is not the key of a blob or manifest", "Move the file away")
    return digest


def ref_key(namespace: str, source_id: str) -> Key:
    """Return the key of a ref."""
    return Key(f"{REFS}{_name('namespace', namespace)}/{_name('source id', source_id)}.json")


def ref_name(key: Key) -> tuple[str, str]:
    """Return the namespace and source id in the key of a ref."""
    namespace, _, name = key.removeprefix(REFS).partition("/")
    source_id = name.removesuffix(".json")
    if key != ref_key(namespace, source_id):
        raise ConfigError(f"{key!r} is not the key of a ref", "Move the file away")
    return namespace, source_id


def pin_key(name: str) -> Key:
    """Return the key of a pin."""
    return Key(f"{PINS}{_name('pin', name)}.json")


def pin_name(key: Key) -> str:
    """Return the name in the key of a pin."""
    return key.removeprefix(PINS).removesuffix(".json")


def report_key(run_id: str, started_at: datetime) -> Key:
    """Return the key of a run's report, under the UTC day on which the run started."""
    return Key(f"{reports_of(started_at)}{_name('run id', run_id)}.json")


def reports_of(moment: datetime) -> str:
    """Return the prefix of the reports of the UTC day of a time."""
    return f"{RUNS}{moment.astimezone(UTC):%Y/%m/%d}/"


def candidates_key(moment: datetime) -> Key:
    """Return the key of the candidate list that gc writes at a time."""
    return Key(f"{GC}{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}.jsonl")


def candidates_time(key: Key) -> datetime:
    """Return the time in the key of a candidate list.

    Raises:
        ConfigError: The key is not one that this module makes. No retry.
    """
    text = key.removeprefix(GC).removesuffix(".jsonl")
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigError(f"{key!r} is not a list of candidates", "Move the file away") from None


def quarantine_key(key: Key, unique: str) -> Key:
    """Return where a corrupt object goes; never the same place twice."""
    return Key(f"{QUARANTINE}{key.replace('/', '_')}.{unique}")


def trash_key(key: Key) -> Key:
    """Return where a collected object goes; dropping the prefix restores it."""
    return Key(f"{TRASH}{key}")


def result_key(path: str) -> Key:
    """Return the key of a task result from a relative path of plain segments.

    Raises:
        ConfigError: A segment is empty, hidden, ``..`` or has unusual characters. No retry.
    """
    key = f"{RESULTS}{path}"
    if len(key) > _MAX_KEY_BYTES or not all(_SEGMENT.fullmatch(part) for part in path.split("/")):
        raise ConfigError(
            f"{path[:80]!r} cannot name a result",
            "Use letters, digits, '.', '_', '=', '-' in segments separated by '/'",
        )
    return Key(key)


def check_marker(data: bytes) -> None:
    """Accept the one layout that this program knows.

    Raises:
        ConfigError: The marker is of another layout, or no marker. No retry.
    """
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if found != json.loads(MARKER):
        raise ConfigError(
            f"{MARKER_KEY} is {data[:120]!r}, this program reads {MARKER.decode()}",
            "Open the store with the version that wrote it, or choose another address",
        )


def _name(what: str, text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ConfigError(
            f"{text[:80]!r} cannot be a {what}",
            "Use up to 63 of a-z, 0-9, '.', '_', '-', a letter or digit first",
        )
    return text
