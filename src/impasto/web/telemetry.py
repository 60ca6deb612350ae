"""Owns logs and metrics. Both stay on this machine, and neither holds a secret, a path or what a picture is called."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

logger = logging.getLogger("impasto.web")

#: How the text that `Metrics.text` gives is labelled.
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class JSONLines(logging.Formatter):
    """One JSON object a line; JSON's own escapes keep anything in a message from beginning another."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{stamp}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        return json.dumps(line, default=str)


def to_stderr() -> None:
    """Writes the log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONLines())
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def event(name: str, /, level: int = logging.INFO, **facts: Any) -> None:
    """Logs that something happened."""
    logger.log(level, name, extra={"facts": facts})


def exception(error: BaseException) -> None:
    """Logs a mistake of ours: its type and where it was raised. Its words may hold paths and stay out."""
    frames = [f"{Path(one.filename).name}:{one.lineno}" for one in traceback.extract_tb(error.__traceback__)]
    event("mistake", logging.ERROR, error=type(error).__name__, where=frames[-8:])


class _Now(Collector):
    """Numbers that are looked up when they are asked for."""

    def __init__(self, numbers: Callable[[], Mapping[str, float]]) -> None:
        self._numbers = numbers

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The jobs in each state."""
        family = GaugeMetricFamily("impasto_jobs", "Jobs by state.", labels=["state"])
        for state, number in self._numbers().items():
            family.add_metric([state], number)
        yield family


class Metrics:
    """What Prometheus is told.

    Args:
        jobs: gives the number of jobs in each state.
    """

    def __init__(self, jobs: Callable[[], Mapping[str, float]]) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "impasto_requests_total", "Requests answered.", ("method", "route", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "impasto_request_seconds", "Time to the first byte of the answer.", ("route",), registry=self._registry
        )
        self.painted = Histogram(
            "impasto_painting_seconds",
            "Time to paint a picture.",
            buckets=(1, 3, 10, 30, 100, 300, 1000, 3000, 10000),
            registry=self._registry,
        )
        self.deaths = Counter("impasto_worker_deaths_total", "Painting processes that died.", registry=self._registry)
        self._registry.register(_Now(jobs))

    def text(self) -> bytes:
        """All numbers, in Prometheus' text format."""
        return generate_latest(self._registry)
