"""The images are built once, from a copy of the checkout that tests may edit."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.images.kit import Builder, Image, copy_checkout, docker, why_no_engine


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    reason = why_no_engine()
    if reason:
        pytest.skip(reason)
    context = copy_checkout(tmp_path_factory.mktemp("images") / "context")
    # What a checkout may hold and no image should.
    (context / ".env").write_text("SOURCES_TOKEN=not-for-images\n")
    (context / "flows" / ".env").write_text("SOURCES_TOKEN=not-for-images\n")
    name = f"airnub-test-{secrets.token_hex(4)}"
    yield Builder(context, name)
    tags = docker("image", "ls", "--format", "{{.Repository}}", f"{name}-*").split()
    if tags:
        docker("image", "rm", "--force", *tags)


@pytest.fixture(scope="session")
def platform(builder: Builder) -> Image:
    return builder.platform()


@pytest.fixture(scope="session")
def flows(builder: Builder) -> Image:
    return builder.flows()


@pytest.fixture(scope="session")
def sources(builder: Builder) -> Image:
    return builder.sources()


@pytest.fixture(params=["platform", "flows", "sources"])
def image(request: pytest.FixtureRequest) -> Image:
    built: Image = request.getfixturevalue(request.param)
    return built


@pytest.fixture(scope="session")
def context(builder: Builder) -> Path:
    return builder.context
