"""The model that answers at the moment: the champion, looked up again every few seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock

from airnub_prefect_starter.common.errors import StarterError
from airnub_prefect_starter.core.ml.registry import ModelRegistry
from airnub_prefect_starter.core.model_inference import ServedModel, load_model
from airnub_prefect_starter.core.store import Store

RECHECK_S = 5.0
log = logging.getLogger(__name__)


class CurrentModel:
    """One model of a store, safe for many threads.

    Args:
        store: Where it is.
        name: The model's.
        number: The version to keep to; None follows the champion.
        clock: Monotonic seconds.

    Raises:
        ObjectNotFoundError: There is no such version, or no champion. No retry.
        StoreError: It cannot be read.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        number: int | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store, self.name = store, name
        self._follows = number is None
        self._clock = clock
        self._turn = Lock()
        self._model = load_model(store, name, number)
        self._checked = clock()

    def get(self) -> ServedModel:
        """Give the model; of many requests at once, one looks whether there is another."""
        if self._follows and self._turn.acquire(blocking=False):
            try:
                self._follow()
            finally:
                self._turn.release()
        return self._model

    def _follow(self) -> None:
        if self._clock() - self._checked < RECHECK_S:
            return
        self._checked = self._clock()
        try:
            number = ModelRegistry(self.store, self.name).aliases().champion
            if number is not None and number != self._model.version.number:
                self._model = load_model(self.store, self.name, number)
                log.warning("Version %d of %s answers from now on", number, self.name)
        except StarterError as error:
            # Who asks for a score is served by the model at hand; the next look may find the store.
            log.warning("%s; version %d goes on", error, self._model.version.number)
