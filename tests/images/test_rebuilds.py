"""What an edit rebuilds: an image that is unchanged is neither loaded nor rolled out again."""

import shutil
from pathlib import Path

import pytest

from tests.images.kit import Builder, Image, docker

CODE_LAYER_BYTES = 10_000_000


@pytest.fixture(scope="module")
def edited_flow(builder: Builder, platform: Image, flows: Image, sources: Image) -> list[Image]:
    """Edit a flow and build all three again, after they were built without the edit."""
    before = [platform.id, flows.id, sources.id]
    assert len(set(before)) == len(before)
    again = Builder(builder.context, f"{builder.name}-edited")
    path = builder.context / "flows/dept_project_alpha/ingestion_flow_dept_project_alpha.py"
    text = path.read_text()
    path.write_text(f"{text}\n# edited\n")
    try:
        return [again.platform(), again.flows(), again.sources()]
    finally:
        path.write_text(text)


def test_a_flow_edit_leaves_platform_and_sources_as_they_are(
    edited_flow: list[Image], platform: Image, sources: Image
) -> None:
    assert edited_flow[0].id == platform.id
    assert edited_flow[2].id == sources.id


def test_a_flow_edit_changes_one_small_layer(edited_flow: list[Image], flows: Image) -> None:
    pairs = zip(edited_flow[1].layers, flows.layers, strict=True)

    changed = [position for position, (new, old) in enumerate(pairs) if new != old]

    assert len(changed) == 1
    assert edited_flow[1].layers[-1] == flows.layers[-1]  # WORKDIR, which is empty
    assert changed == [len(flows.layers) - 2]
    sizes = docker("history", "--human=false", "--format={{.Size}} {{.CreatedBy}}", flows.tag)
    newest = next(line for line in sizes.splitlines() if not line.startswith("0 "))
    assert int(newest.split()[0]) < CODE_LAYER_BYTES


@pytest.mark.parametrize(
    "name", ["README.md", "Makefile", "docs/store.md", "tests/project_kit.py", ".dockerignore"]
)
def test_what_is_not_in_an_image_rebuilds_none(
    builder: Builder, platform: Image, flows: Image, name: str
) -> None:
    path = builder.context / name
    text = path.read_text()
    path.write_text(f"{text}\n# edited\n")
    again = Builder(builder.context, f"{builder.name}-unchanged")

    assert (again.platform().id, again.flows().id) == (platform.id, flows.id)

    path.write_text(text)


def test_another_checkout_of_the_same_files_gives_the_same_layers(
    builder: Builder, flows: Image, tmp_path: Path
) -> None:
    # Another machine's times and umask; each of our own layers is made again.
    elsewhere = shutil.copytree(builder.context, tmp_path / "elsewhere", copy_function=shutil.copy)
    for folder in ("src", "flows", "configs", "scripts"):
        for path in (elsewhere / folder).rglob("*"):
            path.chmod(path.stat().st_mode & 0o700)
    (elsewhere / "pyproject.toml").chmod(0o600)

    image = Builder(elsewhere, f"{builder.name}-elsewhere").flows()

    assert image.layers == flows.layers
