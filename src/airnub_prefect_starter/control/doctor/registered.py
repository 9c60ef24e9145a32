"""What is registered, against what this checkout says: the reconciler's plan, by kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from airnub_prefect_starter.control.desired import DesiredState, SecretSpec
from airnub_prefect_starter.control.doctor.context import Context
from airnub_prefect_starter.control.doctor.findings import Finding, fail, listed, ok
from airnub_prefect_starter.control.platform import quiet


def configuration(context: Context) -> Finding:
    """Look whether the files say, without a mistake, what should be registered."""
    desired = context.desired
    departments, deployments = len(context.catalog.entries), len(desired.deployments)
    return ok(f"{departments} departments, {deployments} deployments, in order")


def as_here(*kinds: str) -> Callable[[Context], Finding]:
    """Give the check of some of the reconciler's kinds."""

    def look(context: Context) -> Finding:
        # Secrets are a check of their own.
        return _compared(context, replace(context.desired, secrets=()), *kinds)

    return look


def secret_blocks(context: Context) -> Finding:
    """Look whether each secret of a department is in its Secret block."""
    known = [each for each in context.desired.secrets if each.value is not None]
    missing = [each for each in _unset(context) if not _is_registered(context, each)]
    if missing:
        told = [
            f"{each.variable} is not set, and there is no block {each.name}" for each in missing
        ]
        names = " ".join(f"{each.variable}=…" for each in missing)
        return fail(listed(told), f"{names} {context.commands.register}   # or in .env")
    only = replace(context.desired, secrets=tuple(known), stores=())
    found = _compared(context, only, "block")
    return found if found.state == "fail" else ok(f"{len(context.desired.secrets)} in their blocks")


def _unset(context: Context) -> list[SecretSpec]:
    return [each for each in context.desired.secrets if each.value is None]


def _is_registered(context: Context, secret: SecretSpec) -> bool:
    wanted = {"block_documents": {"name": {"any_": [secret.name]}}, "include_secrets": False}
    found = context.api.post("/block_documents/filter", wanted)
    return any(each["block_type"]["slug"] == "secret" for each in found)


def _compared(context: Context, desired: DesiredState, *kinds: str) -> Finding:
    # Deferred: importing Prefect takes a second, and where it points must be known before.
    from prefect.settings import (  # noqa: PLC0415
        PREFECT_API_AUTH_STRING,
        PREFECT_API_KEY,
        PREFECT_API_URL,
        temporary_settings,
    )

    from airnub_prefect_starter.control.bootstrap import plan_bootstrap  # noqa: PLC0415

    found = (PREFECT_API_URL, PREFECT_API_AUTH_STRING, PREFECT_API_KEY)
    given = {each: context.server.environment.get(each.name) for each in found}
    with temporary_settings({each: value for each, value in given.items() if value}):
        plan = plan_bootstrap(
            desired, settings=context.server.settings, on_progress=quiet, kinds=kinds
        )
    if plan.failures:
        remedies = [each.remedy for each in plan.failures if each.remedy]
        return fail(listed([each.message for each in plan.failures]), *remedies)
    if plan.changes:
        told = f"{len(plan.changes)} to do: {listed(plan.changes)}"
        return fail(told, context.commands.register)
    return ok(f"{plan.unchanged} as in this checkout")
