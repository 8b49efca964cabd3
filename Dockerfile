# The program with a GPU:
#   docker build -t freeal-harness .
#   docker run --gpus all --user "$(id -u):$(id -g)" -v "$PWD:/work" \
#              freeal-harness run --task mr --data data --student roberta
# Without --gpus all it runs on the CPU. `docker stop` lets replies to requests that are sent arrive.
FROM python:3.13-slim

WORKDIR /opt/freeal-harness
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY harness harness
COPY plugins plugins
COPY tasks tasks
# Torch's wheel for Linux brings the CUDA libraries of its own; the host needs the driver alone.
RUN pip install --no-cache-dir --constraint constraints.txt .

# Whoever runs it may write to these.
RUN mkdir --mode=1777 /cache && mkdir --parents --mode=1777 /work
ENV HOME=/cache HF_HOME=/cache/huggingface HARNESS_CACHE=/cache/tasks
USER 1000:1000
WORKDIR /work
ENTRYPOINT ["harness"]
CMD ["doctor"]
