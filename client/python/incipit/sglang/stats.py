"""Counters of the backend: for get_stats(), for Prometheus beside the engine's own, and for reading in process."""
from __future__ import annotations

import threading
from typing import Any

from .engine import storage_metrics

# Name -> what it counts. All are sums, so that ranks and pools add up.
COUNTERS = {
    "match_calls": "Questions for pages, of one pool each",
    "match_us": "Time in these, in microseconds",
    "match_pages": "Pages asked for",
    "match_hit_pages": "Pages found",
    "match_failures": "Questions without a complete answer in time",
    "match_not_worth": "Matches left alone because computing is faster",
    "load_calls": "Loads, of one pool each",
    "load_us": "Time in loads, in microseconds",
    "load_bytes": "Bytes loaded and verified",
    "load_pages": "Pages loaded and verified",
    "load_failed_pages": "Pages that were asked for but not loaded; the engine computes them",
    "store_calls": "Stores, of one pool each",
    "store_us": "Time in stores, in microseconds",
    "store_bytes": "Bytes of pages newly stored",
    "store_pages": "Pages newly stored",
    "store_present_pages": "Pages that the node already had",
    "store_failed_pages": "Pages that the node did not take",
    "errors": "Calls that ended as misses because of an error in the backend",
}
MAX_SAMPLES = 4096  # transfers between two calls of get_stats(); it is not called unless metrics are on

_prometheus: dict[str, Any] = {}  # the process has one registry, an engine may attach backends one after another


class Recorder:
    """Counts from any thread."""

    def __init__(self, prometheus_labels: dict[str, str] | None = None):
        """prometheus_labels: of this backend's counters; None = do not publish them."""
        self._lock = threading.Lock()
        self._data = dict.fromkeys(COUNTERS, 0)
        self._published: dict[str, int] = {}
        self._labels = prometheus_labels
        self._samples: dict[str, list] = _no_samples()

    def add(self, **counts: int) -> None:
        with self._lock:
            for name, value in counts.items():
                self._data[name] += int(value)

    def sample(self, direction: str, pages: int, nbytes: int, duration_s: float) -> None:
        """One transfer of the KV pool for the engine's histograms; direction: 'prefetch' or 'backup'."""
        with self._lock:
            sizes, speeds = self._samples[f"{direction}_pgs"], self._samples[f"{direction}_bandwidth"]
            if len(sizes) < MAX_SAMPLES:
                sizes.append(pages)
                speeds.append(nbytes / max(duration_s, 1e-9) / (1 << 30))

    def counters(self) -> dict[str, int]:
        """All of COUNTERS since the backend was made."""
        with self._lock:
            return dict(self._data)

    def take_metrics(self) -> Any:
        """The engine's StorageMetrics of the transfers since the last call: pages, and GiB per second."""
        with self._lock:
            samples, self._samples = self._samples, _no_samples()
        if self._labels is not None:
            self._publish()
        return storage_metrics(**samples)

    def _publish(self) -> None:
        counters = self.counters()
        for name, value in counters.items():
            grown = value - self._published.get(name, 0)
            if grown > 0:
                counter = _prometheus_counter(name, tuple(self._labels))
                if counter is None:
                    self._labels = None
                    return
                counter.labels(**self._labels).inc(grown)
        self._published = counters


def _no_samples() -> dict[str, list]:
    return {"prefetch_pgs": [], "backup_pgs": [], "prefetch_bandwidth": [], "backup_bandwidth": []}


def _prometheus_counter(name: str, label_names: tuple[str, ...]) -> Any:
    if name not in _prometheus:
        try:
            # Not before now: the engine must have said where its processes gather their metrics.
            import prometheus_client
        except ModuleNotFoundError:
            return None
        _prometheus[name] = prometheus_client.Counter(f"sglang:incipit_{name}", COUNTERS[name], label_names)
    return _prometheus[name]
