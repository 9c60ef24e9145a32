"""What the flow that reports drift does where Git itself is wrong."""

import json
import shutil
from pathlib import Path

from tests.integration.flows.kit import ROOT, airnub, api, platform_of

STAGE = Path("flows", "dept_project_beta", "ingestion_flow_dept_project_beta.py")


def test_a_flow_that_cannot_be_imported_fails_the_run_after_the_report(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name in ("configs", "flows"):
        shutil.copytree(ROOT / name, project / name)
    store = (tmp_path / "store").as_uri()
    with platform_of(project, tmp_path / "state", AIRNUB_STORE_URL=store) as environment:
        assert airnub(environment, "bootstrap").returncode == 0
        (project / STAGE).write_text("import no_such_module_anywhere\n")

        done = airnub(environment, "run", "generic", "report_drift", "--json")
        artifacts = api(
            environment, "/artifacts/filter", artifacts={"key": {"any_": ["generic-report-drift"]}}
        )

    (run,) = json.loads(done.stdout)
    assert (done.returncode != 0, run["state"]) == (True, "Failed")
    assert "no_such_module_anywhere" in run["message"]
    assert [each["flow_run_id"] for each in artifacts] == [run["flow_run_id"]]
