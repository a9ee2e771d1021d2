# syntax=docker/dockerfile:1
# The course as an image, for a laptop, a hub and .devcontainer/:
#   docker build --tag vit-course .
#   docker build --tag vit-course --build-arg REQUIREMENTS=requirements-gpu.txt .
#   docker run --rm --publish 127.0.0.1:8888:8888 vit-course
# With an NVIDIA GPU: docker run --gpus all ...
FROM python:3.12-slim-bookworm
ARG REQUIREMENTS=requirements.txt
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --home-dir /student --uid 1000 student
WORKDIR /course
COPY requirements*.txt constraints.txt ./
RUN pip install --no-cache-dir -r $REQUIREMENTS jupyterlab -c constraints.txt
# A folder each: what is made in a clone, and .venv, stay out.
COPY CITATION.cff LICENSE LICENSE-TEXT Makefile README.md _config.yml conftest.py \
    jupytext.toml pyproject.toml ./
COPY benchmarks benchmarks
COPY book book
COPY experiments experiments
COPY notebooks notebooks
COPY results results
COPY teaching teaching
COPY tests tests
COPY vitlib vitlib
RUN pip install --no-cache-dir --no-deps --editable .
USER student
# To work on; the course itself is read only, and is found from anywhere.
RUN cp --recursive notebooks /student/
WORKDIR /student
EXPOSE 8888
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--no-browser"]
