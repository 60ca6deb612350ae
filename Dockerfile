# The studio in a container: an ordinary user, a file system that can be read-only, one volume.
#   docker build -t impasto .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --memory 8g --pids-limit 512 \
#     -v impasto:/data -p 127.0.0.1:8765:8765 -e IMPASTO_TOKEN=… impasto
#
# A tag can be moved. To build on exactly the base that you have checked, name its digest:
#   docker build --build-arg BASE=python:3.13-slim@sha256:… -t impasto .
# Packages are taken only if their files have the hashes in deploy/requirements*.txt, which tools/make_requirements.py
# writes. These include torch for CUDA, which is several GB. Without a GPU, PyTorch's own index has a build of 200 MB; say
# which file you want by its SHA-256, as the index shows it for cp313 and x86_64:
#   docker build --build-arg TORCH_CPU_SHA256=… -t impasto .

ARG BASE=python:3.13-slim

# hadolint ignore=DL3006
FROM ${BASE} AS build
ARG TORCH_CPU_SHA256=
WORKDIR /source
COPY deploy/requirements.txt deploy/requirements-torch.txt deploy/requirements-build.txt deploy/
# Every package is listed, so none is chosen here: --no-deps.
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --no-deps --require-hashes -r deploy/requirements-build.txt \
 && python -m venv /opt/impasto \
 && /opt/impasto/bin/pip install --no-cache-dir --no-deps --require-hashes -r deploy/requirements.txt \
 && if [ -n "$TORCH_CPU_SHA256" ]; then \
      version="$(sed -n 's/^torch==\([0-9.]*\).*/\1/p' deploy/requirements-torch.txt)" \
      && echo "torch==$version+cpu --hash=sha256:$TORCH_CPU_SHA256" > torch-cpu.txt \
      && /opt/impasto/bin/pip install --no-cache-dir --no-deps --require-hashes \
           --index-url https://download.pytorch.org/whl/cpu -r torch-cpu.txt; \
    else \
      /opt/impasto/bin/pip install --no-cache-dir --no-deps --require-hashes -r deploy/requirements-torch.txt; \
    fi
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --no-index --wheel-dir wheels . \
 && /opt/impasto/bin/pip install --no-cache-dir --no-deps --no-index wheels/*.whl \
 && /opt/impasto/bin/pip check

# hadolint ignore=DL3006
FROM ${BASE}
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin impasto \
 && mkdir --mode 700 /data \
 && chown impasto /data
COPY --from=build /opt/impasto /opt/impasto
USER 10001
ENV PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp
VOLUME /data
EXPOSE 8765
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["/opt/impasto/bin/python", "-c", \
    "import urllib.request; urllib.request.urlopen(urllib.request.Request('http://127.0.0.1:8765/api/health'), timeout=4)"]
# Every address of the container, so a token is needed: -e IMPASTO_TOKEN=…
CMD ["/opt/impasto/bin/impasto", "serve", "--host", "0.0.0.0", "--data", "/data"]
