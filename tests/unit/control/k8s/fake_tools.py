"""Programs of others as small scripts: they record what they are asked, and answer by that."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

TOOLS = ("docker", "kind", "kubectl", "helm", "skaffold", "ps")


@dataclass(frozen=True)
class Answer:
    """What a program does when its arguments hold some words."""

    words: str
    script: str


@dataclass
class FakeTools:
    """The only programs on the PATH."""

    folder: Path
    answers: dict[str, list[Answer]] = field(default_factory=dict)

    def install(self, patch: pytest.MonkeyPatch, *without: str) -> None:
        self.folder.mkdir(exist_ok=True)
        patch.setenv("PATH", str(self.folder))
        for tool in TOOLS:
            if tool not in without:
                self.does(tool, "", "")

    def says(self, tool: str, words: str, output: str) -> None:
        """Let a program print something; the latest answer that fits wins."""
        self.does(tool, words, f"printf '%s' {shlex.quote(output)}")

    def gives(self, tool: str, words: str, *items: dict[str, Any]) -> None:
        """Let a program print a list of Kubernetes objects."""
        self.says(tool, words, json.dumps({"items": list(items)}))

    def fails(self, tool: str, words: str, message: str) -> None:
        self.does(tool, words, f"echo {shlex.quote(message)} >&2; exit 1")

    def does(self, tool: str, words: str, script: str) -> None:
        self.answers.setdefault(tool, []).insert(0, Answer(words, script))
        cases = "\n".join(
            f"*{shlex.quote(each.words)}*) {each.script or ':'};; " for each in self.answers[tool]
        )
        # What docker reads is recorded too: it writes files on the node.
        stdin = "/bin/cat >> stdin;" if tool == "docker" else ""
        file = self.folder / tool
        file.write_text(
            "#!/bin/sh\n"
            f"cd {shlex.quote(str(self.folder))}\n"
            f'echo "{tool} $*" >> calls; {stdin}\n'
            f'case "$*" in\n{cases}\nesac\n'
        )
        file.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """What was asked, in order."""
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def stdin(self) -> str:
        """What docker read."""
        return (self.folder / "stdin").read_text()

    def asked(self, *beginnings: str) -> list[str]:
        """Give the calls that begin so."""
        return [call for call in self.calls if call.startswith(beginnings)]

    def forget(self) -> None:
        (self.folder / "calls").unlink(missing_ok=True)
