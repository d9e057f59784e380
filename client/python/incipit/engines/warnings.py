"""Warnings of plugins in an engine's log."""
from __future__ import annotations

import logging
import threading
import time

WARN_INTERVAL_S = 10.0


class Warnings:
    """At most one warning of a kind in WARN_INTERVAL_S: a node that is away must not fill the log. Any thread."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._lock = threading.Lock()
        self._next_s: dict[str, float] = {}

    def warn(self, kind: str, message: str, *arguments: object) -> None:
        now_s = time.monotonic()
        with self._lock:
            if now_s < self._next_s.get(kind, 0.0):
                return
            self._next_s[kind] = now_s + WARN_INTERVAL_S
        self._logger.warning("incipit: " + message, *arguments)
