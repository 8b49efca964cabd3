# The program with a GPU:
#   docker build -t freeal-harness .
#   docker run --gpus all --user "$(id -u):$(id -g)" -v "$PWD:/work" \
#              freeal-harness run --task mr --data data --student roberta
# Without --gpus all it runs on the CPU. `docker stop` lets replies to requests that are sent arrive.
FROM nvidia/cuda:12.8.1-runtime-ubuntu24.04

RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/freeal-harness
COPY pyproject.toml README.md LICENSE ./
COPY harness harness
COPY plugins plugins
COPY tasks tasks
# Without constraints.txt: torch as pip chooses it here is built for GPUs.
RUN python3 -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir .

# Whoever runs it may write to these.
RUN mkdir --mode=1777 /cache && mkdir --parents --mode=1777 /work
ENV PATH=/opt/venv/bin:$PATH HOME=/cache HF_HOME=/cache/huggingface HARNESS_CACHE=/cache/tasks
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["harness"]
CMD ["doctor"]
