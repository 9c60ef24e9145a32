"""Each end reaches what it needs and nothing else: every pair of ends is tried."""

import pytest

from tests.helm.kit import HELM, PROFILES, pods, render
from tests.helm.network import End, Network

OTHERS: dict[str, dict[str, str]] = {"kube-system": {}, "airnub": {}, "stranger": {}, "second": {}}
LABELS = {"app.kubernetes.io/name": "airnub-prefect", "app.kubernetes.io/instance": "airnub"}
RUN = {"prefect.io/flow-run-id": "1", "app.kubernetes.io/name": "ingestion"}
DNS = End("kube-system", {"k8s-app": "kube-dns"})


def component(name: str) -> End:
    return End("airnub", {**LABELS, "app.kubernetes.io/component": name})


SOURCES = {
    **{each: component(each) for each in ("server", "worker", "postgresql", "object-store")},
    **{each: component(each) for each in ("sources", "bootstrap", "generic", "test")},
    "run of alpha": End("airnub-dept-project-alpha", RUN),
    "run of beta": End("airnub-dept-project-beta", RUN),
    "test of beta": End(
        "airnub-dept-project-beta", {**LABELS, "app.kubernetes.io/component": "test"}
    ),
    "stranger": End("stranger", {**LABELS, "app.kubernetes.io/component": "server"}),
    "other pod of the namespace": End("airnub", {"app": "other"}),
    "run of another release": End("second", RUN),
}

TARGETS = {
    "dns": (DNS, 53, "UDP"),
    "server": (component("server"), 4200, "TCP"),
    "server, other port": (component("server"), 8080, "TCP"),
    "postgresql": (component("postgresql"), 5432, "TCP"),
    "object store": (component("object-store"), 9000, "TCP"),
    "console": (component("object-store"), 9001, "TCP"),
    "sources": (component("sources"), 8080, "TCP"),
    "sample database": (component("sources"), 5432, "TCP"),
    "worker": (component("worker"), 8080, "TCP"),
    "run of alpha": (SOURCES["run of alpha"], 8080, "TCP"),
    "run of beta": (SOURCES["run of beta"], 8080, "TCP"),
    "kubernetes": (End(address="10.96.0.1"), 443, "TCP"),
    "API server": (End(address="172.18.0.2"), 6443, "TCP"),
    "internet": (End(address="198.51.100.7"), 443, "TCP"),
    "internet, SSH": (End(address="198.51.100.7"), 22, "TCP"),
    "metadata": (End(address="169.254.169.254"), 80, "TCP"),
    "private": (End(address="10.1.2.3"), 80, "TCP"),
    "database outside": (End(address="10.1.2.3"), 5432, "TCP"),
}

_KUBERNETES = {"kubernetes", "API server", "internet"}
_RUN = {"dns", "server", "object store", "sources", "sample database", "internet"}
# A stranger's own namespace is open: what stops it is the other side.
_STRANGER = {
    "dns", "kubernetes", "API server", "internet", "internet, SSH", "metadata", "private",
    "database outside",
}  # fmt: skip

EMBEDDED = {
    "server": {"dns", "postgresql"},
    "worker": {"dns", "server"} | _KUBERNETES,
    "postgresql": {"dns"},
    "object-store": {"dns"},
    "sources": {"dns"},
    "bootstrap": {"dns", "server", "object store"},
    "generic": {"dns", "server"},
    "test": {"dns", "server"},
    "run of alpha": _RUN,
    "run of beta": _RUN,
    "test of beta": _RUN,
    "stranger": _STRANGER,
    "other pod of the namespace": set(),
    "run of another release": _STRANGER,
}

# Database, object store and API are outside: what Prefect Cloud and prod have.
CLOUD = {
    "worker": {"dns"} | _KUBERNETES,
    "bootstrap": {"dns", "internet"},
    "generic": {"dns", "internet"},
    "run of alpha": {"dns", "internet"},
    "test of beta": {"dns", "internet"},
    "other pod of the namespace": set(),
}


def network(*arguments: str) -> Network:
    return Network(render(*arguments), OTHERS)


def reached(found: Network, source: str) -> set[str]:
    return {name for name, target in TARGETS.items() if found.allows(SOURCES[source], *target)}


