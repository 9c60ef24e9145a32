#!/usr/bin/env bash
# Compile requirements/*.lock from pyproject.toml, with hashes and without naming a package index.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  .venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
    --no-emit-index-url --no-annotate --no-header "$@"
}
compile pyproject.toml --output-file requirements/base.lock
compile pyproject.toml --extra dev --output-file requirements/dev.lock
echo "uv==$(.venv/bin/uv --version | cut -d' ' -f2)" | compile - --output-file requirements/uv.lock.txt
