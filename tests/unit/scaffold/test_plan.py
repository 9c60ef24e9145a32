from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.project_kit import make_project

# In a process of its own, because the encoding of a locale is settled when Python starts.
CHILD = """
import sys
from pathlib import Path, PurePosixPath
from airnub_prefect_starter.scaffold.plan import Change, catalog_after
from tests.project_kit import MAPPING, project_settings

after = Change(PurePosixPath(MAPPING), "sample: Sample\\n", "sample: S\\xe1mple\\n")
catalog = catalog_after(project_settings(Path(sys.argv[1])), [after])
print(ascii(catalog.department("sample").name.display_name))
"""


def test_names_are_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    make_project(tmp_path)
    ascii_locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    environment = {**os.environ, **ascii_locale, "PYTHONPATH": os.pathsep.join(sys.path)}

    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("'S\\xe1mple'\n", "")
