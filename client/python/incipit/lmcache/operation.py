"""One batch that LMCache submitted, until its completion."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

# What LMCache takes from drain_completions(): (future id, ok, error, one flag per key).
Completion = tuple[int, bool, str, list[bool]]


class Kind(Enum):
    GET = "get"
    SET = "set"
    EXISTS = "exists"
    DELETE = "delete"


class Operation:
    """Counts the calls a batch waits for; as the last ends, gives itself to `finished`. Under the connector's lock."""

    def __init__(self, future_id: int, kind: Kind, key_count: int, finished: Callable[[Operation], None]) -> None:
        """Made with one hold, of whoever starts it."""
        self.future_id = future_id
        self.kind = kind
        self.results = [False] * key_count
        self.error = ""
        self._holds = 1
        self._finished = finished

    def hold(self) -> None:
        self._holds += 1

    def release(self) -> None:
        self._holds -= 1
        if self._holds == 0:
            self._finished(self)

    def fail(self, error: str) -> None:
        """Keys without a result stay False. The first error is the one that is told."""
        self.error = self.error or error or "unknown error"

    def completion(self) -> Completion:
        """LMCache reads flags of stores not at all and those of loads always, but of lookups only if ok.

        Its other caller of such objects reads only `ok` of loads: it must mean that every buffer is filled.
        """
        found = sum(self.results)
        if self.kind in (Kind.GET, Kind.SET):
            ok = not self.error and found == len(self.results)
        else:
            ok = not self.error or found > 0
        error = "" if ok else self.error or f"{self.kind.value}: {found} of {len(self.results)} objects"
        return self.future_id, ok, error, self.results
