from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.broken_s3 import BrokenS3, always
from tests.fake_s3 import error
from tests.s3_kit import reaching
from tests.unit.cli.kit import Project, require_one_line

URL = "s3://bucket/stores/sample"
PROBES = ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P9", "P10"]


@pytest.fixture
def broken() -> Iterator[BrokenS3]:
    with BrokenS3() as server, reaching(server.environment):
        yield server


def states(project: Project, code: int = 0, *options: str) -> dict[str, str]:
    """Ask, and give the probes that are not well."""
    done = project.run("store", "doctor", "--url", URL, "--json", *options)
    assert done.code == code, done.stderr
    assert [each["probe"] for each in done.json["findings"]] == PROBES
    found = done.json["findings"]
    assert all(each["follows"] for each in found if each["state"] != "ok")
    return {each["probe"]: each["state"] for each in found if each["state"] != "ok"}


def test_a_server_that_can_do_everything(project: Project, broken: BrokenS3) -> None:
    done = project.run("store", "doctor", "--url", URL)

    assert (done.code, done.errors) == (0, [])
    heading, *lines = done.text.splitlines()
    assert heading == (
        f"{URL} on {broken.endpoint}, bucket is there, "
        "store is not there yet: the first write makes it"
    )
    assert [line.split()[:2] for line in lines] == [["ok", probe] for probe in PROBES]
    assert broken.s3.objects == {}
    assert broken.s3.uploads == {}


@pytest.mark.parametrize(
    ("manner", "value", "code", "expected"),
    [
        ("obeys_if_none_match", False, 0, {"P4": "degraded", "P5": "degraded", "P7": "degraded"}),
        ("inverts_if_none_match", True, 0, {"P4": "degraded", "P5": "degraded", "P7": "degraded"}),
        ("obeys_if_match", False, 0, {"P6": "degraded"}),
        (
            "understands_conditions",
            False,
            0,
            dict.fromkeys(["P4", "P5", "P6", "P7"], "degraded"),
        ),
        ("checks_digests", False, 0, {"P2": "degraded"}),
        ("keeps_digests", False, 0, {"P3": "degraded"}),
        ("stores_framing", True, 3, {"P1": "failed"}),
        ("lists_new_objects", False, 3, {"P8": "failed"}),
        ("clock_ahead", timedelta(minutes=6), 0, {"P9": "degraded"}),
    ],
)
def test_what_a_server_lacks_is_told(
    project: Project,
    broken: BrokenS3,
    manner: str,
    value: object,
    code: int,
    expected: dict[str, str],
) -> None:
    setattr(broken.s3.manners, manner, value)

    assert states(project, code) == expected
    assert broken.s3.objects == {}


@pytest.mark.parametrize(
    ("name", "code", "expected"),
    [
        ("DELETE Object", 0, {}),
        ("POST Bucket", 0, {"P9": "degraded"}),
        ("GET Uploads", 0, {"P10": "degraded"}),
        ("POST Uploads", 25, {"P7": "failed"}),
        ("PUT Object", 25, dict.fromkeys(PROBES[:8], "failed") | {"P9": "degraded"}),
    ],
)
def test_what_a_key_may_not_do_is_told(
    project: Project, broken: BrokenS3, name: str, code: int, expected: dict[str, str]
) -> None:
    broken.rules.append(always(name, error(403, "AccessDenied")))

    assert states(project, code) == expected


def test_a_server_that_alters_bytes_is_refused_in_one_line(
    project: Project, broken: BrokenS3
) -> None:
    broken.s3.manners.stores_framing = True

    done = project.run("store", "doctor", "--url", URL)

    (message,) = done.errors
    assert message.startswith("error: P1: not so: bytes come back as they were put")
    assert "failed    P1   bytes come back" in done.text


def test_a_bucket_is_made_on_request_only(project: Project, broken: BrokenS3) -> None:
    broken.s3.manners.has_bucket = False

    without = project.run("store", "doctor", "--url", URL)
    made = project.run("store", "doctor", "--url", URL, "--create-bucket")
    again = project.run("store", "doctor", "--url", URL, "--create-bucket")

    require_one_line(without, 3, "NoSuchBucket")
    assert "--create-bucket" in without.errors[0]
    assert (made.code, again.code) == (0, 0)
    assert "bucket was made" in made.text
    assert "bucket is there" in again.text


def test_a_key_that_may_make_no_bucket_needs_to_make_none(
    project: Project, broken: BrokenS3
) -> None:
    broken.rules.append(always("PUT Bucket", error(403, "AccessDenied")))

    assert project.run("store", "doctor", "--url", URL, "--create-bucket").code == 0


def test_the_departments_store_is_meant_by_default(project: Project, broken: BrokenS3) -> None:
    project.environ(AIRNUB_STORE_URL="s3://bucket/stores")
    assert project.run("store", "put", "-", stdin=b"x").code == 0

    done = project.run("store", "doctor", "-d", "sample", "--json")

    assert done.code == 0
    assert (done.json["url"], done.json["store"]) == (URL, "is there")


def test_keys_may_be_in_the_projects_dotenv(
    project: Project, broken: BrokenS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in broken.environment:
        monkeypatch.delenv(name)
    project.write(".env", "\n".join(f"{name}={each}" for name, each in broken.environment.items()))

    assert project.run("store", "doctor", "--url", URL).code == 0


def test_a_disk_is_asked_what_applies_to_it(project: Project) -> None:
    assert project.run("store", "put", "-", stdin=b"x").code == 0
    before = project.files()

    done = project.run("store", "doctor", "--json")

    assert done.code == 0
    found = {each["probe"]: each["state"] for each in done.json["findings"]}
    assert {name for name, state in found.items() if state == "skipped"} == {"P2", "P3", "P7"}
    assert {state for name, state in found.items() if name not in {"P2", "P3", "P7"}} == {"ok"}
    assert project.files() == before


def test_wrong_addresses(project: Project) -> None:
    require_one_line(project.run("store", "doctor"), 22, "There is no store")
    require_one_line(project.run("store", "doctor", "--create-bucket"), 3, "is in no bucket")
    both = project.run("store", "doctor", "-d", "sample", "--url", URL)
    require_one_line(both, 3, "are both given")
