"""What tests of the command line share: a project in which commands run in this process."""

from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airnub_prefect_starter.cli import run_command
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedOutput,
    RowCounts,
    RunInfo,
    Source,
)
from airnub_prefect_starter.core.store import DerivedCommit, FetchCommit, Store, open_store

NAMESPACE = "ingestion.files"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def errors(self) -> list[str]:
        return [line for line in self.stderr.splitlines() if line.startswith("error: ")]

    @property
    def error_records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stderr.splitlines()]


class Project:
    """A project with one department, ``sample``."""

    def __init__(
        self, root: Path, capture: pytest.CaptureFixture[bytes], patch: pytest.MonkeyPatch
    ) -> None:
        self.root = root
        self._capture = capture
        self._patch = patch

    def run(self, *arguments: object, stdin: bytes = b"") -> Done:
        """Run ``airnub`` with these arguments."""
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._capture.readouterr()
        code = run_command([str(each) for each in arguments])
        out, err = self._capture.readouterr()
        return Done(code, out, err.decode())

    def environ(self, **environ: str) -> None:
        for name, value in environ.items():
            self._patch.setenv(name, value)

    def write(self, name: str, text: str | bytes) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    @property
    def store_folder(self) -> Path:
        return self.root / "data" / "store" / "sample"

    @property
    def store(self) -> Store:
        return open_store(self.store_folder.as_uri(), durability="none")

    def files(self) -> set[str]:
        """List what lies in the store, but for its marker."""
        found = {
            str(path.relative_to(self.store_folder))
            for path in self.store_folder.rglob("*")
            if path.is_file()
        }
        return found - {"cas.json"}

    def fetched(self, source_id: str, data: bytes, *, url: str = "", filename: str = "") -> str:
        """Store bytes as if they were fetched; returns the blob's digest."""
        address = url or f"http://example.com/{source_id}"
        source = Source(url=address, final_url=address, filename=filename or None)
        with self.store.spool() as spool:
            spool.write(data)
            commit = FetchCommit(NAMESPACE, source_id, source, spool, run=RunInfo())
            ref = self.store.commit_fetch(commit).ref
        assert ref.blob is not None
        return ref.blob.digest

    def derived(self, source_id: str, inputs: list[str], outputs: dict[str, bytes]) -> str:
        """Store a derivation of fetched refs; returns the manifest's digest."""
        store = self.store
        commit = DerivedCommit(
            "processing.tables",
            source_id,
            inputs=tuple(_input(store, each) for each in inputs),
            outputs=tuple(
                DerivedOutput(name=name, blob=store.put_bytes(data)[0])
                for name, data in outputs.items()
            ),
            rows=RowCounts(rows_in=2, rows_out=2, rejected=0, duplicates=0),
        )
        return store.commit_derived(commit).ref.manifest.digest

    def blob_file(self, digest: str) -> Path:
        digits = digest.removeprefix("sha256:")
        return self.store_folder / "blobs" / "sha256" / digits[:2] / digits

    def damage(self, digest: str) -> None:
        """Flip a bit of a blob."""
        file = self.blob_file(digest)
        data = file.read_bytes()
        file.chmod(0o644)
        file.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def require_one_line(done: Done, code: int, message: str) -> None:
    """Require that a command failed as it should: one line with a remedy, and nothing else."""
    assert done.code == code, done.stderr
    (error,) = done.errors
    assert message in error
    assert re.search(r"[.?] [A-Z]", error), f"no remedy: {error}"
    assert "Traceback" not in done.stderr
    assert done.stdout == b""


def _input(store: Store, source_id: str) -> DerivedInput:
    ref = store.ref(NAMESPACE, source_id)
    assert ref is not None
    assert ref.blob is not None
    return DerivedInput(
        namespace=NAMESPACE,
        source_id=source_id,
        manifest=ref.manifest.digest,
        blob=ref.blob.digest,
    )
