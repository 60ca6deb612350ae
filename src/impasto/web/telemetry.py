"""Owns logs and metrics. Both stay on this machine, and neither contains secrets, paths or names of pictures."""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

logger = logging.getLogger("impasto.web")
_BURST, _RECORDS_PER_SECOND = 1000, 100
_LOG_BYTES = 8 << 20

#: Media type of `Metrics.text`.
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class JSONLines(logging.Formatter):
    """One JSON object a line; JSON escapes line breaks, so that no message can forge a line."""

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


class LibraryLines(JSONLines):
    """The same for records of libraries, without their messages, which may contain what a client sent."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        facts = {"library": record.name, "where": f"{Path(record.pathname).name}:{record.lineno}"}
        return super().format(
            logging.makeLogRecord({**vars(record), "msg": "a library warned", "args": (), "facts": facts})
        )


class RateLimit(logging.Filter):
    """Drops records beyond a rate, and counts them in the next one that is kept, so that no flood fills a disk."""

    def __init__(self) -> None:
        super().__init__()
        self._credit, self._then, self._dropped = float(_BURST), time.monotonic(), 0
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is kept."""
        with self._lock:
            now = time.monotonic()
            self._credit = min(_BURST, self._credit + (now - self._then) * _RECORDS_PER_SECOND)
            self._then = now
            if self._credit < 1:
                self._dropped += 1
                return False
            self._credit -= 1
            if self._dropped:
                record.facts = {**getattr(record, "facts", {}), "dropped": self._dropped}
                self._dropped = 0
        return True


def to_stderr() -> None:
    """Write the log to standard error, and there what libraries warn of."""
    _to(lambda: logging.StreamHandler(sys.stderr))


def to_file(path: Path) -> None:
    """Write the log to a file, and the file before it to one beside it, so that both stay small."""
    _to(lambda: logging.handlers.RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8"))


def _to(handler_of: Callable[[], logging.Handler]) -> None:
    limit = RateLimit()
    for of, formatter, level in ((logger, JSONLines(), logging.INFO), (logging.root, LibraryLines(), logging.WARNING)):
        handler = handler_of()
        handler.setFormatter(formatter)
        handler.addFilter(limit)
        of.handlers[:] = [handler]
        of.setLevel(level)
    logger.propagate = False
    logging.captureWarnings(True)


def event(name: str, /, level: int = logging.INFO, **facts: Any) -> None:
    """Log an event."""
    logger.log(level, name, extra={"facts": facts})


def exception(error: BaseException) -> None:
    """Log an unexpected exception: its type and where it was raised, but not its message, which may contain paths."""
    frames = [f"{Path(one.filename).name}:{one.lineno}" for one in traceback.extract_tb(error.__traceback__)]
    event("internal error", logging.ERROR, error=type(error).__name__, where=frames[-8:])


class _Now(Collector):
    """Numbers that are looked up when Prometheus asks."""

    def __init__(self, numbers: Callable[[], Mapping[str, float]]) -> None:
        self._numbers = numbers

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The jobs in each state."""
        family = GaugeMetricFamily("impasto_jobs", "Jobs by state.", labels=["state"])
        for state, number in self._numbers().items():
            family.add_metric([state], number)
        yield family


class Metrics:
    """Metrics for Prometheus.

    Args:
        jobs: returns the number of jobs in each state.
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
        """All metrics, in Prometheus' text format."""
        return generate_latest(self._registry)
