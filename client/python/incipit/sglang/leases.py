"""Matches that the engine has not loaded yet: as long as they live, their pages stay where they are."""
from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Any

MAX_LEASES = 1024


class Leases:
    """Leases by the last key of their match. Any thread.

    The engine does not say when it drops a match: then the lease ends by itself, on both sides.
    """

    def __init__(self, lease_ms: int):
        self._lease_s = lease_ms / 1000
        self._lock = threading.Lock()
        self._held: OrderedDict[bytes, tuple[float, Any]] = OrderedDict()  # last key -> (expiry, match), oldest first

    def hold(self, last_key: bytes, match: Any) -> None:
        """Keeps `match` until release() names its last key, lease_ms have passed, or there are too many."""
        now_s = time.monotonic()
        with self._lock:
            ended = [self._held.pop(last_key, None)]
            self._held[last_key] = (now_s + self._lease_s, match)
            while len(self._held) > MAX_LEASES or next(iter(self._held.values()))[0] <= now_s:
                ended.append(self._held.popitem(last=False)[1])
        _release(ended)

    def release(self, keys: list[bytes]) -> None:
        """Ends the leases whose last key is one of `keys`: these were loaded."""
        with self._lock:
            ended = [self._held.pop(key) for key in keys if key in self._held]
        _release(ended)

    def close(self) -> None:
        with self._lock:
            ended = list(self._held.values())
            self._held.clear()
        _release(ended)

    def __len__(self) -> int:
        return len(self._held)


def _release(ended: list[tuple[float, Any] | None]) -> None:
    for entry in ended:
        if entry is not None:
            entry[1].release()
