"""Counts of what the plugin did. LMCache asks its plugins for none, so they go to the log."""

from __future__ import annotations

import time

from .log import logger

LOG_INTERVAL_S = 60.0

COUNTERS = (
    "lookup_calls", "lookup_objects", "lookup_hits",
    "load_calls", "load_objects", "load_hits", "load_bytes",
    "store_calls", "store_objects", "stored", "store_present", "store_bytes",
    "delete_calls", "delete_objects", "deleted",
    "failed_calls",
)  # fmt: skip


class Stats:
    """Under the connector's lock."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(COUNTERS, 0)
        self._logged = dict(self._counts)
        self._next_log_s = time.monotonic() + LOG_INTERVAL_S

    def add(self, **counts: int) -> None:
        for name, count in counts.items():
            self._counts[name] += count

    def values(self) -> dict[str, int]:
        """A copy, by name."""
        return dict(self._counts)

    def log_if_due(self) -> None:
        if time.monotonic() >= self._next_log_s:
            self.log()

    def log(self) -> None:
        """One line of totals, unless nothing has changed since the last."""
        self._next_log_s = time.monotonic() + LOG_INTERVAL_S
        if self._counts == self._logged:
            return
        self._logged = dict(self._counts)
        logger.info("incipit: %s", ", ".join(f"{name} {count}" for name, count in self._counts.items() if count))
