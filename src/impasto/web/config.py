"""Owns the studio's configuration: address, data folder and limits."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from impasto.errors import SettingsError

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8765
LEAST_TOKEN = 8

_MIB = 1 << 20


def default_folder() -> Path:
    """The default data folder: the system's usual place for application data."""
    return platformdirs.user_data_path("impasto", appauthor=False)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, kw_only=True)
class Config:
    """The configuration of a studio.

    Attributes:
        data: the data folder.
        host, port: address to listen on.
        token: that clients must send; None authorizes everyone on this machine.
        hosts: further names to accept in the Host header.
        max_pixels: limit for an uploaded picture and for a result, width × height.
        max_bytes: limit for a request.
        max_queue: jobs that may be queued or running at once.
        workers: painting processes.
        threads: CPU threads of each worker; if None, OMP_NUM_THREADS or its share of the machine.
        attempts: how often a worker may die during a job without progress.
        min_free: bytes that uploads leave free on the disk.
        keep_deleted: seconds during which a deletion can be undone.

    Raises:
        SettingsError: a value is not allowed, or other machines could reach a studio without a token.
    """

    data: Path = field(default_factory=default_folder)
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    token: str | None = None
    hosts: tuple[str, ...] = ()
    max_pixels: int = 50_000_000
    max_bytes: int = 64 * _MIB
    max_queue: int = 100
    workers: int = 1
    threads: int | None = None
    attempts: int = 3
    min_free: int = 256 * _MIB
    keep_deleted: float = 24 * 3600.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("port", 0, 65535),
            ("max_pixels", 1024, 32768**2),
            ("max_queue", 1, 100_000),
            ("workers", 1, 64),
        ):
            if not low <= getattr(self, name) <= high:
                raise SettingsError(name, f"got {getattr(self, name)}; it must be {low} to {high}")
        if self.token is not None and (len(self.token) < LEAST_TOKEN or not self.token.isascii()):
            raise SettingsError("token", f"it must have at least {LEAST_TOKEN} characters, all of them ASCII")
        if self.token is None and not is_loopback(self.host):
            raise SettingsError(
                "host",
                f"{self.host} can be reached from other machines, which requires a token; add --token, or listen "
                f"on {DEFAULT_HOST}",
            )
