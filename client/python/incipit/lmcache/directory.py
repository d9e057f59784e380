"""Which sizes the objects of a scope have, kept on the node itself.

LMCache looks objects up by key alone, but the size is part of their identity. A process that has stored objects knows
it; one that has just started, or only reads, finds it here. Each scope has MAX_SIZES slots, small blocks of their own,
filled in order by whoever stores a size first; of two that race the tier keeps the first. Like any block a slot may be
evicted: any process that knows the size fills it again, and until then those that do not know it find nothing.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

import incipit
from incipit import BlockStatus

from ..engines.warnings import Warnings
from .calls import Calls
from .keys import size_key
from .layouts import RECORD_BYTES
from .log import logger

MAX_SIZES = 8  # of one scope
MAX_SCOPES = 1024  # remembered in this process
REFRESH_INTERVAL_S = 10.0  # others' new sizes become known, evicted slots are filled again
RETRY_INTERVAL_S = 1.0  # after a node did not answer, or another process took the slot

MAGIC = b"incipit1"
WRITTEN = (BlockStatus.OK, BlockStatus.PRESENT)  # a slot with these very bytes


class Scope:
    """What is known of one scope."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stored: set[int] = set()  # sizes in bytes, stored by this process
        self.listed: set[int] = set()  # sizes that the directory has, or had
        self.tried: set[int] = set()  # sizes that the last refresh meant to write
        self.refresh_at_s = 0.0
        self.busy = False
        self.readers: list[Callable[[bool], None]] = []  # wait until the slots were read
        self.writers: list[Callable[[], None]] = []  # wait until the slots were written


class Directory:
    """Under the connector's lock; callbacks come from drain(), under it too, and must not raise."""

    def __init__(self, calls: Calls, client: incipit.NativeClient, deadline_ms: int, warnings: Warnings) -> None:
        self._calls = calls
        self._client = client
        self._deadline_ms = deadline_ms
        self._warnings = warnings
        self._scopes: OrderedDict[str, Scope] = OrderedDict()

    def sizes(self, name: str) -> set[int]:
        """Known sizes of the scope's objects, in bytes."""
        scope = self._scope(name)
        return scope.stored | scope.listed

    def add(self, name: str, object_bytes: int, then: Callable[[], None]) -> None:
        """An object of this size is being stored. Calls `then` once others can know, or cannot be told for now."""
        scope = self._scope(name)
        if object_bytes not in scope.stored:
            scope.stored.add(object_bytes)
            scope.refresh_at_s = 0.0
        self._refresh_if_due(scope)
        if scope.busy and object_bytes not in scope.listed:
            scope.writers.append(then)
        else:
            then()

    def resolve(self, name: str, then: Callable[[bool], None]) -> None:
        """Calls `then`, at once if a size is known, otherwise after asking the node. False: it did not answer."""
        scope = self._scope(name)
        if scope.stored or scope.listed:
            self._refresh_if_due(scope)
            then(True)
            return
        scope.readers.append(then)
        if not scope.busy:  # else it reads, since what it writes would be known
            self._refresh(scope)

    def _scope(self, name: str) -> Scope:
        scope = self._scopes.get(name)
        if scope is None:
            scope = self._scopes[name] = Scope(name)
            if len(self._scopes) > MAX_SCOPES:
                self._scopes.popitem(last=False)
        self._scopes.move_to_end(name)
        return scope

    def _refresh_if_due(self, scope: Scope) -> None:
        if not scope.busy and time.monotonic() >= scope.refresh_at_s:
            self._refresh(scope)

    def _refresh(self, scope: Scope) -> None:
        scope.busy = True
        slots = [bytearray(RECORD_BYTES) for _ in range(MAX_SIZES)]
        blocks = [(0, i, size_key(scope.name, i), slot) for i, slot in enumerate(slots)]
        try:
            self._calls.submit(
                self._client, "load", blocks, lambda result, _: self._read(scope, slots, result),
                deadline_ms=self._deadline_ms,
            )
        except incipit.IncipitError as error:
            logger.debug("sizes of %s: %s", scope.name, error)
            self._read(scope, slots, None)

    def _read(self, scope: Scope, slots: list[bytearray], result: incipit.LoadResult | None) -> None:
        status = bytes([BlockStatus.EXPIRED]) * MAX_SIZES if result is None else result.status
        found = {_parse(slot) for slot, state in zip(slots, status) if state == BlockStatus.OK} - {0}
        answered = all(state in (BlockStatus.OK, BlockStatus.MISS) for state in status)
        scope.listed |= found
        readers, scope.readers = scope.readers, []
        for then in readers:
            then(answered or bool(found))
        if answered:
            self._write(scope, found, [i for i, state in enumerate(status) if state == BlockStatus.MISS])
        else:
            self._finish(scope, False)

    def _write(self, scope: Scope, found: set[int], free: list[int]) -> None:
        missing = sorted((scope.stored | scope.listed) - found)
        scope.tried = set(missing)
        if len(missing) > len(free):
            self._warnings.warn(
                "directory", "%s has objects of over %d sizes; only who stored the others finds them",
                scope.name, MAX_SIZES,
            )
        entries = list(zip(missing, free))
        if not entries:
            self._finish(scope, True)
            return
        blocks = [(0, i, size_key(scope.name, i), _record(size)) for size, i in entries]
        try:
            # Not offered first: an offer would call a slot present whatever it holds.
            self._calls.submit(
                self._client, "store", blocks, lambda status, _: self._written(scope, entries, status),
                deadline_ms=self._deadline_ms, offer_first=False,
            )
        except incipit.IncipitError as error:
            logger.debug("sizes of %s: %s", scope.name, error)
            self._finish(scope, False)

    def _written(self, scope: Scope, entries: list[tuple[int, int]], status: bytes | None) -> None:
        written = {size for (size, _), state in zip(entries, status or b"") if state in WRITTEN}
        scope.listed |= written
        self._finish(scope, len(written) == len(entries))

    def _finish(self, scope: Scope, done: bool) -> None:
        if done and scope.stored - scope.listed - scope.tried:
            self._refresh(scope)  # for sizes that were added while it wrote
            return
        scope.busy = False
        scope.refresh_at_s = time.monotonic() + (REFRESH_INTERVAL_S if done else RETRY_INTERVAL_S)
        writers, scope.writers = scope.writers, []
        for then in writers:
            then()


def _record(object_bytes: int) -> bytes:
    return MAGIC + object_bytes.to_bytes(RECORD_BYTES - len(MAGIC), "little")


def _parse(record: bytearray) -> int:
    """The size in bytes; 0 if the record is of another version."""
    return int.from_bytes(record[len(MAGIC):], "little") if record[: len(MAGIC)] == MAGIC else 0
