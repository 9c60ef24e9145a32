# Targets: `flows` (the default) runs bootstrap and flow runs; `sources` serves the sample sources.
# Ordered by how often things change: libraries, the package's metadata, the code. Each is put
# together below /layer with one date, so that the same input gives the same layer.
FROM python:3.13-slim AS base
RUN apt-get update -qq \
    && apt-get install --yes -qq --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && groupadd --gid 10001 airnub \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp/home airnub

FROM base AS tools
COPY requirements/uv.lock.txt requirements/build.lock /build/requirements/
# Bytecode of libraries is not compared with its source: importing Prefect is most of what a start
# costs, and nothing there is ever edited.
ENV PYC_INVALIDATION_MODE=UNCHECKED_HASH UV_LINK_MODE=copy UV_CACHE_DIR=/cache
RUN --mount=type=cache,target=/cache \
    python3 -m venv /build/venv \
    && /build/venv/bin/pip install --no-cache-dir --require-hashes -r /build/requirements/uv.lock.txt \
    && /build/venv/bin/uv pip install --python /build/venv/bin/python --require-hashes \
        -r /build/requirements/build.lock \
    && /build/venv/bin/uv venv --python python3 /opt/venv

FROM tools AS libraries
COPY requirements/base.lock /build/requirements/
# Tests of libraries are 150 MB that nothing imports.
RUN --mount=type=cache,target=/cache \
    /build/venv/bin/uv pip sync --python /opt/venv/bin/python --require-hashes \
        --compile-bytecode /build/requirements/base.lock \
    && cd /opt/venv/lib/python3*/site-packages \
    && find matplotlib numpy pandas pyarrow scipy sklearn skops -type d -name tests -prune \
        -exec rm -r {} + \
    && mkdir --parents /layer/opt \
    && mv /opt/venv /layer/opt/venv \
    && chmod -R go-w /layer \
    && find /layer -exec touch --no-dereference --date=@0 {} +

# The command line and the entry points, which refer to the code in /app: it is there once, and the
# files that runs load by path are those that `import flows` finds.
FROM tools AS package
WORKDIR /app
COPY pyproject.toml LICENSE ./
# README.md is only metadata: an edit of it is no reason to build. uv_cache.json holds the time.
RUN touch README.md \
    && /build/venv/bin/hatchling build --target wheel:editable --directory /build \
    && /build/venv/bin/uv pip install --python /opt/venv/bin/python --prefix /layer/opt/venv \
        --no-deps --no-cache /build/*.whl \
    && cd /layer/opt/venv/lib/python3*/site-packages/*.dist-info \
    && rm uv_cache.json \
    && sed -i '/uv_cache.json/d' RECORD \
    && chmod -R go-w /layer \
    && find /layer -exec touch --no-dereference --date=@0 {} +

FROM base AS code
COPY pyproject.toml LICENSE /layer/app/
COPY src /layer/app/src
COPY configs /layer/app/configs
COPY scripts /layer/app/scripts
COPY flows /layer/app/flows
# Compared with its source by content: one file mounted over another must be what runs.
RUN python3 -m compileall -q --invalidation-mode checked-hash -s /layer \
        /layer/app/src /layer/app/flows /layer/app/scripts \
    && chmod -R u=rwX,go=rX /layer \
    && mkdir --parents /sources/app \
    && cp -r /layer/app/src /sources/app/ \
    && find /layer /sources -exec touch --no-dereference --date=@0 {} +

FROM libraries AS samples
COPY requirements/demo.lock /build/requirements/
# Only what is not in base.lock, so that both targets share the layer of libraries.
RUN --mount=type=cache,target=/cache \
    ln -s /layer/opt/venv /opt/venv \
    && /build/venv/bin/uv pip install --python /opt/venv/bin/python --require-hashes --no-deps \
        -r /build/requirements/demo.lock \
    && mkdir /samples \
    && cd /layer \
    && find . -type f -newer opt/venv/pyvenv.cfg -exec cp --parents {} /samples/ \; \
    && find /samples -exec touch --no-dereference --date=@0 {} +

FROM base AS runtime
COPY --from=libraries /layer /
COPY --from=package /layer /
# The root file system is read-only where this runs: all that is written goes below /tmp.
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp/home \
    PREFECT_HOME=/tmp/prefect \
    AIRNUB_PROJECT_ROOT=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DO_NOT_TRACK=1
USER 10001:10001
ENTRYPOINT ["tini", "-g", "--"]
ARG VERSION=dev
LABEL org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.licenses="Apache-2.0"

FROM runtime AS sources
COPY --from=samples /samples /
COPY --from=code /sources /
WORKDIR /app
EXPOSE 8080
CMD ["python", "-m", "airnub_prefect_starter.demo", "--host", "0.0.0.0", "--port", "8080"]
LABEL org.opencontainers.image.title="airnub-sources" \
      org.opencontainers.image.description="Sample sources: for development and tests only"

FROM runtime AS flows
COPY --from=code /layer /
WORKDIR /app
CMD ["airnub", "--help"]
LABEL org.opencontainers.image.title="airnub-flows" \
      org.opencontainers.image.description="Bootstrap and flow runs of every department"
