from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, repeat
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from airnub_prefect_starter.common.errors import (
    ConfigError,
    CorruptObjectError,
    ObjectNotFoundError,
)
from airnub_prefect_starter.core.lake.lake import Lake
from airnub_prefect_starter.core.lake.maintenance import core_maintain_table
from airnub_prefect_starter.core.lake.upkeep import Upkeep
from airnub_prefect_starter.core.releases.config import DatasetSpec, ReleasedPart, ReleaseStep
from airnub_prefect_starter.core.releases.dvc import object_key, remote_of
from airnub_prefect_starter.core.releases.records import changes_between
from airnub_prefect_starter.core.releases.release import (
    RELEASE,
    core_release_datasets,
    latest_release,
    parse_name,
    read_release,
    read_result,
    release_key,
    releases,
)
from airnub_prefect_starter.core.releases.shown import release_markdown
from airnub_prefect_starter.core.store import Store, copy_store, open_store
from airnub_prefect_starter.core.store.bodies import BytesBody
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.gc import mark, sweep
from airnub_prefect_starter.core.store.layout import Key, blob_key
from airnub_prefect_starter.core.store.verify import verify
from tests.unit.core.feature_store import kit as features
from tests.unit.core.releases.kit import (
    NAMESPACE,
    STEP,
    claiming_at_once,
    fetch,
    fill,
    join,
    release,
)
from tests.unit.core.store.tools import HandClock, clocked_store


def test_equal_data_is_released_once(content_store: Store) -> None:
    fill(content_store)
    first, second = release(content_store), release(content_store)

    assert (first.outcome, second.outcome) == ("stored", "not_modified")
    assert [each.name for each in first.outputs] == [RELEASE, "raw.dvc", "joined.csv.dvc"]
    assert releases(content_store, "shop") == [1]


def test_a_release_says_what_its_bytes_are_and_where_they_come_from(content_store: Store) -> None:
    fill(content_store)
    found = read_result(content_store, release(content_store))
    raw, joined = found.datasets

    assert found == read_release(content_store, "shop", 1)
    assert [each.name for each in raw.files] == ["orders.csv", "visits.csv"]
    assert raw.is_folder
    assert not joined.is_folder
    assert joined.files[0].md5 == joined.md5
    source = found.source("preparation.join/joined")
    assert (source.code, dict(source.parameters)) == (
        f"sha256:{'c' * 64}",
        {"step": {"how": "inner"}},
    )
    for each in found.sources:
        assert content_store.manifest(each.manifest).producer == each.made_by


def test_pointers_prove_the_bytes_by_sha256_too(content_store: Store) -> None:
    fill(content_store)
    found = read_result(content_store, release(content_store))
    pointers = {name: yaml.safe_load(text) for name, text in found.pointers().items()}

    assert pointers["raw.dvc"]["outs"][0]["nfiles"] == 2
    meta = pointers["joined.csv.dvc"]["meta"]
    assert (meta["release"], meta["run"]) == ("shop@1", "run-1")
    assert meta["sha256"] == {"joined.csv": found.datasets[1].files[0].sha256}


def test_changed_data_is_the_next_release_and_the_difference_is_told(content_store: Store) -> None:
    fill(content_store)
    release(content_store)
    fill(content_store, joined=b"1,2\n3,4\n")
    after = read_result(content_store, release(content_store))

    assert (after.number, after.previous) == (2, 1)
    changes = changes_between(read_release(content_store, "shop", 1), after)
    assert [(each.name, each.change) for each in changes] == [
        ("raw", "same"),
        ("joined.csv", "changed"),
    ]
    assert (changes[1].size_before, changes[1].size, changes[1].files) == (4, 8, ("joined.csv",))


def test_data_sets_that_come_and_go_are_told(content_store: Store) -> None:
    fill(content_store)
    release(content_store)
    renamed = STEP.datasets[1].model_copy(update={"name": "all.csv"})
    step = STEP.model_copy(update={"datasets": (STEP.datasets[0], renamed)})
    after = read_result(content_store, release(content_store, step))

    changes = changes_between(read_release(content_store, "shop", 1), after)
    assert [(each.name, each.change) for each in changes] == [
        ("raw", "same"),
        ("all.csv", "added"),
        ("joined.csv", "removed"),
    ]


def test_data_that_is_made_anew_with_equal_bytes_is_no_new_release(content_store: Store) -> None:
    fill(content_store)
    release(content_store)
    step = STEP.model_copy(update={"source_id": "again"})

    assert read_result(content_store, release(content_store, step)).number == 1


