"""The object that LMCache's adapter of native plugins drives."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from ..engines.warnings import Warnings
from .batches import Batches
from .calls import Calls
from .config import Options
from .log import logger
from .operation import Completion, Kind, Operation
from .stats import Stats


class IncipitConnector:
    """Keeps LMCache's objects on an incipit node.

    submit_batch_*() start an operation and give its future id, whose end drain_completions() tells. They may be called
    from any thread, never block and never raise: an operation that cannot be started ends as failed. Buffers belong to
    the caller, who must keep them, and not write (set) or read (get) them, until the completion was drained or close()
    has returned. A buffer whose flag is False holds unspecified bytes.

    A node that is dead, slow or refuses costs hits: each call has a deadline. After fork() the object belongs to the
    parent, and everything submitted in the child fails.
    """

    def __init__(self, **adapter_params: Any) -> None:
        """The fields of Options. The node need not be there.

        OptionsError: a parameter. incipit.Refused: the kernel has no io_uring.
        """
        self._options = Options.from_parameters(adapter_params)
        self._lock = threading.Lock()
        self._next_id = 0
        self._completed: list[Completion] = []
        self._draining = False
        self._unusable = ""  # why nothing can be submitted
        self._stats = Stats()
        self._calls = Calls()
        try:
            self._batches: Batches | None = Batches(self._options, self._calls, Warnings(logger), self._stats)
        except Exception:
            self._calls.close()
            raise
        _connectors.add(self)
        logger.info("incipit: objects are kept on %s, tenant %s", self._options.address, self._options.tenant)

    def event_fd(self) -> int:
        """Descriptor that is readable while completions wait. Poll it; neither read nor close it. -1 after close()."""
        return self._calls.fileno()

    def submit_batch_get(self, keys: Sequence[str], memoryviews: Sequence[Any]) -> int:
        """Fills each buffer with its key's object, of exactly the buffer's bytes. Flags: which hold verified bytes."""
        return self._submit(Kind.GET, len(keys), lambda operation: self._batches.get(operation, keys, memoryviews))

    def submit_batch_set(self, keys: Sequence[str], memoryviews: Sequence[Any]) -> int:
        """Stores each buffer's bytes, 1 to 1 GiB, under its key. Flags: which the node has now.

        Of two objects of one key and size the first stays; the second counts as stored.
        """
        return self._submit(Kind.SET, len(keys), lambda operation: self._batches.set(operation, keys, memoryviews))

    def submit_batch_exists(self, keys: Sequence[str]) -> int:
        """Looks the keys up and pins what is found for lease_ms. Flags: which the node has."""
        return self._submit(Kind.EXISTS, len(keys), lambda operation: self._batches.exists(operation, keys))

    def submit_batch_delete(self, keys: Sequence[str]) -> int:
        """Removes the keys' objects. Flags: which are certainly gone, whether or not they were there."""
        return self._submit(Kind.DELETE, len(keys), lambda operation: self._batches.delete(operation, keys))

    def drain_completions(self) -> list[Completion]:
        """Takes what has ended, oldest first: (future id, ok, error, flags by key). Never blocks; also after close().

        ok of get and set: all flags are True. ok of exists and delete: there was no error, or a flag is True all the
        same. error is empty if ok.
        """
        with self._lock:
            self._draining = True
            try:
                self._calls.drain()
            finally:
                self._draining = False
            completed, self._completed = self._completed, []
            self._stats.log_if_due()
        return completed

    def counters(self) -> dict[str, int]:
        """What this object has done since it was made, by the names in stats.py. Also logged once a minute."""
        with self._lock:
            return self._stats.values()

    def close(self) -> None:
        """Ends what is outstanding as failed; no buffer is used after it has returned. May be called again."""
        with self._lock:
            if self._calls.fileno() < 0:
                return
            self._unusable = self._unusable or "the connector is closed"
            self._calls.close()  # the node ends the leases with the session
            self._batches = None  # LMCache may keep this object; the clients need not stay with it
            self._stats.log()

    def _submit(self, kind: Kind, key_count: int, start: Callable[[Operation], None]) -> int:
        with self._lock:
            self._next_id += 1
            operation = Operation(self._next_id, kind, key_count, self._finished)
            if self._unusable:
                operation.fail(self._unusable)
            else:
                try:
                    start(operation)
                except Exception as error:
                    # LMCache's threads do not expect one, and would end.
                    logger.exception("incipit: %s was not started", kind.value)
                    operation.fail(repr(error))
            operation.release()
            return operation.future_id

    def _finished(self, operation: Operation) -> None:
        self._stats.add(failed_calls=bool(operation.error))
        self._completed.append(operation.completion())
        if not self._draining:  # what drains takes this one with it
            self._calls.wake()

    def _forked(self) -> None:
        """In the child, right after fork(): whoever held the lock does not exist here."""
        self._lock = threading.Lock()
        self._draining = False
        self._completed = []
        self._stats = Stats()
        if not self._unusable:
            self._unusable = "the connector was made by the parent of this process"
        self._calls.abandon()


_connectors: "weakref.WeakSet[IncipitConnector]" = weakref.WeakSet()


def _abandon_all() -> None:
    for connector in list(_connectors):
        connector._forked()


os.register_at_fork(after_in_child=_abandon_all)
