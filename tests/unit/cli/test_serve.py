"""``airnub serve`` that cannot start: one line, and an exit code."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from airnub_prefect_starter.core.store import open_store
from tests.model_kit import MODEL, prepared, put_champion, put_features, with_features
from tests.unit.cli.kit import Project, require_one_line


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Give the address of a store with a champion."""
    address = (tmp_path / "far").as_uri()
    store, features = open_store(address, durability="none"), with_features(prepared(200))
    put_features(store, features)
    put_champion(store, features)
    return address


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--version", "9", "There is no version 9 of the model customer_churn. There are: 1"),
        ("--model", "other", "The model other has no champion. Train one"),
    ],
)
def test_without_the_model_it_does_not_start(
    project: Project, address: str, option: str, value: str, said: str
) -> None:
    done = project.run("serve", MODEL, "--store", address, option, value)

    require_one_line(done, 22, said)


def test_a_store_that_is_not_there_is_not_made(project: Project, tmp_path: Path) -> None:
    address = (tmp_path / "none").as_uri()

    done = project.run("serve", MODEL, "--store", address)

    require_one_line(done, 22, f"There is no store at {address}. Correct the address")
    assert not (tmp_path / "none").exists()


def test_a_taken_port_is_named(project: Project, address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = project.run("serve", MODEL, "--store", address, "--port", port)

    require_one_line(done, 7, f"Port {port} on 127.0.0.1 is taken. Choose another")