def test_two_who_release_at_once_do_not_share_a_number(
    content_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(content_store)
    lost = claiming_at_once(content_store, monkeypatch)
    steps = [
        ReleaseStep(source_id=f"release{place}", name="shop", datasets=(each,))
        for place, each in enumerate(
            DatasetSpec(name=f"{name}.csv", file=ReleasedPart(ref=f"ingestion.files/{name}"))
            for name in ("visits", "orders")
        )
    ]
    with ThreadPoolExecutor(8) as pool:
        results = [*pool.map(release, repeat(content_store), steps * 8)]

    assert release_key("shop", 1) in lost
    numbers = releases(content_store, "shop")
    assert numbers == [*range(1, len(numbers) + 1)]
    contents = [read_release(content_store, "shop", each).content for each in numbers]
    assert all(before != after for before, after in pairwise(contents))
    assert {read_result(content_store, each).number for each in results} <= {*numbers}


def test_what_another_took_is_seen_where_the_server_has_no_conditions(
    content_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(content_store)
    backend = content_store.backend
    cas = backend.cas

    def overtaken(key: Key, data: bytes, expect: str | None) -> str:
        token = cas(key, data, expect)
        if key == release_key("shop", 1):
            theirs = data.replace(b"run-1", b"run-9")
            backend.put(
                key,
                BytesBody(theirs),
                sha256=Digest.of(theirs),
                size=len(theirs),
                if_absent=False,
            )
        return token

    monkeypatch.setattr(backend, "cas", overtaken)
    found = read_result(content_store, release(content_store))

    # The other one released the same bytes: theirs counts.
    assert (found.number, found.run.flow_run_id) == (1, "run-9")


def test_who_lost_the_number_later_takes_over_what_has_it(content_store: Store) -> None:
    fill(content_store)
    release(content_store)
    key, backend = release_key("shop", 1), content_store.backend
    with backend.open(key) as reader:
        theirs = reader.read().replace(b"run-1", b"run-9")
    body = BytesBody(theirs)
    backend.put(key, body, sha256=Digest.of(theirs), size=len(theirs), if_absent=False)

    after = release(content_store)

    assert after.outcome == "stored"
    assert read_result(content_store, after) == read_release(content_store, "shop", 1)
    assert read_result(content_store, after).run.flow_run_id == "run-9"
    assert release(content_store).outcome == "not_modified"


def test_a_copy_of_the_store_has_its_releases(content_store: Store, tmp_path: Path) -> None:
    fill(content_store)
    found = read_result(content_store, release(content_store))
    copied = open_store((tmp_path / "copy").as_uri(), durability="none")
    copy_store(content_store, copied)

    assert latest_release(copied, "shop") == found
    assert release(copied).outcome == "not_modified"


@pytest.mark.parametrize("gone", ["release", "folder", "file"])
def test_what_a_release_has_lost_is_put_back(content_store: Store, gone: str) -> None:
    fill(content_store)
    found = read_result(content_store, release(content_store))
    raw = found.datasets[0]
    keys = {
        "release": release_key("shop", 1),
        "folder": object_key(raw.md5),
        "file": object_key(raw.files[0].md5),
    }
    content_store.backend.delete([keys[gone]])

    again = read_result(content_store, release(content_store))

    assert (again.number, again.content) == (1, found.content)
    assert all(content_store.backend.stat(key) for key in keys.values())


def test_other_files_beside_releases_are_no_releases(content_store: Store) -> None:
    fill(content_store)
    release(content_store)
    for name in ("release-1.json.bak", "release-x.json", "release-02.json", "notes.txt"):
        body = BytesBody(b"x")
        content_store.backend.put(
            Key(f"releases/shop/{name}"), body, sha256=Digest.of(b"x"), size=1, if_absent=True
        )

    assert releases(content_store, "shop") == [1]
    fill(content_store, joined=b"other\n")
    assert read_result(content_store, release(content_store)).number == 2


def test_a_file_that_came_compressed_is_called_so(content_store: Store) -> None:
    fill(content_store)
    fetch(content_store, "visits", b"\x1f\x8b", content_encoding="gzip")
    join(content_store, b"1,3\n")
    raw = read_result(content_store, release(content_store)).datasets[0]

    assert {each.name for each in raw.files} == {"visits.csv.gz", "orders.csv"}


def test_a_missing_release_or_output_is_named(content_store: Store) -> None:
    with pytest.raises(ObjectNotFoundError, match=r"ingestion\.files/orders is not in the store"):
        release(content_store)
    fill(content_store)
    release(content_store)
    with pytest.raises(ObjectNotFoundError, match=r"no release shop@2\. There are: 1"):
        read_release(content_store, "shop", 2)
    part = ReleasedPart(ref="preparation.join/joined", output="other.csv")
    step = STEP.model_copy(update={"datasets": (DatasetSpec(name="other.csv", file=part),)})
    with pytest.raises(ObjectNotFoundError, match=r"no output other\.csv. It has joined\.csv"):
        release(content_store, step)


@pytest.mark.parametrize("change", [(b'"size":4', b'"size":5'), (b'"number":1', b'"number":7')])
def test_a_release_that_was_changed_is_not_believed(
    content_store: Store, change: tuple[bytes, bytes]
) -> None:
    fill(content_store)
    release(content_store)
    path = content_store.backend.local_path(release_key("shop", 1))
    assert path is not None
    path.write_bytes(path.read_bytes().replace(*change))

    with pytest.raises(CorruptObjectError):
        read_release(content_store, "shop", 1)


@pytest.mark.parametrize("text", ["shop", "shop@", "@1", "shop@one", "shop@-1", "shop@²"])
def test_a_name_needs_a_number(text: str) -> None:
    with pytest.raises(ConfigError, match="is not NAME@NUMBER"):
        parse_name(text)
    assert parse_name("shop@12") == ("shop", 12)


@pytest.mark.parametrize(
    "dataset",
    [{"name": "a"}, {"name": "a", "file": {"ref": "a/b"}, "folder": {"b": {"ref": "a/b"}}}],
)
def test_a_data_set_is_a_file_or_a_folder(dataset: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="either file or folder"):
        DatasetSpec.model_validate(dataset)


def _collect(store: Store, clock: HandClock) -> None:
    clock.forward(days=8)
    mark(store)
    clock.forward(days=4)
    sweep(store, apply=True)


def test_gc_keeps_what_is_released_and_no_more(tmp_path: Path) -> None:
    clock = HandClock()
    store = clocked_store(tmp_path, clock)
    fill(store, joined=b"never released")
    fill(store)
    released = read_result(store, release(store))
    fill(store, joined=b"newer")
    release(store)
    _collect(store, clock)

    for file in (file for each in released.datasets for file in each.files):
        assert Digest.of(store.read_blob(file.sha256)).text == file.sha256
        assert store.backend.stat(object_key(file.md5)) is not None
    assert store.backend.stat(blob_key(Digest.of(b"never released"))) is None
    assert verify(store, level="deep").violations == ()
    assert read_release(store, "shop", 1) == released


def test_gc_keeps_the_manifests_of_every_release_though_their_bytes_are_equal(
    tmp_path: Path,
) -> None:
    clock = HandClock()
    store = clocked_store(tmp_path, clock)
    for joined in (b"1,2\n", b"3,4\n", b"1,2\n", b"never released\n"):
        fill(store, joined)
        if joined != b"never released\n":
            release(store)
        clock.forward(days=1)
    _collect(store, clock)

    first, _, third = (read_release(store, "shop", number) for number in (1, 2, 3))
    joined_ref = "preparation.join/joined"
    assert first.content == third.content
    assert first.source(joined_ref).manifest != third.source(joined_ref).manifest
    for each in (*first.sources, *third.sources):
        assert store.manifest(each.manifest).producer == each.made_by
    assert verify(store, level="deep").violations == ()


def test_the_delta_version_of_a_release_outlives_maintenance(content_store: Store) -> None:
    step = ReleaseStep(
        source_id="release",
        name="visitors",
        datasets=(
            DatasetSpec(
                name="features.parquet",
                file=ReleasedPart(ref=f"{features.NAMESPACE}/visitor", output="features.parquet"),
            ),
        ),
    )
    features.put_prepared(content_store, features.prepared(1, 2))
    features.build(content_store)
    released = read_result(
        content_store, core_release_datasets(content_store, step, namespace=NAMESPACE)
    )
    features.put_prepared(content_store, features.prepared(3, 4))
    features.build(content_store)
    core_maintain_table(content_store, features.TABLE, Upkeep(retention_hours=0, remove=True))

    table = released.source(f"{features.NAMESPACE}/visitor").table
    assert table is not None
    found = Lake.of(content_store).read(features.TABLE, version=table.version)
    assert sorted(found["visits"]) == [1, 2]


def test_the_artifact_shows_hashes_pointers_and_commands(content_store: Store) -> None:
    fill(content_store)
    first = read_result(content_store, release(content_store))
    fill(content_store, joined=b"other\n")
    second = read_result(content_store, release(content_store))
    text = release_markdown(second, first, remote_of(content_store), get="airnub store get ...")

    assert "# Release shop@2" in text
    assert "## Since shop@1" in text
    assert second.datasets[1].md5 in text
    assert "dvc pull" in text
    assert second.pointers()["joined.csv.dvc"].decode() in text
    assert "## The first release" in release_markdown(first, None, remote_of(content_store), get="")
