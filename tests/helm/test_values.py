"""Wrong values are refused, with a message that names the value and what is allowed."""

import pytest

from tests.helm.kit import PROFILES, refusal, render, sets

LOCAL = PROFILES["local"]

# One wrong value over those of values-local.yaml, and what the message must say.
SCHEMA = [
    ("servre.enabled=true", "additional properties 'servre' not allowed"),
    ("server.replicas=2", "additional properties 'replicas' not allowed"),
    ("workers.replicaz=2", "'/workers': additional properties 'replicaz' not allowed"),
    ("postgresql.persistence.sise=1Gi", "additional properties 'sise' not allowed"),
    ("networkPolicy.enable=false", "additional properties 'enable' not allowed"),
    ("departments.project_alpha.quotas.cpu=1", "additional properties 'quotas' not allowed"),
    (
        "departments.Project-Alpha.workPool=x",
        "'/departments': additional properties 'Project-Alpha' not",
    ),
    ("environment=production", "value must be one of 'local', 'staging', 'prod'"),
    ("server.retention.events=259200", "'/server/retention/events': got number, want string"),
    ("server.retention.events=36h", "'36h' does not match pattern"),
    ("server.retention.flowRuns=0d", "'0d' does not match pattern"),
    ("server.externalUrl=localhost:4200", "'/server/externalUrl'"),
    ("server.externalUrl=http://localhost:4200/", "'/server/externalUrl'"),
    ("server.logLevel=info", "'/server/logLevel': value must be one of"),
    (
        "server.env.PREFECT_SERVER_DATABASE_PASSWORD=x",
        "'/server/env/PREFECT_SERVER_DATABASE_PASSWORD': false schema",
    ),
    ("server.env.PREFECT_HOME=x", "'/server/env/PREFECT_HOME': false schema"),
    (
        "server.env.PREFECT_SERVER_ENCRYPTION_KEY=x",
        "'/server/env/PREFECT_SERVER_ENCRYPTION_KEY': false schema",
    ),
    ("addresses.PREFECT_API_URL=x", "'/addresses/PREFECT_API_URL': false schema"),
    ("addresses.AWS_SECRET_ACCESS_KEY=x", "'/addresses/AWS_SECRET_ACCESS_KEY': false schema"),
    ("addresses.SOURCES_TOKEN=x", "'/addresses/SOURCES_TOKEN': false schema"),
    ("server.env.DATABASE_PASSWORD=x", "'/server/env/DATABASE_PASSWORD': false schema"),
    *(
        (f"job.env.{name}=x", f"'/job/env/{name}': false schema")
        for name in (
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SECRET",
            "PREFECT_API_KEY",
            "PREFECT_API_AUTH_STRING",
            "DATABASE_PASSWORD",
            "SOURCES_TOKEN",
            "CLIENT_SECRET",
        )
    ),
    ("images.flows.tag=latest", "'/images/flows/tag': 'not' failed"),
    ("images.flows.ref=flows:latest", "'/images/flows/ref': 'not' failed"),
    ("departments.a.image=flows:latest", "'/departments/a/image': 'not' failed"),
    ("images.flows.ref=registry:5000/flows", "'/images/flows/ref'"),
    ("images.flows.digest=sha256:abc", "'/images/flows/digest'"),
    ("images.flows.pullPolicy=Sometimes", "'/images/flows/pullPolicy': value must be one of"),
    ("job.memoryLimit=1GB", "'1GB' does not match pattern"),
    ("job.activeDeadlineSeconds=4h", "'/job/activeDeadlineSeconds': got string, want integer"),
    ("workers.querySeconds=0", "'/workers/querySeconds': minimum: got 0, want 0.5"),
    ("selfHealing.heartbeatSeconds=10", "minimum: got 10, want 30"),
    ("s3.bucket=Airnub", "'Airnub' does not match pattern"),
    ("s3.prefix=/store", "'/store' does not match pattern"),
    ("externalDatabase.host=postgresql://db", "'/externalDatabase/host'"),
    ("externalDatabase.port=70000", "maximum: got 70,000, want 65,535"),
    ("networkPolicy.apiServer.cidrs={10.0.0.1}", "'10.0.0.1' does not match pattern"),
    ("developmentSecrets.authString=nocolon", "'nocolon' does not match pattern"),
    ("developmentSecrets.encryptionKey=short", "'short' does not match pattern"),
    ("auth.existingSecret=Api_Auth", "'Api_Auth' does not match pattern"),
    ("server.resources.limits=null", "missing property 'limits'"),
    ("podSecurity.version=1.34", "'/podSecurity/version'"),
]

