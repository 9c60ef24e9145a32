"""What every storage backend must do, as two suites; a backend's tests subclass both.

A subclass defines the fixture ``make_backend``: a function that opens the same, at first empty,
storage anew with each call, as another process would.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from airnub_prefect_starter.common.errors import (
    CorruptObjectError,
    DigestMismatchError,
    ObjectNotFoundError,
    RefConflictError,
    StoreIntegrityError,
    TooLargeError,
)
from airnub_prefect_starter.core.manifest_models import (
    DerivedInput,
    DerivedOutput,
    Ref,
    RowCounts,
    Source,
)
from airnub_prefect_starter.core.store import (
    Committed,
    DerivedCommit,
    FetchCommit,
    Store,
    Validators,
    copy_store,
)
from airnub_prefect_starter.core.store.bodies import BytesBody
from airnub_prefect_starter.core.store.digest import Digest
from airnub_prefect_starter.core.store.layout import (
    BLOBS,
    QUARANTINE,
    TMP,
    Key,
    blob_key,
    manifest_key,
    ref_key,
)
from airnub_prefect_starter.core.store.protocol import PutStatus, Stat, StoreBackend
from airnub_prefect_starter.core.store.verify import verify

MakeBackend = Callable[[], StoreBackend]
SIZES = {"empty": 0, "one byte": 1, "a buffer": 1 << 20, "past the memory limit": (8 << 20) + 1}


def put(
    backend: StoreBackend, data: bytes, *, key: Key | None = None, if_absent: bool = True
) -> tuple[Key, PutStatus]:
    digest = Digest.of(data)
    target = key or blob_key(digest)
    body = BytesBody(data)
    return target, backend.put(target, body, sha256=digest, size=len(data), if_absent=if_absent)


def read(backend: StoreBackend, key: Key, offset: int = 0) -> bytes:
    with backend.open(key, offset) as reader:
        return reader.read()


def fetch(
    store: Store,
    data: bytes,
    *,
    source_id: str = "airports",
    etag: str | None = '"1"',
    expected: str | None = None,
    claimed: str | None = None,
    rules: str | None = None,
) -> Committed:
    url = f"https://data.example/{source_id}"
    source = Source(url=url, final_url=url, etag=etag, claimed_digest=claimed)
    with store.spool() as spool:
        spool.write(data)
        commit = FetchCommit("alpha", source_id, source, spool, "text/csv", expected=expected)
        return store.commit_fetch(replace(commit, annotations={"rules": rules} if rules else {}))


def derive(store: Store, output: bytes, *sources: str | Ref, **parameters: object) -> Committed:
    """Derive from the present refs of sources, or from refs that were read before."""
    blob, _ = store.put_bytes(output)
    inputs = []
    for source in sources:
        ref = store.ref("alpha", source) if isinstance(source, str) else source
        assert ref is not None
        assert ref.blob is not None
        manifest, read_blob = ref.manifest.digest, ref.blob.digest
        inputs.append(
            DerivedInput(namespace="alpha", source_id="any", manifest=manifest, blob=read_blob)
        )
    outputs = (DerivedOutput(name="table", blob=blob),)
    rows = RowCounts(rows_in=3, rows_out=1, rejected=1, duplicates=1)
    return store.commit_derived(
        DerivedCommit("alpha", "table", tuple(inputs), outputs, parameters, rows)
    )


def blob_of(committed: Committed) -> Digest:
    assert committed.ref.blob is not None
    return Digest(committed.ref.blob.digest)


def drain(store: Store, digest: Digest) -> None:
    with store.open_blob(digest.text) as stream:
        while stream.read(1000):
            pass


def contents(backend: StoreBackend) -> list[Stat]:
    return list(backend.list(""))


class BackendConformance:
    """The six primitives and the upkeep."""

    @pytest.fixture
    def make_backend(self) -> MakeBackend:
        raise NotImplementedError

    @pytest.fixture
    def backend(self, make_backend: MakeBackend) -> StoreBackend:
        return make_backend()

    @pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
    def test_gives_back_what_was_put(self, backend: StoreBackend, size: int) -> None:
        data = bytes(i % 251 for i in range(1000)) * (size // 1000 + 1)
        key, status = put(backend, data[:size])
        assert status is PutStatus.CREATED
        assert read(backend, key) == data[:size]
        stat = backend.stat(key)
        assert stat is not None
        assert (stat.key, stat.size) == (key, size)

    @pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
    def test_takes_a_spool_and_leaves_it_readable(self, backend: StoreBackend, size: int) -> None:
        data = b"x" * size
        with backend.spool() as spool:
            spool.write(data)
            spool.seal()
            digest = Digest(spool.digest)
            key = blob_key(digest)
            backend.put(key, spool, sha256=digest, size=size, if_absent=True)
            backend.delete([key])
            assert backend.put(key, spool, sha256=digest, size=size, if_absent=True)
            with spool.reader() as again:
                assert again.read() == data
        assert read(backend, key) == data

    def test_knows_nothing_of_what_is_not_there(self, backend: StoreBackend) -> None:
        key = blob_key(Digest.of(b"never put"))
        assert backend.stat(key) is None
        assert not backend.touch(key)
        assert not backend.move(key, Key(f"{QUARANTINE}x"))
        backend.delete([key])
        with pytest.raises(ObjectNotFoundError), backend.open(key):
            pass

    def test_keeps_the_first_object_of_a_conditional_put(self, backend: StoreBackend) -> None:
        key, _ = put(backend, b"same")
        _, again = put(backend, b"same")
        assert again is PutStatus.EXISTS
        assert read(backend, key) == b"same"

    def test_replaces_with_an_unconditional_put(self, backend: StoreBackend) -> None:
        key = Key("results/one")
        put(backend, b"old", key=key, if_absent=False)
        put(backend, b"new", key=key, if_absent=False)
        assert read(backend, key) == b"new"

    def test_replaces_with_a_spool_that_stays_readable(self, backend: StoreBackend) -> None:
        key = Key("results/one")
        put(backend, b"old", key=key)
        with backend.spool() as spool:
            spool.write(b"x" * SIZES["past the memory limit"])
            spool.seal()
            digest = Digest(spool.digest)
            for _ in range(2):
                backend.put(key, spool, sha256=digest, size=spool.size, if_absent=False)
            with spool.reader() as again:
                assert Digest.of(again.read()) == digest
        assert Digest.of(read(backend, key)) == digest

    def test_refuses_a_body_of_another_size(self, backend: StoreBackend) -> None:
        key = blob_key(Digest.of(b"abc"))
        with pytest.raises(StoreIntegrityError):
            backend.put(key, BytesBody(b"abc"), sha256=Digest.of(b"abc"), size=4, if_absent=True)
        assert backend.stat(key) is None

    def test_reads_from_an_offset_into_a_buffer(self, backend: StoreBackend) -> None:
        key, _ = put(backend, b"0123456789")
        buffer = bytearray(4)
        with backend.open(key, 7) as reader:
            count = reader.readinto(buffer)
            assert bytes(buffer[:count]) + reader.read(3) == b"789"
            assert reader.readinto(buffer) == 0
        assert read(backend, key, 10) == b""

    def test_lists_in_the_order_of_keys(self, backend: StoreBackend) -> None:
        keys = [
            Key(f"results/{name}")
            for name in ("a", "a-b/c", "a.b", "a0/b", "ab", "b/c/d", "b/c.d", "b-")
        ]
        for key in keys:
            put(backend, key.encode(), key=key)
        assert [stat.key for stat in backend.list("results/")] == sorted(keys)
        assert [stat.key for stat in backend.list("results/a")] == sorted(
            key for key in keys if key.startswith("results/a")
        )
        below = [stat.key for stat in backend.list("results/b/")]
        assert below == ["results/b/c.d", "results/b/c/d"]
        assert list(backend.list("results/none/")) == []

    def test_deletes_what_is_named(self, backend: StoreBackend) -> None:
        first, _ = put(backend, b"first")
        second, _ = put(backend, b"second")
        backend.delete([first])
        assert [stat.key for stat in backend.list(BLOBS)] == [second]

    def test_moves(self, backend: StoreBackend) -> None:
        key, _ = put(backend, b"bytes")
        aside = Key(f"{QUARANTINE}bytes.1")
        assert backend.move(key, aside)
        assert backend.stat(key) is None
        assert read(backend, aside) == b"bytes"

    def test_swaps_a_ref_only_for_the_expected_token(self, backend: StoreBackend) -> None:
        key = ref_key("alpha", "airports")
        first = backend.cas(key, b"{1}", None)
        with pytest.raises(RefConflictError):
            backend.cas(key, b"{2}", None)
        with backend.open(key) as reader:
            assert reader.stat.token == first
        second = backend.cas(key, b"{2}", first)
        with pytest.raises(RefConflictError):
            backend.cas(key, b"{3}", first)
        assert read(backend, key) == b"{2}"
        assert backend.cas(key, b"{3}", second) != second

    def test_lets_one_of_many_swaps_win(self, make_backend: MakeBackend) -> None:
        key = ref_key("alpha", "airports")
        backends = [make_backend() for _ in range(8)]
        token = backends[0].cas(key, b"{}", None)

        def swap(number: int) -> bool:
            try:
                backends[number].cas(key, b"%d" % number, token)
            except RefConflictError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(swap, range(8))) == 1

    def test_lets_one_of_many_conditional_puts_create(self, make_backend: MakeBackend) -> None:
        backends = [make_backend() for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda each: put(each, b"race"), backends))
        assert [status for _, status in results].count(PutStatus.CREATED) == 1
        assert len(list(backends[0].list(BLOBS))) == 1

    def test_discards_only_what_was_not_touched(self, backend: StoreBackend) -> None:
        key, _ = put(backend, b"garbage?")
        seen = backend.stat(key)
        assert seen is not None
        assert backend.touch(key)
        assert not backend.discard(seen, keep_in_trash=False)
        assert read(backend, key) == b"garbage?"

    @pytest.mark.parametrize("trash", [True, False], ids=["to trash", "for good"])
    def test_discards(self, backend: StoreBackend, trash: bool) -> None:
        key, _ = put(backend, b"garbage")
        seen = backend.stat(key)
        assert seen is not None
        assert backend.discard(seen, keep_in_trash=trash)
        assert backend.stat(key) is None
        assert (backend.stat(Key(f"trash/{key}")) is not None) is trash
        assert not backend.discard(seen, keep_in_trash=trash)

    def test_removes_what_was_left_unfinished(self, backend: StoreBackend) -> None:
        put(backend, b"left", key=Key(f"{TMP}left"))
        kept, _ = put(backend, b"kept")
        assert backend.reap(backend.now_ns() - 10**11, apply=True) == 0
        later = backend.now_ns() + 10**11
        assert backend.reap(later, apply=False) == 1
        assert backend.reap(later, apply=True) == 1
        assert backend.reap(later, apply=True) == 0
        assert read(backend, kept) == b"kept"

    def test_dates_objects_by_its_own_clock(self, backend: StoreBackend) -> None:
        before = backend.now_ns()
        key, _ = put(backend, b"dated")
        stat = backend.stat(key)
        assert stat is not None
        assert before - 2e9 <= stat.modified_ns <= backend.now_ns() + 2e9


class StoreConformance:
    """The store on a backend: what commits, reads and verification promise."""

    @pytest.fixture
    def make_backend(self) -> MakeBackend:
        raise NotImplementedError

    @pytest.fixture
    def store(self, make_backend: MakeBackend) -> Store:
        return Store(make_backend())

    def test_leads_from_ref_to_manifest_to_bytes(self, store: Store) -> None:
        committed = fetch(store, b"iata,name\n")
        assert committed.outcome == "stored"
        ref = store.ref("alpha", "airports")
        assert ref == committed.ref
        manifest = store.manifest(committed.ref.manifest.digest)
        assert manifest.media_type.endswith("fetched.v1+json")
        assert store.read_blob(blob_of(committed).text) == b"iata,name\n"
        assert [each[:2] for each in store.refs()] == [("alpha", "airports")]
        assert [each.digest for each, _ in store.manifests()] == [committed.ref.manifest.digest]

    def test_writes_nothing_the_second_time(self, store: Store) -> None:
        first = fetch(store, b"bytes")
        before = contents(store.backend)
        second = fetch(store, b"bytes")
        assert (second.outcome, second.ref) == ("not_modified", first.ref)
        assert store.unchanged("alpha", "airports").outcome == "not_modified"
        assert contents(store.backend) == before

    def test_keeps_the_manifest_when_only_validators_change(self, store: Store) -> None:
        first = fetch(store, b"bytes", etag='"1"')
        second = fetch(store, b"bytes", etag='"2"')
        assert second.outcome == "deduplicated"
        assert second.ref.manifest == first.ref.manifest
        found = store.validators("alpha", "airports")
        url, digest = "https://data.example/airports", Digest.of(b"bytes").text
        assert found == Validators('"2"', None, url, digest)

    def test_writes_a_manifest_when_the_rules_change_that_gave_the_same_bytes(
        self, store: Store
    ) -> None:
        first = fetch(store, b"bytes", rules="old")
        second = fetch(store, b"bytes", rules="new")
        assert second.outcome == "deduplicated"
        manifest = store.manifest(second.ref.manifest.digest)
        assert manifest.annotations == {"rules": "new"}
        assert manifest.previous == first.ref.manifest.digest

    def test_chains_manifests_when_bytes_change(self, store: Store) -> None:
        first = fetch(store, b"one")
        second = fetch(store, b"two")
        assert second.outcome == "stored"
        manifest = store.manifest(second.ref.manifest.digest)
        assert manifest.previous == first.ref.manifest.digest

    def test_stores_the_same_bytes_of_two_sources_once(self, store: Store) -> None:
        fetch(store, b"bytes", source_id="airports")
        second = fetch(store, b"bytes", source_id="mirror")
        assert second.outcome == "deduplicated"
        assert len(list(store.backend.list(BLOBS))) == 1
        assert len(list(store.manifests())) == 2

    @pytest.mark.parametrize("kind", ["expected", "claimed"])
    def test_refuses_bytes_with_another_digest(self, store: Store, kind: str) -> None:
        wrong = Digest.of(b"other").text
        with pytest.raises(DigestMismatchError, match=wrong):
            fetch(store, b"bytes", **{kind: wrong})
        assert list(store.backend.list(BLOBS)) == []
        assert store.ref("alpha", "airports") is None

    def test_offers_no_validators_it_cannot_stand_for(self, store: Store) -> None:
        assert store.validators("alpha", "airports") is None
        committed = fetch(store, b"bytes")
        assert store.validators("alpha", "airports") is not None
        store.backend.delete([blob_key(blob_of(committed))])
        assert store.validators("alpha", "airports") is None
        assert fetch(store, b"bytes").outcome == "stored"
        store.backend.delete([manifest_key(Digest(committed.ref.manifest.digest))])
        assert store.validators("alpha", "airports") is None
        fetch(store, b"bytes")
        assert store.validators("alpha", "airports") is not None
        assert verify(store, level="deep").ok

    @pytest.mark.parametrize("rotten", [b"bytez", b"byte"], ids=["flipped byte", "cut short"])
    def test_heals_rotten_bytes_when_they_are_put_again(self, store: Store, rotten: bytes) -> None:
        key = blob_key(blob_of(fetch(store, b"bytes")))
        put(store.backend, rotten, key=key, if_absent=False)
        assert fetch(store, b"bytes").outcome == "repaired"
        assert read(store.backend, key) == b"bytes"
        (kept,) = store.backend.list(QUARANTINE)
        assert read(store.backend, kept.key) == rotten

    @pytest.mark.parametrize("whole", [True, False], ids=["read_blob", "open_blob"])
    def test_never_hands_out_rotten_bytes(self, store: Store, whole: bool) -> None:
        digest = blob_of(fetch(store, b"bytes" * 100_000))
        put(store.backend, b"bytez" * 100_000, key=blob_key(digest), if_absent=False)
        with pytest.raises(CorruptObjectError, match=digest.hex):
            store.read_blob(digest.text) if whole else drain(store, digest)
        assert store.backend.stat(blob_key(digest)) is None
        assert len(list(store.backend.list(QUARANTINE))) == 1
        assert fetch(store, b"bytes" * 100_000).outcome == "stored"

    def test_compares_a_known_size_before_it_reads(self, store: Store) -> None:
        digest = blob_of(fetch(store, b"bytes"))
        with store.open_blob(digest.text, size=5) as stream:
            assert stream.read() == b"bytes"
        with pytest.raises(CorruptObjectError, match="is sound, yet it has 5 bytes, not 6"):
            store.open_blob(digest.text, size=6).__enter__()
        assert store.read_blob(digest.text) == b"bytes"

    def test_reads_no_more_at_once_than_it_may(self, store: Store) -> None:
        digest = blob_of(fetch(store, b"bytes")).text
        with pytest.raises(TooLargeError, match="more than the 4 that are read into memory"):
            store.read_blob(digest, max_bytes=4)

    def test_records_what_was_derived_from_what(self, store: Store) -> None:
        fetch(store, b"bytes")
        first = derive(store, b"table", "airports", month=1)
        before = contents(store.backend)
        assert first.outcome == "stored"
        assert derive(store, b"table", "airports", month=1).outcome == "not_modified"
        assert contents(store.backend) == before
        assert derive(store, b"table", "airports", month=2).outcome == "stored"
        assert store.validators("alpha", "table") is None

    def test_refuses_a_derivation_without_its_bytes(self, store: Store) -> None:
        blob, _ = store.put_bytes(b"table")
        store.backend.delete([blob_key(Digest(blob.digest))])
        outputs = (DerivedOutput(name="table", blob=blob),)
        with pytest.raises(ObjectNotFoundError, match="table"):
            store.commit_derived(DerivedCommit("alpha", "table", (), outputs))

    def test_heals_a_ref_that_cannot_be_read(self, store: Store) -> None:
        fetch(store, b"bytes")
        key = ref_key("alpha", "airports")
        put(store.backend, b"\0\0\0", key=key, if_absent=False)
        with pytest.raises(CorruptObjectError):
            store.ref("alpha", "airports")
        assert store.validators("alpha", "airports") is None
        fetch(store, b"bytes")
        assert store.validators("alpha", "airports") is not None
        (kept,) = store.backend.list(QUARANTINE)
        assert read(store.backend, kept.key) == b"\0\0\0"

    def test_keeps_results_and_replaces_them(self, store: Store) -> None:
        store.write_result("a/b", b"one")
        store.write_result("a/b", b"two")
        assert store.read_result("a/b") == b"two"
        with pytest.raises(ObjectNotFoundError):
            store.read_result("a/c")

    def test_pins_what_is_there(self, store: Store) -> None:
        digest = blob_of(fetch(store, b"bytes")).text
        store.pin("audit", digest)
        assert list(store.pins()) == [("audit", digest)]
        store.unpin("audit")
        assert list(store.pins()) == []
        with pytest.raises(ObjectNotFoundError):
            store.unpin("audit")
        with pytest.raises(ObjectNotFoundError):
            store.pin("audit", Digest.of(b"nothing").text)

    def test_exports_verified_bytes(self, store: Store, tmp_path: Path) -> None:
        digest = blob_of(fetch(store, b"bytes"))
        store.export(digest.text, tmp_path / "out" / "a.csv")
        assert (tmp_path / "out" / "a.csv").read_bytes() == b"bytes"
        put(store.backend, b"bytez", key=blob_key(digest), if_absent=False)
        with pytest.raises(CorruptObjectError):
            store.export(digest.text, tmp_path / "out" / "b.csv")
        assert [each.name for each in (tmp_path / "out").iterdir()] == ["a.csv"]

    def test_copies_into_itself_without_a_change(self, store: Store) -> None:
        fetch(store, b"bytes")
        before = contents(store.backend)
        report = copy_store(store, store)
        assert (report.blobs, report.manifests, report.refs, report.size_bytes) == (0, 0, 0, 0)
        assert contents(store.backend) == before

    def test_cannot_call_unchanged_what_it_never_stored(self, store: Store) -> None:
        with pytest.raises(ObjectNotFoundError, match="alpha/airports"):
            store.unchanged("alpha", "airports")

    def test_streams_an_empty_blob(self, store: Store) -> None:
        digest = store.put_bytes(b"")[0].digest
        with store.open_blob(digest, size=0) as stream:
            assert stream.read() == b""

    def test_stores_one_object_for_many_writers(self, make_backend: MakeBackend) -> None:
        stores = [Store(make_backend()) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(lambda each: fetch(each, b"race" * 1000), stores))
        assert {blob_of(each) for each in outcomes} == {Digest.of(b"race" * 1000)}
        assert len(list(stores[0].backend.list(BLOBS))) == 1
        report = verify(stores[0], level="deep")
        assert report.ok
        assert report.unfinished == 0
