"""The service, without a socket: answers, refusals, and another champion taken up."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
import skops.io

from airnub_prefect_starter.core.churn.columns import KEY, NAMES
from airnub_prefect_starter.core.ml.registry import ModelRegistry
from airnub_prefect_starter.core.model_inference import load_model
from airnub_prefect_starter.core.store import Store, open_store
from airnub_prefect_starter.serving.app import MAX_BYTES, MAX_ROWS, make_app
from airnub_prefect_starter.serving.current import RECHECK_S, CurrentModel
from tests.model_kit import MODEL, prepared, put_champion, put_features, put_model, with_features

ROWS = prepared(300)


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = open_store(tmp_path_factory.mktemp("store").as_uri(), durability="none")
    put_features(store, with_features(ROWS))
    put_champion(store, with_features(ROWS))
    return store


class Client:
    """Requests to the application itself."""

    def __init__(self, current: CurrentModel) -> None:
        self._transport = httpx.ASGITransport(make_app(current))

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self._send("GET", path))

    def post(self, path: str, **body: Any) -> httpx.Response:
        return asyncio.run(self._send("POST", path, **body))

    async def _send(self, method: str, path: str, **body: Any) -> httpx.Response:
        url = "http://models.example"
        async with httpx.AsyncClient(transport=self._transport, base_url=url) as client:
            return await client.request(method, path, **body)


@pytest.fixture(scope="module")
def client(store: Store) -> Client:
    return Client(CurrentModel(store, MODEL, 1))


def _rows(store: Store, count: int) -> list[dict[str, Any]]:
    fields = load_model(store, MODEL, 1).form.model_fields
    names = [name for name in NAMES if name in fields]
    found: list[dict[str, Any]] = json.loads(ROWS.head(count)[names].to_json(orient="records"))
    return found


def test_it_says_what_answers(client: Client, store: Store) -> None:
    version = ModelRegistry(store, MODEL).version(1)

    assert client.get("/health").json() == {"status": "ok", "model": MODEL, "version": 1}
    facts = client.get("/model").json()
    assert facts["digest"] == version.model_file.digest
    assert facts["metrics"] == {"auc": 0.84}
    assert client.get(facts["card"]).text == "# The card"


def test_one_row_and_a_batch_score_alike(client: Client, store: Store) -> None:
    rows = _rows(store, 3)

    one = client.post("/predict", json=rows[0])
    batch = client.post("/predict/batch", json=rows)

    assert (one.status_code, batch.status_code) == (200, 200)
    found, many = one.json(), batch.json()
    assert found["id"] == rows[0][KEY]
    assert (
        found["digest"] == many["digest"] == load_model(store, MODEL, 1).version.model_file.digest
    )
    assert found["probability"] == pytest.approx(many["predictions"][0]["probability"], abs=1e-12)
    assert [each["id"] for each in many["predictions"]] == [row[KEY] for row in rows]


def test_only_some_rows_of_a_batch_may_have_a_key(client: Client, store: Store) -> None:
    named, nameless = _rows(store, 2)
    del nameless[KEY]

    answer = client.post("/predict/batch", json=[named, nameless])

    assert [each["id"] for each in answer.json()["predictions"]] == [named[KEY], None]


MANY_MISTAKES = json.dumps({f"k{number}": 0 for number in range(5000)}).encode()


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/predict", b"{", 422, "The body is not JSON"),
        ("/predict", b"", 422, "The body is not JSON"),
        ("/predict", b'{"tenure": NaN}', 422, "The body is not JSON"),
        ("/predict", b"[" * 100_000, 422, "The body is not JSON"),
        ("/predict", b"[]", 422, "the row: "),
        ("/predict", b"{}", 422, "SeniorCitizen: is required and missing; it is int from 0 to 1"),
        ("/predict", MANY_MISTAKES, 422, "and 5003 mistakes more"),
        ("/predict/batch", b"{}", 422, "no list of rows"),
        ("/predict/batch", b"[{}, {}]", 422, "row 1: gender: is required"),
        ("/predict/batch", b"[" + b"{}," * MAX_ROWS + b"{}]", 413, "are more than 1000"),
        ("/predict/batch", b" " * (MAX_BYTES + 1), 413, "The body has more than"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(
    client: Client, path: str, body: bytes, status: int, said: str
) -> None:
    answer = client.post(path, content=body)

    assert answer.status_code == status
    assert said in answer.json()["message"]


def test_an_empty_batch_is_an_empty_answer(client: Client) -> None:
    assert client.post("/predict/batch", json=[]).json()["predictions"] == []


def test_the_documentation_shows_the_form(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    body = paths["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]

    assert "Two year" in body["properties"]["Contract"]["enum"]
    assert body["additionalProperties"] is False
    assert client.get("/docs").status_code == 200


def test_another_champion_is_taken_up_after_some_seconds(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri(), durability="none")
    put_features(store, with_features(ROWS))
    put_champion(store, with_features(ROWS))
    clock = Clock()
    current, pinned = (CurrentModel(store, MODEL, each, clock=clock) for each in (None, 1))

    put_champion(store, with_features(ROWS), numeric=("tenure", "MonthlyCharges"))
    at_once = current.get().version.number
    clock.now = RECHECK_S

    assert (at_once, current.get().version.number, pinned.get().version.number) == (1, 2, 1)


def test_a_store_that_fails_leaves_the_model_at_hand(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(tmp_path.as_uri(), durability="none")
    put_features(store, with_features(ROWS))
    put_champion(store, with_features(ROWS))
    clock = Clock()
    current = CurrentModel(store, MODEL, clock=clock)
    (tmp_path / "models" / MODEL / "aliases.json").write_bytes(b"damaged")
    clock.now = RECHECK_S

    with caplog.at_level(logging.WARNING):
        assert current.get().version.number == 1
    assert "version 1 goes on" in caplog.text


def test_a_champion_of_a_later_program_leaves_the_model_at_hand(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path.as_uri(), durability="none")
    put_features(store, with_features(ROWS))
    put_champion(store, with_features(ROWS))
    clock = Clock()
    current = CurrentModel(store, MODEL, clock=clock)
    put_champion(store, with_features(ROWS), numeric=("tenure", "MonthlyCharges"))
    monkeypatch.setattr(skops.io, "loads", _of_another_version)
    clock.now = RECHECK_S

    with caplog.at_level(logging.WARNING):
        assert current.get().version.number == 1
    assert "cannot be read: AttributeError: no such field" in caplog.text


def _of_another_version(*_: object, **__: object) -> None:
    raise AttributeError("no such field")


def test_a_version_that_is_no_champion_can_be_served(store: Store) -> None:
    version = put_model(store, with_features(ROWS), numeric=("tenure",), categorical=("Contract",))
    client = Client(CurrentModel(store, MODEL, version.number))
    answer = client.post("/predict", json={"tenure": 2, "Contract": "Two year"})

    assert answer.json()["version"] == version.number
    assert answer.json()["id"] is None