# Values that contradict each other, and what the message must say.
RULES = [
    ({"server.enabled": "false"}, "apiUrl is empty"),
    ({"server.enabled": "false"}, "postgresql.enabled: the database is the server's"),
    ({"apiUrl": "https://p.example.com/api"}, "leave them empty, or set server.enabled=false"),
    ({"apiKey.existingSecret": "cloud"}, "leave them empty, or set server.enabled=false"),
    ({"postgresql.enabled": "false"}, "externalDatabase.host is empty"),
    ({"postgresql.enabled": "false"}, "externalDatabase.existingSecret is empty"),
    ({"externalDatabase.host": "db"}, "or set postgresql.enabled=false"),
    (
        {"postgresql.enabled": "false", "externalDatabase.tls.caSecret": "ca"},
        "externalDatabase.tls.caSecret has no effect",
    ),
    ({"postgresql.maxConnections": "31"}, "the server may open 31"),
    ({"s3.endpointUrl": "https://s3.example.com"}, "or set objectStore.enabled=false"),
    ({"server.ingress.enabled": "true"}, "server.ingress.host is empty"),
    ({"selfHealing.zombieSeconds": "90"}, "at least twice selfHealing.heartbeatSeconds (60)"),
    (
        {"workPools.ml.replicas": "2"},
        "workPools.ml: no department uses this pool. There are: airnub",
    ),
    ({"developmentSecrets.departments.nobody.A": "b"}, "departments.nobody: there is no such"),
    ({"developmentSecrets.sourcesToken": ""}, "developmentSecrets.sourcesToken is empty"),
    ({"developmentSecrets.objectStore.rootPassword": "short"}, "fewer than 8 characters"),
    ({"departments.project_beta.quota.memory": "1280Mi"}, "needs 512Mi while it waits for its run"),
    ({"departments.project_beta.quota.cpu": "199m"}, "has 199m of cpu, and `helm test` needs 100m"),
    ({"departments.project_beta.quota.pods": "1"}, "project_beta has room for one pod"),
    ({"tests.department": "nobody"}, "there is no department nobody"),
    ({"departments.new_one.namespace": "dept-project-beta"}, "is that of new_one too"),
    ({"departments.new_one.namespace": "n" * 60}, "longer than 63 characters"),
    ({"departments.new_one.workPool": "p" * 60}, "its worker's name would exceed 63"),
]

# Each Secret that staging and prod need: profile, value, its name, its keys.
NEEDED = [
    ("staging", "auth.existingSecret", "airnub-api-auth", ["auth-string"]),
    ("staging", "server.encryptionKey.existingSecret", "airnub-server", ["encryption-key"]),
    ("staging", "postgresql.auth.existingSecret", "airnub-postgresql", ["username", "password"]),
    (
        "staging",
        "objectStore.auth.existingSecret",
        "airnub-object-store",
        ["root-user", "root-password"],
    ),
    (
        "staging",
        "objectStore.users.existingSecret",
        "airnub-s3-users",
        ["project_alpha.access-key-id", "project_beta.secret-access-key"],
    ),
    ("staging", "s3.existingSecret", "airnub-s3", ["access-key-id", "secret-access-key"]),
    ("prod", "auth.existingSecret", "airnub-api-auth", ["auth-string"]),
    ("prod", "server.encryptionKey.existingSecret", "airnub-server", ["encryption-key"]),
    ("prod", "externalDatabase.existingSecret", "airnub-database", ["username", "password"]),
    ("prod", "s3.existingSecret", "airnub-s3", ["access-key-id", "secret-access-key"]),
]

