# The images `music-first-stage` and `music-second-stage`: their image.ts lay out the build contexts, and the deployment gives the command.
# The weights are not in it: they are mounted at /models.
#
# faster-whisper takes cuBLAS and cuDNN from the base; torch brings its own. Give a digest for a build that cannot change:
#   docker build --build-arg CUDA_IMAGE=nvcr.io/nvidia/cuda@sha256:… .
ARG CUDA_IMAGE=nvcr.io/nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04
FROM ${CUDA_IMAGE}

RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 python3-pip \
 && rm -rf /var/lib/apt/lists/*

COPY requirements-gpu.lock /opt/music/
RUN python3 -m pip install --no-cache-dir --require-hashes --no-deps --only-binary=:all: \
      --target /opt/music/packages --requirement /opt/music/requirements-gpu.lock

COPY program /opt/music/program

# OpenBLAS would start a thread for each processor. Nothing is asked of a hub of models.
ENV PYTHONPATH=/opt/music/program:/opt/music/packages \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OPENBLAS_NUM_THREADS=1 \
    HF_HUB_OFFLINE=1

# Only the volume is written to, and /tmp.
USER 1000:1000
WORKDIR /opt/music
