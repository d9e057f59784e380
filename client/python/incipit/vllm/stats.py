"""Counters of the connector, carried and published by the engine's own statistics."""

import threading
from typing import Any

from vllm.distributed.kv_transfer.kv_connector.v1.metrics import KVConnectorPromMetrics, KVConnectorStats

# Name -> what it counts. All are sums, so that intervals, ranks and both sides add up.
COUNTERS = {
    "match_calls": "Matches asked of the node",
    "match_us": "Time in matches, in microseconds",
    "match_tokens": "Tokens that matches found restorable",
    "match_failures": "Matches that failed or ran out of time",
    "match_not_worth": "Matches left alone because computing is faster",
    "load_calls": "Loads of requests",
    "load_us": "Time in loads, in microseconds",
    "load_bytes": "Bytes loaded and verified",
    "load_blocks": "Blocks loaded and verified",
    "load_failed_blocks": "Blocks that were matched but not loaded; the engine computes them",
    "store_calls": "Stores",
    "store_us": "Time in stores, in microseconds",
    "store_bytes": "Bytes of blocks newly stored",
    "store_blocks": "Blocks newly stored",
    "store_present_blocks": "Blocks that the node already had",
    "store_failed_blocks": "Blocks that the node did not take",
    "store_skipped_blocks": "Blocks left out because the store buffer was full",
    "claims": "Requests whose missing blocks this engine has claimed to compute",
    "wait_calls": "Waits for another engine, a second each at most",
    "wait_us": "Time of these waits, in microseconds",
    "snapshot_us": "Time in which steps copied blocks into the store buffer, in microseconds",
}


class IncipitStats(KVConnectorStats):
    """KVConnectorStats whose data is a dictionary of sums."""

    def reset(self):
        self.data = {}

    def aggregate(self, other: KVConnectorStats) -> KVConnectorStats:
        for name, value in other.data.items():
            self.data[name] = self.data.get(name, 0) + value
        return self

    def reduce(self) -> dict[str, int | float]:
        reduced = dict(self.data)
        for kind in ("match", "load", "store", "wait"):
            calls = reduced.get(f"{kind}_calls", 0)
            if calls:
                reduced[f"{kind}_mean_ms"] = round(reduced.get(f"{kind}_us", 0) / calls / 1000, 3)
        return reduced

    def is_empty(self) -> bool:
        return not any(self.data.values())


class Recorder:
    """Counts from any thread; the engine takes what has gathered once per step."""

    def __init__(self):
        self._lock = threading.Lock()
        self._data: dict[str, int] = {}

    def add(self, **counts: int) -> None:
        with self._lock:
            for name, value in counts.items():
                self._data[name] = self._data.get(name, 0) + int(value)

    def take(self) -> IncipitStats | None:
        with self._lock:
            if not self._data:
                return None
            data, self._data = self._data, {}
        return IncipitStats(data=data)


class IncipitPromMetrics(KVConnectorPromMetrics):
    """One Prometheus counter per entry of COUNTERS."""

    def __init__(self, vllm_config, metric_types, labelnames, per_engine_labelvalues):
        super().__init__(vllm_config, metric_types, labelnames, per_engine_labelvalues)
        self._counters = {
            name: self._counter_cls(
                name=f"vllm:incipit_{name}", documentation=documentation, labelnames=labelnames
            )
            for name, documentation in COUNTERS.items()
        }

    def observe(self, transfer_stats_data: dict[str, Any], engine_idx: int = 0):
        for name, value in transfer_stats_data.items():
            counter = self._counters.get(name)
            if counter is not None and value > 0:
                counter.labels(*self.per_engine_labelvalues[engine_idx]).inc(value)
