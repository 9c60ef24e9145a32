"""Departments: their namespaces, what the worker may do there, their quotas and keys."""

from typing import Any

import pytest
import yaml

from airnub_prefect_starter.core.cluster import ClusterConfig, GenericJobs
from tests.helm.kit import CHART, PROFILES, find, kind, profile, render

CHURN = "airnub-dept-customer-churn"
LAKE = "airnub-dept-data-lake"
ALPHA = "airnub-dept-project-alpha"
BETA = "airnub-dept-project-beta"
WORKER = "airnub-worker-airnub"

RULES = [
    {
        "apiGroups": ["batch"],
        "resources": ["jobs"],
        "verbs": ["create", "delete", "get", "list", "watch"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
]


def test_every_department_of_the_file_has_its_namespace() -> None:
    departments = yaml.safe_load((CHART / "files" / "departments.yaml").read_text())
    namespaces = {
        each["metadata"]["labels"]["airnub.io/department"]: each["metadata"]["name"]
        for each in kind(profile("default"), "Namespace")
    }

    assert departments
    assert namespaces == {
        name: f"airnub-{department['namespace']}" for name, department in departments.items()
    }


def test_a_department_keeps_its_image_while_the_releases_goes_ahead() -> None:
    manifests = render(
        *PROFILES["local"],
        *("--set", "images.flows.ref=registry.example/flows:new"),
        *("--set", "departments.project_beta.image=registry.example/flows:old"),
    )
    config = find(manifests, "ConfigMap", "airnub-cluster")["data"]["cluster.yaml"]
    cluster = ClusterConfig.model_validate(yaml.safe_load(config))
    job = find(manifests, "Job", "airnub-bootstrap")
    (bootstrap,) = job["spec"]["template"]["spec"]["containers"]

    assert cluster.flows_image == bootstrap["image"] == "registry.example/flows:new"
    assert cluster.departments["project_beta"].image == "registry.example/flows:old"
    assert cluster.departments["project_alpha"].image is None


def test_values_are_merged_over_the_file() -> None:
    changes = (
        *("--set", "departments.project_beta.quota.pods=7"),
        *("--set", "departments.machine_learning.displayName=Machine Learning"),
    )
    manifests = render(*PROFILES["local"], *changes)
    quota = find(manifests, "ResourceQuota", "airnub-department", BETA)
    new = find(manifests, "Namespace", "airnub-dept-machine-learning", "")

    # The other parts of the quota are those of the file.
    assert quota["spec"]["hard"]["pods"] == "7"
    assert quota["spec"]["hard"]["requests.cpu"] == "1"
    assert new["metadata"]["annotations"]["airnub.io/display-name"] == "Machine Learning"
    assert find(manifests, "ServiceAccount", "flow-run", "airnub-dept-machine-learning")
    assert "airnub-dept-machine-learning" in _observed(manifests, WORKER)


@pytest.mark.parametrize("namespace", [CHURN, LAKE, ALPHA, BETA, "airnub"])
def test_the_worker_may_do_what_prefect_needs_and_no_more(namespace: str) -> None:
    manifests = profile("local")
    role = find(manifests, "Role", WORKER, namespace)
    binding = find(manifests, "RoleBinding", WORKER, namespace)

    assert role["rules"] == RULES
    assert binding["roleRef"]["name"] == WORKER
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": WORKER, "namespace": "airnub"}
    ]


@pytest.mark.parametrize("name", PROFILES)
def test_roles_are_where_runs_are_jobs(name: str) -> None:
    manifests = profile(name)
    departments = {each["metadata"]["name"] for each in kind(manifests, "Namespace")}
    roles = [each["metadata"]["namespace"] for each in kind(manifests, "Role")]

    # Flows of no department have their Jobs in the release's own namespace.
    assert sorted(roles) == sorted({*departments, "airnub"})
    assert len(kind(manifests, "RoleBinding")) == len(roles)


def test_a_pool_of_its_own_has_its_own_worker_for_its_departments_alone() -> None:
    manifests = profile("everything")
    shared = find(manifests, "Deployment", WORKER)
    own = find(manifests, "Deployment", "airnub-worker-ml")
    roles = {
        (each["metadata"]["namespace"], each["metadata"]["name"])
        for each in kind(manifests, "Role")
    }

    assert own["spec"]["replicas"] == 2
    assert shared["spec"]["replicas"] == 1
    assert _observed(manifests, "airnub-worker-ml") == ["airnub-dept-machine-learning"]
    assert _observed(manifests, WORKER) == [CHURN, LAKE, ALPHA, BETA, "airnub"]
    assert roles == {
        (CHURN, WORKER),
        (LAKE, WORKER),
        (ALPHA, WORKER),
        (BETA, WORKER),
        ("airnub", WORKER),
        ("airnub-dept-machine-learning", "airnub-worker-ml"),
    }
    assert own["spec"]["selector"] != shared["spec"]["selector"]


def test_flows_of_no_department_have_a_worker_whatever_the_pools_are_called() -> None:
    manifests = render(
        *PROFILES["local"],
        *("--set", "departments.project_alpha.workPool=zeta"),
        *("--set", "departments.project_beta.workPool=beta"),
        *("--set", "departments.data_lake.workPool=zeta"),
        *("--set", "departments.customer_churn.workPool=zeta"),
    )
    text = find(manifests, "ConfigMap", "airnub-cluster")["data"]["cluster.yaml"]

    assert yaml.safe_load(text)["generic"]["work_pool"] == "beta"
    assert _observed(manifests, "airnub-worker-beta") == [BETA, "airnub"]
    assert _observed(manifests, "airnub-worker-zeta") == [CHURN, LAKE, ALPHA]


def test_plain_prefect_gets_the_same_as_the_release_airnub() -> None:
    text = find(profile("default"), "ConfigMap", "airnub-cluster")["data"]["cluster.yaml"]

    # What `airnub render` writes for a release that nobody has described, but for addresses.
    found = ClusterConfig.model_validate(yaml.safe_load(text)).generic
    assert found
    assert found.env == {"WAREHOUSE_URL": "none"}
    assert found.model_copy(update={"env": {}}) == GenericJobs()


def test_two_workers_of_a_pool_do_not_end_together() -> None:
    manifests = profile("everything")
    (budget,) = kind(manifests, "PodDisruptionBudget")
    workers = find(manifests, "Deployment", "airnub-worker-ml")["spec"]

    assert budget["spec"] == {"maxUnavailable": 1, "selector": workers["selector"]}
    # A node with the only worker of a pool could not be drained.
    assert not kind(profile("local"), "PodDisruptionBudget")


def test_hundreds_of_departments_share_one_worker() -> None:
    many = [part for i in range(200) for part in ("--set", f"departments.d{i}.workPool=airnub")]
    manifests = render(*PROFILES["local"], *many)

    assert len(kind(manifests, "Namespace")) == 204
    assert [each["metadata"]["name"] for each in kind(manifests, "Deployment")].count(WORKER) == 1


def test_a_flow_run_account_has_no_token_and_no_rights() -> None:
    for name in ("local", "everything"):
        manifests = profile(name)
        accounts = kind(manifests, "ServiceAccount")
        bound = {
            (subject["namespace"], subject["name"])
            for each in kind(manifests, "RoleBinding")
            for subject in each["subjects"]
        }

        assert all(each["automountServiceAccountToken"] is False for each in accounts)
        assert not [each for each in bound if each[0] != "airnub"]


def test_a_quota_counts_what_starves_others() -> None:
    quota = find(profile("local"), "ResourceQuota", "airnub-department", ALPHA)

    assert quota["spec"]["hard"] == {
        "requests.cpu": "4",
        "requests.memory": "8Gi",
        "limits.memory": "8Gi",
        "pods": "20",
        "count/jobs.batch": "1000",
    }


def test_a_container_without_requests_gets_those_of_a_job() -> None:
    limits = find(profile("default"), "LimitRange", "airnub-department", ALPHA)["spec"]["limits"]

    assert limits == [
        {
            "type": "Container",
            "defaultRequest": {"cpu": "250m", "memory": "512Mi"},
            "default": {"memory": "1Gi"},
        }
    ]


def test_each_department_has_its_own_key_and_bootstrap_knows_all() -> None:
    manifests = profile("local")
    users = find(manifests, "Secret", "airnub-s3-users")["stringData"]
    keys = {
        name: find(manifests, "Secret", "airnub-s3", namespace)["stringData"]
        for name, namespace in (
            ("customer_churn", CHURN),
            ("data_lake", LAKE),
            ("project_alpha", ALPHA),
            ("project_beta", BETA),
        )
    }

    assert keys["project_alpha"]["secret-access-key"] != keys["project_beta"]["secret-access-key"]
    assert users == {
        f"{name}.{part}": value for name, pair in keys.items() for part, value in pair.items()
    }
    # MinIO: 3 to 20 and 8 to 40 characters.
    assert all(3 <= len(each["access-key-id"]) <= 20 for each in keys.values())
    assert all(8 <= len(each["secret-access-key"]) <= 40 for each in keys.values())


def test_a_department_has_the_credentials_of_the_api_and_of_its_sources() -> None:
    manifests = profile("local")
    here = find(manifests, "Secret", "airnub-api-auth")["stringData"]
    private = [
        each for each in kind(manifests, "Secret") if each["metadata"]["name"] == "airnub-secrets"
    ]

    assert find(manifests, "Secret", "airnub-api-auth", ALPHA)["stringData"] == here
    assert find(manifests, "Secret", "airnub-api-auth", BETA)["stringData"] == here
    assert [each["metadata"]["namespace"] for each in private] == [ALPHA]
    assert private[0]["stringData"] == {"SOURCES_TOKEN": "development-sources"}


@pytest.mark.parametrize("name", PROFILES)
def test_bootstrap_can_read_what_the_chart_says_of_the_cluster(name: str) -> None:
    text = find(profile(name), "ConfigMap", "airnub-cluster")["data"]["cluster.yaml"]

    cluster = ClusterConfig.model_validate(yaml.safe_load(text))
    assert cluster.release == "airnub"
    assert cluster.api_embedded is (name != "cloud")


def test_what_the_chart_says_of_the_cluster() -> None:
    files = find(profile("local"), "ConfigMap", "airnub-cluster")["data"]

    assert yaml.safe_load(files["cluster.yaml"]) == {
        "release": "airnub",
        "api_url": "http://airnub-server.airnub.svc.cluster.local:4200/api",
        "api_embedded": True,
        "flows_image": "airnub-flows:dev",
        "image_pull_policy": "IfNotPresent",
        "image_pull_secrets": [],
        "s3": {
            "endpoint_url": "http://airnub-object-store.airnub.svc.cluster.local:9000",
            "region": "us-east-1",
            "secret_name": "airnub-s3",
            "embedded": True,
        },
        "department_secret_name": "airnub-secrets",
        "job": {
            "cpu_request": "100m",
            "memory_request": "512Mi",
            "memory_limit": "1Gi",
            "scratch_size_limit": "2Gi",
            "ttl_seconds_after_finished": 3600,
            "active_deadline_seconds": 14400,
            "termination_grace_period_seconds": 90,
            "backoff_limit": 0,
            "priority_class_name": "airnub-flows-default",
            "env": {},
        },
        "pools": {"airnub": {"concurrency_limit": 20}},
        "self_healing": {
            "heartbeat_seconds": 60,
            "zombie_seconds": 180,
            "stuck_start_seconds": 180,
        },
        "generic": {
            "work_pool": "airnub",
            "namespace": "airnub",
            "service_account": "airnub-generic",
            "config_map": "airnub-cluster",
            "labels": {
                "app.kubernetes.io/name": "airnub-prefect",
                "app.kubernetes.io/instance": "airnub",
                "app.kubernetes.io/component": "generic",
            },
            "env": yaml.safe_load(files["client.yaml"])["addresses"],
        },
        "departments": {
            "customer_churn": {
                "displayName": "Customer Churn",
                "namespace": CHURN,
                "serviceAccount": "flow-run",
                "workPool": "airnub",
                "quota": {"cpu": "4", "memory": "6Gi", "pods": 10},
            },
            "data_lake": {
                "displayName": "Data Lake",
                "namespace": LAKE,
                "serviceAccount": "flow-run",
                "workPool": "airnub",
                "quota": {"cpu": "4", "memory": "6Gi", "pods": 10},
            },
            "project_alpha": {
                "displayName": "Project Alpha",
                "namespace": ALPHA,
                "serviceAccount": "flow-run",
                "workPool": "airnub",
                "quota": {"cpu": "4", "memory": "8Gi", "pods": 20},
            },
            "project_beta": {
                "displayName": "Project Beta",
                "namespace": BETA,
                "serviceAccount": "flow-run",
                "workPool": "airnub",
                "quota": {"cpu": "1", "memory": "4Gi", "pods": 5},
            },
        },
    }


def test_aws_needs_no_address() -> None:
    text = find(profile("prod"), "ConfigMap", "airnub-cluster")["data"]["cluster.yaml"]

    assert yaml.safe_load(text)["s3"] == {
        "endpoint_url": None,
        "region": "eu-west-1",
        "secret_name": "airnub-s3",
        "embedded": False,
    }


def test_flows_never_take_a_node_from_the_platform() -> None:
    classes = {each["metadata"]["name"]: each for each in kind(profile("default"), "PriorityClass")}
    platform = classes.pop("airnub-platform")

    assert set(classes) == {"airnub-flows-high", "airnub-flows-default"}
    assert classes["airnub-flows-high"]["value"] > classes["airnub-flows-default"]["value"]
    for each in classes.values():
        assert each["preemptionPolicy"] == "Never"
        assert each["value"] < platform["value"]


def _observed(manifests: Any, worker: str) -> list[str]:
    container = find(manifests, "Deployment", worker)["spec"]["template"]["spec"]["containers"][0]
    names = {each["name"]: each.get("value") for each in container["env"]}
    return str(names["PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES"]).split(",")
