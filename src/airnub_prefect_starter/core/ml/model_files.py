"""Model files: scikit-learn pipelines as skops archives, whose loading runs no code of theirs.

Equal models have equal bytes: what skops takes from the process (addresses of objects, the time,
what is between the fields of records) is replaced by what does not change, so the digest says which
model it is.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import skops.io
from sklearn.pipeline import Pipeline

from airnub_prefect_starter.common.errors import DigestMismatchError, ModelFileError
from airnub_prefect_starter.core.store.digest import Digest

SKOPS = "application/vnd.airnub.model.skops"
TRUSTED = (
    "numpy.dtype",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""Beside what skops trusts itself: all that pipelines of this project are made of."""
_SCHEMA = "schema.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a ZIP archive can state


def dump(model: Pipeline) -> bytes:
    """Serialise a fitted pipeline; equal models give equal bytes in every process."""
    return _canonical(skops.io.dumps(model))


def load(raw: bytes, digest: str) -> Pipeline:
    """Read a pipeline back.

    Args:
        raw: The archive.
        digest: What the registry says of it.

    Raises:
        DigestMismatchError: These are other bytes. No retry.
        ModelFileError: They are no model file, hold a type that is not trusted, or were written
            by another version of scikit-learn that this one cannot read. No retry.
    """
    if Digest.of(raw) != Digest(digest):
        raise DigestMismatchError(
            f"The model file has the digest {Digest.of(raw).text}, expected was {digest}",
            "Read it from the store again; look at it with `airnub store verify`",
        )
    strange = sorted(set(_untrusted_types(raw)) - set(TRUSTED))
    if strange:
        raise ModelFileError(
            f"The model file {digest} holds types that are not trusted: {', '.join(strange)}",
            "Do not load it; train the model again with this project",
        )
    try:
        model = skops.io.loads(raw, trusted=list(TRUSTED))
    except Exception as error:  # whatever a type says that another version of its library wrote
        raise ModelFileError(
            f"The model file {digest} cannot be read: {type(error).__name__}: {error}",
            "Use the versions of scikit-learn and skops that wrote it, or train the model again",
        ) from error
    if not isinstance(model, Pipeline):
        raise ModelFileError(
            f"The model file {digest} holds a {type(model).__name__}, not a pipeline",
            "Train the model again with this project",
        )
    return model


def _untrusted_types(raw: bytes) -> list[str]:
    try:
        found: list[str] = skops.io.get_untrusted_types(data=raw)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise ModelFileError(
            f"Not a model file: {error}", "Train the model again with this project"
        ) from error
    return found


def _canonical(raw: bytes) -> bytes:
    """Number objects and members as they come in the schema, and drop times."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    numbers: dict[object, int] = {}
    names: dict[str, str] = {}
    schema = _renamed(json.loads(members[_SCHEMA]), numbers, names)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        _write(archive, _SCHEMA, json.dumps(schema, indent=1).encode())
        for name, renamed in names.items():
            _write(archive, renamed, _without_padding(name, members[name]))
    return sink.getvalue()


def _without_padding(name: str, member: bytes) -> bytes:
    """Blank the bytes between the fields of records, which hold whatever was in memory there."""
    if not name.endswith(".npy"):
        return member
    array = np.load(io.BytesIO(member), allow_pickle=False)
    if array.dtype.names is None:
        return member
    clean = np.zeros(array.shape, array.dtype)  # zeros_like leaves what is between fields as it is
    for field in array.dtype.names:
        clean[field] = array[field]
    sink = io.BytesIO()
    np.save(sink, clean, allow_pickle=False)
    return sink.getvalue()


def _renamed(node: Any, numbers: dict[object, int], names: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_renamed(each, numbers, names) for each in node]
    if not isinstance(node, Mapping):
        return node
    found = {key: _renamed(each, numbers, names) for key, each in node.items()}
    if "__id__" in node:
        found["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
    if isinstance(name := node.get("file"), str):
        kind = name.rpartition(".")[2]
        found["file"] = names.setdefault(name, f"{len(names) + 1}.{kind}")
    return found


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(member, data)