@pytest.mark.parametrize("source", SOURCES)
def test_with_everything_inside(source: str) -> None:
    assert reached(network(*PROFILES["local"]), source) == EMBEDDED[source]


@pytest.mark.parametrize("source", CLOUD)
def test_with_everything_outside(source: str) -> None:
    # The release makes no such components there.
    inside = {"server", "object store", "sources", "sample database", "postgresql"}

    assert reached(network(*PROFILES["cloud"]), source) - inside == CLOUD[source]


def test_the_server_alone_reaches_an_external_database() -> None:
    prod = network(*PROFILES["prod"])

    assert reached(prod, "server") == {"dns", "database outside"}
    assert "database outside" not in reached(prod, "run of alpha") | reached(prod, "worker")


def test_an_object_store_at_a_private_address_is_opened_by_its_address() -> None:
    arguments = ("--set", "networkPolicy.external.cidrs={10.1.2.0/24}")
    opened = network(*PROFILES["prod"], *arguments, "--set", "networkPolicy.external.ports={80}")

    assert "private" in reached(opened, "run of alpha")
    assert "private" not in reached(opened, "server")


RUNS = {"run of alpha", "test of beta"}


@pytest.mark.parametrize(
    ("change", "port", "sources"),
    [
        ("s3.endpointUrl=https://s3.example.com:9000", 9000, RUNS),
        ("s3.endpointUrl=http://s3.example.com", 80, RUNS),
        ("apiUrl=https://p.example.com:8443/api", 8443, RUNS | {"bootstrap", "generic", "worker"}),
    ],
)
def test_a_service_outside_is_reached_at_the_port_of_its_address(
    change: str, port: int, sources: set[str]
) -> None:
    closed = ("--set", "networkPolicy.departments.internet=false")
    no_list = ("--set-json", "networkPolicy.external.ports=[]")
    opened = network(*PROFILES["cloud"], *closed, *no_list, "--set", change)
    target = End(address="198.51.100.7")

    assert {each for each in CLOUD if opened.allows(SOURCES[each], target, port)} == sources


def test_runs_without_the_internet() -> None:
    closed = network(*PROFILES["local"], "--set", "networkPolicy.departments.internet=false")

    assert reached(closed, "run of alpha") == _RUN - {"internet"}


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("networkPolicy.departments.allowedEgress", "run of alpha"),
        ("networkPolicy.server.allowedEgress", "server"),
    ],
)
def test_more_can_be_allowed(value: str, source: str) -> None:
    rule = f"{value}[0].to[0].ipBlock.cidr=10.0.0.0/8,{value}[0].ports[0].port=80"
    opened = network(*PROFILES["local"], "--set", rule)

    assert reached(opened, source) == EMBEDDED[source] | {"private"}


def test_an_ingress_controller_can_be_let_in() -> None:
    peer = "networkPolicy.server.allowedIngress[0].namespaceSelector.matchLabels"
    opened = network(
        *PROFILES["local"], "--set", f"{peer}.kubernetes\\.io/metadata\\.name=stranger"
    )

    assert reached(opened, "stranger") == _STRANGER | {"server"}


def test_node_local_dns_is_reached() -> None:
    target = (End(address="169.254.20.10"), 53, "UDP")

    assert not network(*PROFILES["local"]).allows(SOURCES["run of alpha"], *target)
    opened = network(*PROFILES["everything"])
    assert opened.allows(SOURCES["run of alpha"], *target)
    assert opened.allows(SOURCES["server"], *target)


def test_without_policies_everything_is_open() -> None:
    open_network = network(*PROFILES["local"], "--set", "networkPolicy.enabled=false")

    assert reached(open_network, "run of alpha") == set(TARGETS)


def test_the_ends_tried_here_are_those_of_the_release() -> None:
    assert HELM
    for pod in pods(render(*PROFILES["local"])):
        tried = [
            each
            for each in SOURCES.values()
            if each.namespace == pod.namespace and each.labels.items() <= dict(pod.labels).items()
        ]
        # Departments are alike: beta stands for those of which no end is tried.
        alike = {"project-alpha", "data-lake", "customer-churn"}
        assert tried or pod.namespace.removeprefix("airnub-dept-") in alike, pod.owner
