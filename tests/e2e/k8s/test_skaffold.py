"""`skaffold dev`: a saved edit of a flow is what the next run executes."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.k8s.conftest import KEEP
from tests.e2e.k8s.kit import CONTEXT, ROOT, Release, eventually, run, skaffold_run

BETA = "project_beta.ingestion"
FLOW = Path(
    "flows/dept_project_beta/ingestion/reference_files/"
    "download_reference_files_flow_dept_project_beta.py"
)
FIRST_LINE = "    config = category_config("
MARKER = "this line was saved a moment ago"


@pytest.fixture
def clone(release: Release, tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    run("git", "clone", "--quiet", ROOT, folder)
    return folder


@pytest.fixture
def dev(clone: Path, tmp_path: Path) -> Iterator[Path]:
    """Run `skaffold dev` in a clone until the end of the test; gives its log."""
    log = tmp_path / "skaffold.log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            ["skaffold", "dev", "--kube-context", CONTEXT, "--cleanup=false", "--port-forward=off"],
            cwd=clone,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield log
        finally:
            process.terminate()
            process.wait(60)
    if KEEP:
        # Back to what is committed here; a release that is removed next can stay as it is.
        skaffold_run()


def test_a_saved_edit_is_what_the_next_run_executes(
    release: Release, clone: Path, dev: Path
) -> None:
    eventually("skaffold watches", lambda: watches(dev), timeout=300)
    before = image(release)

    text = (clone / FLOW).read_text()
    assert FIRST_LINE in text
    (clone / FLOW).write_text(text.replace(FIRST_LINE, f"    print('{MARKER}')\n{FIRST_LINE}"))
    begun = time.monotonic()

    eventually("the edit is registered", lambda: image(release) != before, timeout=120, every=0.2)
    elapsed = time.monotonic() - begun
    with release.api() as api:
        run_id = api.start(BETA)
        api.wait(run_id, "COMPLETED")
        eventually("the log has the line", lambda: marked(release, run_id), timeout=60)
    # For benchmarks/README.md; no bar here, since other work may run beside.
    print(f"edit → registered: {elapsed:.1f} s")  # noqa: T201


def watches(log: Path) -> bool:
    text = log.read_text()
    assert "exiting dev mode because" not in text, text[-3000:]
    return "Watching for changes" in text


def image(release: Release) -> str:
    with release.api() as api:
        found: str = api.deployment(BETA)["job_variables"]["image"]
    return found


def marked(release: Release, run_id: str) -> bool:
    """Tell whether the run, or a subflow in its pod, logged the line."""
    with release.api() as api:
        tasks = api.task_runs(run_id)
        children = api.post(
            "/flow_runs/filter",
            {"flow_runs": {"parent_task_run_id": {"any_": [each["id"] for each in tasks]}}},
        )
        return any(MARKER in api.logs(each) for each in (run_id, *(c["id"] for c in children)))
