"""Who hears of what, as configuration. Addresses with credentials are secrets, named here only."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from airnub_prefect_starter.core.configuration import ConfigModel
from airnub_prefect_starter.core.departments import SecretName

Email = Annotated[str, StringConstraints(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")]


class Route(ConfigModel):
    """One sink and from which level on it is told.

    ``webhook`` takes its address from a secret, ``https://…`` in the form that Slack takes.
    ``email`` takes its server from a secret, ``smtps://user:password@host:465`` or
    ``smtp://host:25`` (with STARTTLS where the server offers it).
    """

    sink: Literal["log", "event", "webhook", "email"]
    level: Literal["warning", "critical"] = "warning"
    secret: SecretName | None = None
    to: tuple[Email, ...] = ()
    sender: Email = "monitoring@localhost"

    @property
    def name(self) -> str:
        """How messages and the table of alerts call it: ``log``, ``webhook:alerts-webhook``."""
        return f"{self.sink}:{self.secret}" if self.secret else self.sink

    @model_validator(mode="after")
    def _has_its_address(self) -> Self:
        outside = self.sink in ("webhook", "email")
        if outside != (self.secret is not None):
            raise ValueError(f"{self.sink} takes {'a' if outside else 'no'} secret")
        if (self.sink == "email") != bool(self.to):
            raise ValueError("`to` is for email, which needs it")
        return self


class AlertsConfig(ConfigModel):
    """Routes, and how long a sink is not told again of what goes on."""

    cooldown_hours: float = Field(default=24, ge=0)
    resolved: bool = Field(default=True, description="Whether to tell when something is over")
    routes: tuple[Route, ...] = (Route(sink="log"), Route(sink="event"))

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [route.name for route in self.routes]
        if len(set(names)) < len(names):
            raise ValueError("two routes lead to the same sink: merge them")
        return self
