"""The HTTP service over one model: health, what the model is, and probabilities.

Rows are checked by the model's own form, which may change with the champion; so bodies are read
here and not by FastAPI, whose documentation shows the form of the model at the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic_core import from_json

from airnub_prefect_starter.common.errors import (
    ObjectNotFoundError,
    PayloadError,
    StarterError,
    TooLargeError,
)
from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.ml.lineage import blob_of
from airnub_prefect_starter.core.ml.step import CARD
from airnub_prefect_starter.core.model_inference import Prediction, ServedModel
from airnub_prefect_starter.serving.current import CurrentModel

MAX_ROWS = 1000
MAX_BYTES = 2 << 20


class Health(ConfigModel):
    """That the service answers, and with which version."""

    status: str
    model: str
    version: int


class ModelFacts(ConfigModel):
    """What the model is that answers.

    Attributes:
        digest: Of its file; `airnub trace` leads from it to the bytes of the sources.
        threshold: Probability from which the label is true.
        metrics: On the rows that were held out of training.
        card: Path of the model card.
    """

    model: str
    version: int
    kind: str
    digest: str
    target: str
    positive: str
    threshold: float
    metrics: Mapping[str, float]
    trained_on: tuple[str, ...]
    release: int | None
    card: str


class Answer(ConfigModel):
    """The scores of some rows, in their order, and who gave them."""

    model: str
    version: int
    digest: str
    predictions: tuple[Prediction, ...]


class OneAnswer(ConfigModel):
    """The score of one row, and who gave it."""

    model: str
    version: int
    digest: str
    id: str | None
    probability: float
    label: bool


def make_app(current: CurrentModel) -> FastAPI:
    """Make the application; it needs the store at the start and whenever the champion changes."""
    app = FastAPI(title=f"Model {current.name}", version=str(current.get().version.number))
    form = current.get().form.model_json_schema()
    batch = {"type": "array", "items": form, "maxItems": MAX_ROWS}
    app.add_exception_handler(StarterError, _refuse)

    @app.get("/health")
    def health() -> Health:
        version = current.get().version
        return Health(status="ok", model=version.name, version=version.number)

    @app.get("/model")
    def model() -> ModelFacts:
        return _facts(current.get())

    @app.get("/model/card", response_class=PlainTextResponse)
    def card() -> PlainTextResponse:
        return PlainTextResponse(_card(current), media_type="text/markdown; charset=utf-8")

    @app.post("/predict", openapi_extra=_takes(form))
    async def predict(request: Request) -> OneAnswer:
        row = await _body(request)
        model, (found,) = await run_in_threadpool(_score, current, [row])
        return OneAnswer(**_who(model), **dict(found))

    @app.post("/predict/batch", openapi_extra=_takes(batch))
    async def predict_batch(request: Request) -> Answer:
        rows = await _body(request)
        if not isinstance(rows, list):
            raise PayloadError("The body is no list of rows", "Send [{...}, {...}]")
        if len(rows) > MAX_ROWS:
            raise TooLargeError(
                f"{len(rows)} rows are more than {MAX_ROWS}",
                "Send several batches, or let the category batch_scoring score a whole table",
            )
        model, found = await run_in_threadpool(_score, current, rows)
        return Answer(**_who(model), predictions=tuple(found))

    return app


def _score(current: CurrentModel, rows: list[object]) -> tuple[ServedModel, list[Prediction]]:
    """Score by one model, whatever becomes champion meanwhile."""
    model = current.get()
    return model, model.predict(rows)


def _who(model: ServedModel) -> dict[str, Any]:
    version = model.version
    return {
        "model": version.name,
        "version": version.number,
        "digest": version.model_file.digest,
    }


def _facts(model: ServedModel) -> ModelFacts:
    version = model.version
    return ModelFacts(
        **_who(model),
        kind=version.kind,
        target=version.target,
        positive=version.positive,
        threshold=version.threshold,
        metrics=version.metrics,
        trained_on=tuple(each.manifest for each in version.trained_on),
        release=version.release,
        card="/model/card",
    )


def _card(current: CurrentModel) -> str:
    digest = blob_of(current.store, current.get().version.manifest, CARD)
    return current.store.read_blob(digest).decode()


async def _body(request: Request) -> Any:
    """Read a JSON body of at most 2 MiB.

    Raises:
        TooLargeError: It is larger. No retry.
        PayloadError: It is not JSON. No retry.
    """
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > MAX_BYTES:
            raise TooLargeError(f"The body has more than {MAX_BYTES} bytes", "Send fewer rows")
    try:
        return from_json(bytes(raw), allow_inf_nan=False)
    except ValueError as error:
        raise PayloadError(f"The body is not JSON: {error}", "Send a JSON object") from error


def _takes(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _refuse(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 - FastAPI's form
    """Answer an error of this project: what is wrong with the rows is the sender's to mend."""
    assert isinstance(error, StarterError)  # noqa: S101 - it is registered for no other
    content = {
        "error": type(error).__name__,
        "message": error.message,
        "remedy": error.remedy,
    }
    return JSONResponse(content, status_code=_status(error))


def _status(error: StarterError) -> int:
    if isinstance(error, TooLargeError):
        return 413
    if isinstance(error, PayloadError):
        return 422
    if isinstance(error, ObjectNotFoundError):
        return 404
    return 503 if error.transient else 500
