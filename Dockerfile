# The studio in a container: an ordinary user, a file system that can be read-only, one volume.
#   docker build -t impasto .
#   docker run --read-only --tmpfs /tmp -v impasto:/data -p 127.0.0.1:8765:8765 -e IMPASTO_TOKEN=… impasto

FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
# The build of torch that needs no GPU; take the index away for one that can use it.
RUN python -m venv /opt/impasto \
 && /opt/impasto/bin/pip install --no-cache-dir --constraint constraints.txt \
    --extra-index-url https://download.pytorch.org/whl/cpu '.[web,tiff]'

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data impasto && mkdir /data && chown impasto /data
COPY --from=build /opt/impasto /opt/impasto
USER impasto
ENV PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp
VOLUME /data
EXPOSE 8765
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["/opt/impasto/bin/python", "-c", \
    "import urllib.request; urllib.request.urlopen(urllib.request.Request('http://127.0.0.1:8765/api/health'), timeout=4)"]
# Every address of the container, so a token is needed: -e IMPASTO_TOKEN=…
CMD ["/opt/impasto/bin/impasto", "serve", "--host", "0.0.0.0", "--data", "/data"]
