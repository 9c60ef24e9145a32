"""The parameters of flows, as the schemas that their deployments register.

A flow's file has to run for it, and what it holds takes Prefect a tenth of a second to describe:
minutes for hundreds of departments. So the schemas of a department are kept in a file, under a
digest of everything they depend on. Those of departments that have changed are found by other
processes, which end after a few departments and take along the memory of what they have imported.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import sysconfig
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.exceptions import MissingFlowError, ScriptError
from prefect.flows import load_flow_from_entrypoint

from airnub_prefect_starter.common.errors import ConfigError, PlatformError
from airnub_prefect_starter.control.desired import DeploymentSpec
from airnub_prefect_starter.control.environment import write_atomically

Schema = dict[str, Any]
Found = Schema | ConfigError

_PACKAGE = Path(__file__).parents[1]
# Other processes are worth their start beyond these many flows.
_FEW = 40
_FLOWS_PER_PROCESS = 200
# Each takes 200 MB, and a bootstrap pod has 1 GiB.
_PROCESSES = 2


def parameter_schemas(specs: Iterable[DeploymentSpec], cache: Path) -> dict[str, Found]:
    """Find the parameter schema of each deployment's flow, or why its flow cannot be loaded.

    Args:
        specs: The deployments.
        cache: Folder in which the schemas are kept.

    Returns:
        The deployment's key → what was found.

    Raises:
        PlatformError: A process that loads flows was ended from outside.
    """
    groups = defaultdict[tuple[Path, str], list[DeploymentSpec]](list)
    for spec in specs:
        groups[_root(spec), _folder(spec)].append(spec)
    shared = {root: _shared_digest(root) for root in {root for root, _ in groups}}
    found: dict[str, Found] = {}
    changed: list[_Department] = []
    for (root, folder), members in groups.items():
        digest = _digest(shared[root], _files(root / folder))
        department = _Department(cache / f"{folder.replace('/', '-')}.json", digest, members)
        known = department.read()
        found |= known
        if len(known) < len(members):
            changed.append(department)
    for department, schemas in zip(changed, _load_all(changed), strict=True):
        department.keep(schemas)
        found |= schemas
    return found


class _Department:
    """The deployments whose flows are in one folder, and the file that keeps their schemas."""

    def __init__(self, file: Path, digest: str, specs: Sequence[DeploymentSpec]) -> None:
        self.specs = specs
        self._file = file
        self._digest = digest

    def read(self) -> dict[str, Found]:
        try:
            kept = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(kept, dict) or kept.get("digest") != self._digest:
            return {}
        schemas = kept["schemas"]
        return {spec.key: schemas[_line(spec)] for spec in self.specs if _line(spec) in schemas}

    def keep(self, found: Mapping[str, Found]) -> None:
        schemas = {
            _line(spec): found[spec.key]
            for spec in self.specs
            if not isinstance(found[spec.key], ConfigError)
        }
        text = json.dumps({"digest": self._digest, "schemas": schemas})
        # On a disk that cannot be written, as in a pod, they are found again next time.
        with contextlib.suppress(OSError):
            write_atomically(self._file, text)


def _load_all(departments: Sequence[_Department]) -> Iterator[dict[str, Found]]:
    work = [each.specs for each in departments]
    total = sum(map(len, work))
    # Standard output and the present folder, which a load changes, are those of all threads.
    is_alone = threading.current_thread() is threading.main_thread()
    if total == 0 or (total <= _FEW and is_alone):
        return map(_load, work)
    return _in_processes(work, max(1, _FLOWS_PER_PROCESS * len(work) // total))


def _in_processes(
    work: Sequence[Sequence[DeploymentSpec]], departments_each: int
) -> Iterator[dict[str, Found]]:
    # Forked from a process that has imported this module and nothing else.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    chunks = [work[i : i + departments_each] for i in range(0, len(work), departments_each)]
    with ProcessPoolExecutor(_PROCESSES, mp_context=context, max_tasks_per_child=1) as pool:
        try:
            for found in pool.map(_load_chunk, chunks):
                yield from found
        except BrokenProcessPool as error:
            raise PlatformError(
                "A process that loads flows was ended from outside",
                "Free some memory, or raise the memory limit, and try again",
            ) from error


def _load_chunk(chunk: Sequence[Sequence[DeploymentSpec]]) -> list[dict[str, Found]]:
    return [_load(specs) for specs in chunk]


def _load(specs: Sequence[DeploymentSpec]) -> dict[str, Found]:
    return {spec.key: _schema(spec) for spec in specs}


def _schema(spec: DeploymentSpec) -> Found:
    try:
        schema = load_flow(spec).parameters.model_dump_for_openapi()
    except ConfigError as error:
        return error
    plain: Schema = json.loads(json.dumps(schema, default=str))
    return plain


def load_flow(spec: DeploymentSpec) -> Flow[..., Any]:
    """Load a deployment's flow by running its file, as the worker does; never a placeholder.

    Raises:
        ConfigError: The file fails, has no such flow, or the flow has another name. No retry.
    """
    root = _root(spec)
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    try:
        # There, as a run does: Prefect lets what is in the present folder be imported first.
        with contextlib.redirect_stdout(sys.stderr), contextlib.chdir(root):
            flow: Flow[..., Any] = load_flow_from_entrypoint(
                str(root / spec.entrypoint), use_placeholder_flow=False
            )
    except (ScriptError, MissingFlowError, SystemExit) as exc:
        cause = exc.user_exc if isinstance(exc, ScriptError) else exc
        raise ConfigError(
            f"{spec.entrypoint}: {type(cause).__name__}: {cause}", "Run the file to see the cause"
        ) from exc
    if flow.name != spec.flow_name:
        raise ConfigError(
            f"{spec.entrypoint}: the flow is called {flow.name!r}, not {spec.flow_name!r}",
            "Take the name from common/names.py",
        )
    return flow


def _root(spec: DeploymentSpec) -> Path:
    return spec.source or Path(spec.path)


def _folder(spec: DeploymentSpec) -> str:
    """Name the folder of a department's flows, which no other department imports; else all."""
    flows, *rest = Path(spec.entrypoint.partition(":")[0]).parts
    return f"{flows}/{rest[0]}" if rest and rest[0].startswith("dept_") else flows


def _line(spec: DeploymentSpec) -> str:
    return f"{spec.entrypoint} {spec.flow_name}"


def _shared_digest(root: Path) -> str:
    """Digest what every flow may import: libraries, this package, flows of no department."""
    libraries = sorted(each.name for each in Path(sysconfig.get_path("purelib")).glob("*-info"))
    shared = [file for file in _files(root / "flows") if "/dept_" not in file.as_posix()]
    return _digest("\n".join([sys.version, *libraries]), [*_files(_PACKAGE), *shared])


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def _digest(first: str, files: Iterable[Path]) -> str:
    digest = hashlib.sha256(first.encode())
    for file in files:
        content = file.read_bytes()
        digest.update(f"\n{file} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
