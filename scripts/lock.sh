#!/usr/bin/env bash
# Compile requirements/*.lock from pyproject.toml, with hashes and without naming a package index.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  .venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
    --no-emit-index-url --no-annotate --no-header "$@"
}
# The flows image has what every department needs.
compile pyproject.toml --extra lake --extra ml --output-file requirements/base.lock
# Each lock after the first takes its versions from one before it: a version is decided once.
compile pyproject.toml --extra dev --constraint requirements/base.lock \
  --output-file requirements/dev.lock
compile pyproject.toml --extra demo --constraint requirements/dev.lock \
  --output-file requirements/demo.lock
printf 'prefect\nprefect-kubernetes\n' |
  compile - --constraint requirements/base.lock --output-file requirements/platform.lock
printf 'hatchling\neditables\n' |
  compile - --constraint requirements/dev.lock --output-file requirements/build.lock
# A tool of its own environment: DVC holds back what flows use.
printf 'dvc[s3]\n' | compile - --output-file requirements/dvc.lock
# Another: MLflow's server wants an older pyarrow. It reads model files, so what they are made of is
# that of flows.
printf 'mlflow\nskops\n' |
  compile - --constraint <(sed -nE '/^(scikit-learn|skops|numpy|scipy|pandas)==/s/ \\$//p' \
    requirements/base.lock) --output-file requirements/mlflow.lock
echo "uv==$(.venv/bin/uv --version | cut -d' ' -f2)" | compile - --output-file requirements/uv.lock.txt
