"""The departments' namespaces: the worker's rights there, the quota, and the Secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from airnub_prefect_starter.common.errors import PlatformError
from airnub_prefect_starter.control.doctor.context import Context
from airnub_prefect_starter.control.doctor.findings import Finding, fail, listed, ok, warn
from airnub_prefect_starter.control.doctor.release import by_namespace, namespaces
from airnub_prefect_starter.control.k8s.programs import run
from airnub_prefect_starter.core.cluster import amount
from airnub_prefect_starter.core.departments import DEFAULT_POOL, DEPARTMENTS

# As in the chart's templates/workers/rbac.yaml: API group, resource, verbs.
RIGHTS = (
    ("batch", "jobs", ("create", "delete", "get", "list", "watch")),
    ("", "pods", ("get", "list", "watch")),
    ("", "pods/log", ("get",)),
)
_ALLOWED = "jsonpath={.status.allowed}\n"
_KEYS = "{{range .items}}{{.metadata.name}}{{range $key, $_ := .data}} {{$key}}{{end}}\n{{end}}"


def worker_rights(context: Context) -> Finding:
    """Ask the cluster whether each worker's service account may do what the worker does."""
    release = context.release
    asked = list(_questions(context))
    text = run(
        release.kubectl("create", "--filename", "-", "--output", _ALLOWED),
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": asked}),
    )
    answers = text.split()
    if len(answers) != len(asked):
        raise PlatformError(f"{len(answers)} answers came to {len(asked)} questions")
    denied = [
        _denial(question["spec"])
        for question, answer in zip(asked, answers, strict=True)
        if answer != "true"
    ]
    if denied:
        return fail(listed(denied), context.commands.register)
    return ok(f"{len(answers)} in {len(list(_workplaces(context)))} namespaces")


def _denial(question: Mapping[str, Any]) -> str:
    account = question["user"].rpartition(":")[2]
    about = question["resourceAttributes"]
    resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
    return f"{account} may not {about['verb']} {resource} in {about['namespace']}"


def _questions(context: Context) -> Iterator[dict[str, Any]]:
    release = context.release
    for pool, namespace in _workplaces(context):
        account = release.object_name(f"worker-{pool}")
        for group, resource, verbs in RIGHTS:
            name, _, subresource = resource.partition("/")
            for verb in verbs:
                yield {
                    "apiVersion": "authorization.k8s.io/v1",
                    "kind": "SubjectAccessReview",
                    "spec": {
                        "user": f"system:serviceaccount:{release.namespace}:{account}",
                        "resourceAttributes": {
                            "namespace": namespace,
                            "group": group,
                            "resource": name,
                            "verb": verb,
                            **({"subresource": subresource} if subresource else {}),
                        },
                    },
                }


def _workplaces(context: Context) -> Iterator[tuple[str, str]]:
    """Name the pools with the namespaces in which their workers start Jobs."""
    cluster = context.access.cluster
    placed = cluster.departments
    for department, namespace in namespaces(context).items():
        yield placed[department].work_pool if placed else DEFAULT_POOL, namespace
    if cluster.generic:
        yield cluster.generic.work_pool, cluster.generic.namespace


def quota(context: Context) -> Finding:
    """Look what the departments' quotas leave."""
    quotas = by_namespace(
        context, lambda each: context.release.items("resourcequotas", "--namespace", each)
    )
    without = [namespace for namespace, found in quotas.items() if not found]
    if without:
        return fail(f"{listed(without)} has no quota", context.commands.register)
    told, tight = [], []
    for department, namespace in namespaces(context).items():
        used = [each for quota in quotas[namespace] for each in _used(quota["status"])]
        part, what = max(used, default=(0.0, "nothing"))
        line = f"{department}: {what}"
        told.append(line)
        if part >= context.thresholds.nearly_full:
            tight.append((line, department, namespace))
    if not tight:
        return ok(listed(told))
    pods = " ".join(context.release.kubectl("get", "jobs,pods", "--namespace"))
    fixes = [
        f"{pods} {namespace}   # what uses it; the quota is in {DEPARTMENTS / department}.yaml"
        for _, department, namespace in tight
    ]
    return warn(listed([line for line, _, _ in tight]), *fixes)


def _used(status: Mapping[str, Any]) -> Iterator[tuple[float, str]]:
    used = status.get("used", {})
    for name, hard in status.get("hard", {}).items():
        if amount(hard) > 0:
            part = float(amount(used.get(name, "0")) / amount(hard))
            yield part, f"{used.get(name, '0')} of {hard} {name}"


def secrets(context: Context) -> Finding:
    """Look whether the Secrets that runs name are there, with their keys; values stay there."""
    own = context.release.namespace
    found = {own: _keys(context, own), **by_namespace(context, partial(_keys, context))}
    missing = [
        (namespace, name, key, name in found[namespace])
        for namespace, wanted in _wanted(context).items()
        for name, keys in wanted.items()
        for key in keys
        if key not in found[namespace].get(name, ())
    ]
    if not missing:
        return ok(f"those of {len(namespaces(context))} departments, with their keys")
    told = [f"{namespace}: Secret {name} has no key {key}" for namespace, name, key, _ in missing]
    return fail(listed(told), *(_fix(context, *each) for each in missing))


def _wanted(context: Context) -> dict[str, dict[str, tuple[str, ...]]]:
    client, cluster = context.access.client, context.access.cluster
    api: dict[str, tuple[str, ...]] = {
        name: (key,)
        for name, key in ((client.auth_secret, "auth-string"), (client.api_key_secret, "api-key"))
        if name
    }
    found = {context.release.namespace: dict(api)}
    for department, namespace in namespaces(context).items():
        own = tuple(context.catalog.department(department).spec.secrets.values())
        found[namespace] = {
            **api,
            cluster.s3.secret_name: ("access-key-id", "secret-access-key"),
            **({cluster.department_secret_name: own} if own else {}),
        }
    return found


def _keys(context: Context, namespace: str) -> dict[str, list[str]]:
    text = run(
        context.release.kubectl(
            *("get", "secrets", "--namespace", namespace),
            *("--output", f"go-template={_KEYS}", "--request-timeout=10s"),
        )
    )
    lines = [line.split() for line in text.splitlines()]
    return {name: keys for name, *keys in lines}


def _fix(context: Context, namespace: str, name: str, key: str, is_there: bool) -> str:
    kubectl = " ".join(context.release.kubectl("--namespace", namespace))
    if not is_there:
        return f"{kubectl} create secret generic {name} --from-literal={key}=…"
    change = json.dumps({"stringData": {key: "…"}}, ensure_ascii=False)
    return f"{kubectl} patch secret {name} --patch '{change}'"
