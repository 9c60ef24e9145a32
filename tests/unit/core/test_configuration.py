from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from airnub_prefect_starter.common.errors import ConfigError
from airnub_prefect_starter.common.settings import Settings
from airnub_prefect_starter.core.configuration import (
    ConfigModel,
    YamlDocument,
    load_yaml,
    validate_value,
)


class Limits(ConfigModel):
    timeout_s: int = Field(default=10, ge=1)


class CsvFile(ConfigModel):
    kind: Literal["csv"] = "csv"
    url: str
    limits: Limits = Limits()


class Files(ConfigModel):
    files: tuple[CsvFile, ...]
    by_name: Mapping[str, Limits] = {}
    title: str = ""


Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)

    def write(content: str | bytes) -> Path:
        path = tmp_path / "a.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def _settings(root: Path, **environment: str) -> Settings:
    return Settings(project_root=root, home=root, store_url=root.as_uri(), environment=environment)


def _problem(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_yaml(path, Files)
    return str(caught.value)


def test_reads_values(write: Write) -> None:
    path = write("files:\n  - url: http://a\n    limits: {timeout_s: 3}\n")

    assert load_yaml(path, Files) == Files(
        files=(CsvFile(url="http://a", limits=Limits(timeout_s=3)),)
    )


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "a.yaml:1:1: expected keys and values"),
        ("# only a comment\n", "a.yaml:1:1: expected keys and values"),
        ("- files\n", "a.yaml:1:1: expected keys and values"),
        ("files\n", "a.yaml:1:1: expected keys and values"),
        ("files: [\n", "a.yaml:2:1: not valid YAML"),
        ("files:\n\t- a\n", "a.yaml:2:1: not valid YAML"),
        ("files: []\n---\nfiles: []\n", "a.yaml:2:1: not valid YAML"),
        ("files: []\ntitle: *nowhere\n", "a.yaml:2:8: not valid YAML"),
        ("files: []\nfiles: []\n", "a.yaml:2:1: key 'files' stands here twice"),
        ("files: []\n? [a, b]\n: c\n", "a.yaml:2:3: a key must be one word"),
        ("files: []\ntitle: \x07\n", "a.yaml:2:8: not valid YAML"),
        ("files: []\ntitle: !!python/name:os.system ''\n", "a.yaml:2:8: ''"),
        ("files: []\ntitle: 2013-02-31\n", "a.yaml:2:8: '2013-02-31'"),
        ("files: []\ntitle: !!int abc\n", "a.yaml:2:8: 'abc'"),
        (f"files: []\ntitle: {'9' * 5000}\n", "a.yaml:2:8: '9999"),
        (b"files: []\ntitle: \xff\n", "a.yaml:2:8: byte 0xff is not UTF-8"),
        ("title: " + "[" * 51 + "]" * 51, "a.yaml:1:58: nested too deeply"),
        ("title: " + "[" * 5000 + "]" * 5000, "a.yaml:1:57: nested too deeply"),
        ("title: &a [*a]\n", "a.yaml:1:8: nested too deeply"),
        ("title: &a [*a, *a, *a]\n", "a.yaml:1:8: nested too deeply"),
        (LAUGHS, "more than 20000 values, aliases included"),
        ("file: []\n", "a.yaml:1:1: file: unknown key; did you mean 'files'?"),
        ("title: a\n", "a.yaml:1:1: files: is required and missing"),
        ("files:\n  - kind: csv\n", "a.yaml:2:5: files.0.url: is required and missing"),
        ("files: a\n", "a.yaml:1:8: files: 'a': input should be a valid tuple"),
        (
            "files:\n  - url: a\n    limits:\n      timeout: 3\n",
            "a.yaml:4:16: files.0.limits.timeout: unknown key; did you mean 'timeout_s'?",
        ),
        (
            "files: []\nby_name:\n  x: {timeout_s: 0}\n",
            "a.yaml:3:18: by_name.x.timeout_s: 0: input should be greater than or equal to 1",
        ),
        (
            "files:\n  - url: a\n    kind: json\n",
            "a.yaml:3:11: files.0.kind: 'json': input should be 'csv'",
        ),
    ],
    ids=[
        "empty",
        "comment-only",
        "list-at-top",
        "scalar-at-top",
        "unclosed",
        "tab",
        "two-documents",
        "unknown-alias",
        "duplicate-key",
        "key-that-is-a-list",
        "control-character",
        "python-tag",
        "date-that-is-none",
        "tag-that-does-not-fit",
        "number-too-long",
        "not-utf8",
        "deep",
        "deeper-than-the-stack",
        "alias-of-itself",
        "aliases-of-itself",
        "billion-laughs",
        "unknown-key",
        "missing-key",
        "missing-in-list",
        "wrong-type",
        "unknown-key-below",
        "out-of-range",
        "not-allowed",
    ],
)
def test_every_mistake_has_its_place(write: Write, content: str | bytes, expected: str) -> None:
    assert expected in _problem(write(content))


def test_every_mistake_is_told_at_once(write: Write) -> None:
    lines = _problem(write("title: [1]\nfile: []\n")).splitlines()

    assert [line.split(": ")[1] for line in lines] == ["files", "title", "file"]


class AtLeastOne(ConfigModel):
    files: tuple[CsvFile, ...] = Field(min_length=1)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("files:\n  - address: a\n", ["files.0.url", "files.0.address"]),
        ("files: []\n", ["files"]),
    ],
    ids=["a wrong item", "none"],
)
def test_a_list_is_not_too_short_because_its_items_are_wrong(
    write: Write, content: str, expected: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_yaml(write(content), AtLeastOne)

    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == expected


def test_an_alias_is_a_way_to_say_things_once(write: Write) -> None:
    path = write("files:\n  - {url: a, limits: &l {timeout_s: 3}}\n  - {url: b, limits: *l}\n")

    assert [each.limits.timeout_s for each in load_yaml(path, Files).files] == [3, 3]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "none.yaml: no such file" in _problem(tmp_path / "none.yaml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "cannot be read: Is a directory" in _problem(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_named(write: Write) -> None:
    path = write("files: []\n")
    path.chmod(0)

    assert "cannot be read: Permission denied" in _problem(path)


def test_long_values_are_cut(write: Write) -> None:
    assert len(_problem(write(f"files: {'x' * 1000}\n"))) < 250


def test_resolves_addresses_of_the_environment(tmp_path: Path, write: Write) -> None:
    path = write("files:\n  - url: ${SOURCES_URL}/a.csv\n")

    found = load_yaml(path, Files, settings=_settings(tmp_path, SOURCES_URL="http://h"))

    assert found.files[0].url == "http://h/a.csv"


def test_messages_name_files_from_the_project_root(tmp_path: Path, write: Write) -> None:
    path = write("")

    with pytest.raises(ConfigError, match=r"^a\.yaml:1:1"):
        load_yaml(path, Files, settings=_settings(tmp_path))


def test_places_fall_back_to_what_the_file_has(write: Write) -> None:
    document = YamlDocument(write("a:\n  b: 1\n"))

    assert document.place(("a", "b")).endswith(":2:6")
    assert document.place(("a", "c", 3)).endswith(":1:1")


def test_models_are_closed_and_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Limits().timeout_s = 3  # type: ignore[misc]


def test_values_from_elsewhere_are_checked_alike() -> None:
    with pytest.raises(ConfigError) as caught:
        validate_value({"files": [], "titel": "a"}, Files, "Variable x")

    assert "Variable x: titel: unknown key; did you mean 'title'?" in str(caught.value)
    assert validate_value({"files": []}, Files, "Variable x") == Files(files=())