CREDENTIALS = {
    "authString": "a:b",
    "encryptionKey": f"{'k' * 43}=",
    "postgresql.password": "p",
    "objectStore.rootPassword": "long-enough",
    "s3Seed": "s",
    "sourcesToken": "t",
    "departments.project_alpha.TOKEN": "t",
}


@pytest.mark.parametrize(("change", "says"), SCHEMA, ids=[change for change, _ in SCHEMA])
def test_the_schema_refuses(change: str, says: str) -> None:
    assert says in refusal(*LOCAL, "--set", change)


@pytest.mark.parametrize(("changes", "says"), RULES, ids=[says for _, says in RULES])
def test_values_that_contradict_each_other_are_refused(changes: dict[str, str], says: str) -> None:
    assert says in refusal(*LOCAL, *sets(changes))


@pytest.mark.parametrize("name", ["a" * 17, "air.nub"])
def test_a_release_name_that_does_not_fit_is_refused(name: str) -> None:
    assert f"Release name {name}: at most 16" in refusal(*LOCAL, name=name)


def test_the_longest_release_name_renders() -> None:
    assert render(*LOCAL, name="a" * 16)


@pytest.mark.parametrize(("profile", "value", "name", "keys"), NEEDED)
def test_a_missing_secret_is_named_with_its_keys_and_the_command(
    profile: str, value: str, name: str, keys: list[str]
) -> None:
    message = refusal(*PROFILES[profile], "--set", f"{value}=")

    assert f"{value} is empty" in message
    assert f"kubectl create secret generic {name} " in message
    assert all(f"--from-literal={key}=" in message for key in keys)
    assert f"--set {value}={name}" in message


def test_all_problems_are_told_at_once() -> None:
    message = refusal("--set", "environment=staging")

    assert message.count(" is empty. It names a Secret") == 6


@pytest.mark.parametrize("environment", ["staging", "prod"])
@pytest.mark.parametrize("name", CREDENTIALS)
def test_credentials_in_values_are_refused_outside_development(environment: str, name: str) -> None:
    message = refusal(
        *PROFILES[environment], "--set", f"developmentSecrets.{name}={CREDENTIALS[name]}"
    )

    assert f"developmentSecrets.{name.removesuffix('.TOKEN')} is set" in message


def test_sample_sources_are_refused_outside_development() -> None:
    message = refusal(*PROFILES["prod"], "--set", "sources.enabled=true")

    assert "the sample sources are for development" in message


def test_an_existing_api_needs_credentials_of_one_kind() -> None:
    cloud = PROFILES["cloud"]

    assert "an existing API needs one of them" in refusal(*cloud, "--set", "apiKey.existingSecret=")
    assert "Prefect sends only one" in refusal(*cloud, "--set", "auth.existingSecret=both")


def test_helm_test_asks_for_no_more_room_than_it_needs() -> None:
    quota = "departments.project_beta.quota"

    assert render(*LOCAL, *sets({f"{quota}.memory": "1536Mi", f"{quota}.cpu": "200m"}))
    assert render(*LOCAL, *sets({f"{quota}.memory": "1Gi", "tests.run": "false"}))


def test_a_name_that_only_speaks_of_a_secret_is_allowed() -> None:
    assert render(*LOCAL, "--set-string", "job.env.TOKEN_FILE=/etc/token,job.env.KEYBOARD=x")


def test_global_values_of_a_parent_chart_are_allowed() -> None:
    assert render(*LOCAL, "--set", "global.ofTheParent=true")
