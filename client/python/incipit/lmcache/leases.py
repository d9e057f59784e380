"""Leases of lookups: what was found stays on the node until it is loaded, or until the lease lapses.

LMCache tells a plugin neither that it will not load nor that it has: found objects that it takes from elsewhere are
let go as the lease lapses.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable

import incipit

MAX_LEASES = 1024  # held at once; the oldest is given back for a new one


class Lease:
    """One match and those of its keys that have not been loaded."""

    def __init__(self, match: incipit.Match, keys: set[bytes]) -> None:
        self.match = match
        self.keys = keys
        self.lapses_s = time.monotonic() + match.lease_ms / 1000


class Leases:
    """Under the connector's lock."""

    def __init__(self) -> None:
        self._leases: OrderedDict[int, Lease] = OrderedDict()  # oldest first
        self._ids: dict[bytes, list[int]] = {}  # by key, oldest first
        self._next_id = 0

    def __len__(self) -> int:
        return len(self._leases)

    def hold(self, match: incipit.Match, keys: set[bytes]) -> None:
        """Keeps the match's lease until loaded() was called for all `keys`, those that it found."""
        self._drop_lapsed()
        if not match.leased:
            return
        if not keys:
            match.release()
            return
        self._next_id += 1
        self._leases[self._next_id] = Lease(match, keys)
        for key in keys:
            self._ids.setdefault(key, []).append(self._next_id)

    def loaded(self, keys: Iterable[bytes]) -> None:
        """One load of each key has ended."""
        for key in keys:
            ids = self._ids.get(key)
            if not ids:
                continue
            lease_id = ids.pop(0)
            if not ids:
                del self._ids[key]
            lease = self._leases[lease_id]
            lease.keys.discard(key)
            if not lease.keys:
                self._drop(lease_id)

    def _drop_lapsed(self) -> None:
        now_s = time.monotonic()
        while self._leases:
            oldest = next(iter(self._leases))
            if len(self._leases) < MAX_LEASES and self._leases[oldest].lapses_s > now_s:
                return
            self._drop(oldest)

    def _drop(self, lease_id: int) -> None:
        lease = self._leases.pop(lease_id)
        for key in lease.keys:
            ids = self._ids[key]
            ids.remove(lease_id)
            if not ids:
                del self._ids[key]
        lease.match.release()
