#!/usr/bin/env python3
"""Write what `helm/airnub-prefect/values.yaml` says of its values into README.md and the schema.

A comment `# -- text` above a key describes it. `--check` changes nothing and exits 1 if a file is
stale.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[1] / "helm" / "airnub-prefect"
BEGIN = "<!-- The table is generated from values.yaml: scripts/chart_readme.py -->\n"
END = "<!-- End of the table -->\n"
_MARK = "# -- "


@dataclass(frozen=True)
class Value:
    """A described value: its path, its default as one line of YAML, and what it does."""

    path: tuple[str, ...]
    default: str
    description: str


def read_values(text: str) -> Iterator[Value]:
    """List the described values in the file's order.

    Raises:
        TypeError: The text is no mapping.
        ValueError: A value has no description.
    """
    lines = text.splitlines()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise TypeError("values.yaml is not a mapping")
    yield from _walk(root, (), lines)


def _walk(
    node: yaml.MappingNode, parents: tuple[str, ...], lines: Sequence[str]
) -> Iterator[Value]:
    for key, value in node.value:
        path = (*parents, str(key.value))
        description = _comment_above(key.start_mark.line, lines)
        if description is not None:
            yield Value(path, _one_line(value), description)
        elif isinstance(value, yaml.MappingNode) and value.value:
            yield from _walk(value, path, lines)
        else:
            raise ValueError(f"{'.'.join(path)} has no comment `{_MARK}…` above it")


def _comment_above(line: int, lines: Sequence[str]) -> str | None:
    above = lines[line - 1].strip() if line else ""
    return above.removeprefix(_MARK) if above.startswith(_MARK) else None


def _one_line(node: yaml.Node) -> str:
    value = yaml.safe_load(yaml.serialize(node))
    return json.dumps(value, ensure_ascii=False)


def with_table(readme: str, values: Sequence[Value]) -> str:
    """Return the README with the table of these values."""
    rows = [
        f"| `{'.'.join(each.path)}` | `{each.default}` | {each.description} |" for each in values
    ]
    table = "\n".join(["| value | default | what it does |", "| --- | --- | --- |", *rows])
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{table}\n\n{END}{rest.split(END)[1]}"


def with_descriptions(schema: str, values: Sequence[Value]) -> str:
    """Return the schema with the descriptions of these values.

    Raises:
        KeyError: The schema does not know one of them.
    """
    document = json.loads(schema)
    for each in values:
        place: dict[str, Any] = document
        for name in each.path:
            place = place["properties"][name]
        place["description"] = each.description
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check both files; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if stale")
    check = parser.parse_args(arguments).check
    values = tuple(read_values((CHART / "values.yaml").read_text(encoding="utf-8")))
    stale = False
    for name, write in (("README.md", with_table), ("values.schema.json", with_descriptions)):
        path = CHART / name
        before = path.read_text(encoding="utf-8")
        after = write(before, values)
        if before == after:
            continue
        stale = True
        print(f"{path.name} {'is stale: run scripts/chart_readme.py' if check else 'written'}")
        if not check:
            path.write_text(after, encoding="utf-8")
    return int(check and stale)


if __name__ == "__main__":
    sys.exit(main())
