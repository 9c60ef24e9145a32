"""What the tests of the images ask the container engine."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BUILD_TIMEOUT_S = 1200

# What Kubernetes gives a container of ours: nothing but /tmp can be written.
CONFINED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")


def docker(*arguments: str, timeout: float = 120) -> str:
    """Run a command of the engine and return its output, both streams of it if it fails."""
    done = subprocess.run(
        ["docker", *arguments],
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def why_no_engine() -> str | None:
    """Tell why there is no container engine to ask; None if there is one."""
    if shutil.which("docker") is None:
        return "docker is not on PATH"
    asked = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return asked.stderr.strip() or None if asked.returncode else None


@dataclass(frozen=True)
class Image:
    """One of our images."""

    tag: str

    @property
    def id(self) -> str:
        return str(self._inspected["Id"])

    @property
    def size_bytes(self) -> int:
        return int(self._inspected["Size"])

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = self._inspected["Config"]
        return config

    @property
    def layers(self) -> list[str]:
        return list(self._inspected["RootFS"]["Layers"])

    @property
    def environment(self) -> dict[str, str]:
        return dict(entry.split("=", 1) for entry in self.config["Env"])

    def history(self) -> str:
        return docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", self.tag)

    def run(self, *command: str) -> str:
        """Run a command as a pod does, and return what it prints."""
        return docker("run", "--rm", *CONFINED, self.tag, *command)

    def python(self, code: str) -> str:
        return self.run("python", "-c", code)

    def find(self, expression: str) -> list[str]:
        """Find files of the image's own file system, but for those that its user cannot see."""
        return self.run("sh", "-c", f"find / -xdev {expression} 2>/dev/null; true").splitlines()

    @contextmanager
    def running(self, *command: str, options: tuple[str, ...] = ()) -> Iterator[str]:
        """Start a container, yield its id and remove it."""
        container = docker("run", "--detach", *CONFINED, *options, self.tag, *command)
        try:
            yield container
        finally:
            docker("rm", "--force", "--volumes", container)

    @property
    def _inspected(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(docker("image", "inspect", self.tag))[0]
        return found


@dataclass(frozen=True)
class Builder:
    """Builds the images from a folder, under tags of its own."""

    context: Path
    name: str

    def platform(self) -> Image:
        return self._build("platform", "--file", str(self.context / "Dockerfile.platform"))

    def flows(self) -> Image:
        return self._build("flows")

    def sources(self) -> Image:
        return self._build("sources", "--target=sources")

    def _build(self, component: str, *options: str) -> Image:
        tag = f"{self.name}-{component}"
        docker(
            "build", "--quiet", *options, f"--tag={tag}", str(self.context), timeout=BUILD_TIMEOUT_S
        )
        return Image(tag)


def copy_checkout(target: Path) -> Path:
    """Copy the files that Git knows or would add, as a new clone would have them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy)
    return target
