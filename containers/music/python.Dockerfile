# The images `music-back` and `music-pipeline`: their image.ts lay out the build contexts, and the deployment gives the command.
#
# Give a digest for a build that cannot change:
#   docker build --build-arg PYTHON_IMAGE=python@sha256:… .
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
FROM ${PYTHON_IMAGE}

# Kubeflow's two packages come as sources: what builds them is locked too.
COPY requirements-build.lock requirements.lock /opt/music/
RUN python3 -m pip install --no-cache-dir --require-hashes --no-deps --only-binary=:all: --requirement /opt/music/requirements-build.lock \
 && python3 -m pip install --no-cache-dir --require-hashes --no-deps --no-build-isolation \
      --only-binary=:all: --no-binary=kfp,kfp-server-api \
      --target /opt/music/packages --requirement /opt/music/requirements.lock

COPY program /opt/music/program

ENV PYTHONPATH=/opt/music/program:/opt/music/packages \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

# Only the volume is written to, and /tmp.
USER 1000:1000
WORKDIR /opt/music
