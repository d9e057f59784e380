"""LMCache's four batched operations, made of the tier's calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import incipit
from incipit import BlockStatus

from ..engines.warnings import Warnings
from .calls import Calls
from .clients import Clients
from .config import Options
from .directory import Directory
from .keys import object_key, scope_of
from .leases import Leases
from .operation import Operation
from .stats import Stats

STORED = (BlockStatus.OK, BlockStatus.PRESENT, BlockStatus.CONFLICT)  # the node has the object now
GONE = (BlockStatus.OK, BlockStatus.MISS)


class Object(NamedTuple):
    """One key of a batch."""

    index: int  # in the batch
    key: bytes  # the tier's
    buffer: memoryview | None = None

    def block(self) -> tuple:
        # LMCache's batches are in the order of the prompt; the tier evicts what is deeper first.
        return 0, self.index, self.key, self.buffer

    def name(self) -> tuple:
        return 0, self.index, self.key


class Batches:
    """Starts operations; their ends come through Calls. Under the connector's lock."""

    def __init__(self, options: Options, calls: Calls, warnings: Warnings, stats: Stats) -> None:
        self._options = options
        self._calls = calls
        self._warnings = warnings
        self._stats = stats
        self._clients = Clients(options, calls, warnings)
        self._directory = Directory(calls, self._clients.directory, options.lookup_deadline_ms, warnings)
        self.leases = Leases()

    def get(self, operation: Operation, keys: list[str], buffers: list[Any]) -> None:
        self._stats.add(load_calls=1, load_objects=len(keys))
        for size, objects in self._by_size(operation, keys, buffers, writable=True).items():
            blocks = [item.block() for item in objects]
            self._call(operation, size, "load", blocks, partial(self._loaded, operation, objects),
                       self._options.load_deadline_ms)

    def set(self, operation: Operation, keys: list[str], buffers: list[Any]) -> None:
        self._stats.add(store_calls=1, store_objects=len(keys))
        for size, objects in self._by_size(operation, keys, buffers, writable=False).items():
            if self._clients.of_size(size) is not None:
                for scope in {scope_of(keys[item.index]) for item in objects}:
                    operation.hold()  # ends only when other processes can find what was stored
                    self._directory.add(scope, size, operation.release)
            blocks = [item.block() for item in objects]
            self._call(operation, size, "store", blocks, partial(self._stored, operation, objects, size),
                       self._options.store_deadline_ms)

    def exists(self, operation: Operation, keys: list[str]) -> None:
        self._stats.add(lookup_calls=1, lookup_objects=len(keys))

        def match(size: int, objects: list[Object]) -> None:
            self._call(operation, size, "match", [[item.key for item in objects]],
                       partial(self._matched, operation, objects), self._options.lookup_deadline_ms,
                       lease_ms=self._options.lease_ms)

        self._with_sizes(operation, keys, match)

    def delete(self, operation: Operation, keys: list[str]) -> None:
        self._stats.add(delete_calls=1, delete_objects=len(keys))
        left = [0] * len(keys)  # sizes by key under which an object may still be there

        def remove(size: int, objects: list[Object]) -> None:
            for item in objects:
                left[item.index] += 1
            self._call(operation, size, "remove", [item.name() for item in objects],
                       partial(self._removed, operation, objects, left), self._options.delete_deadline_ms)

        # What was not there is gone as well; LMCache would otherwise count its bytes for ever.
        self._with_sizes(operation, keys, remove, found_no_size=True)

    def _by_size(self, operation: Operation, keys: list[str], buffers: list[Any],
                 writable: bool) -> dict[int, list[Object]]:
        if len(keys) != len(buffers):
            raise ValueError(f"{len(keys)} keys, but {len(buffers)} buffers")
        by_size: dict[int, list[Object]] = {}
        for index, (key, buffer) in enumerate(zip(keys, buffers)):
            view = _bytes_of(buffer, writable)
            if view is None:
                operation.fail(f"buffer {index} is not {'writable ' if writable else ''}C-contiguous host memory")
            else:
                by_size.setdefault(view.nbytes, []).append(Object(index, object_key(key), view))
        return by_size

    def _with_sizes(self, operation: Operation, keys: list[str], start: Callable[[int, list[Object]], None],
                    found_no_size: bool = False) -> None:
        """Calls start(size, objects) for each size that objects of the keys' scopes may have.

        found_no_size is the result of keys for which the node answered that it knows no size.
        """
        scopes: dict[str, list[Object]] = {}
        for index, key in enumerate(keys):
            scopes.setdefault(scope_of(key), []).append(Object(index, object_key(key)))
        by_size: dict[int, list[Object]] = {}
        waiting = set(scopes)

        def resolved(scope: str, answered: bool) -> None:
            sizes = self._directory.sizes(scope)
            if not answered:
                self._fail(operation, f"{self._options.address} did not answer in time")
            for size in sizes:
                by_size.setdefault(size, []).extend(scopes[scope])
            if answered and not sizes:
                for item in scopes[scope]:
                    operation.results[item.index] = found_no_size
            waiting.discard(scope)
            if not waiting:  # scopes of one size, such as those of several ranks, are one call
                for size, objects in by_size.items():
                    if self._clients.of_size(size) is not None:
                        start(size, sorted(objects))
            operation.release()

        for scope in scopes:
            operation.hold()
            self._directory.resolve(scope, partial(resolved, scope))

    def _call(self, operation: Operation, size: int, call: str, argument: object, then: Callable[[Any], None],
              deadline_ms: int, **options: Any) -> None:
        """Starts a call that `operation` waits for. What goes wrong fails the operation, and is never raised."""
        operation.hold()

        def ended(result: Any, error: BaseException | None) -> None:
            try:
                if error is not None:
                    self._fail(operation, str(error))
                else:
                    then(result)
            except Exception as mistake:
                self._fail(operation, repr(mistake))
            finally:
                operation.release()

        try:
            client = self._clients.of_size(size)
            if client is None:
                raise incipit.InvalidArgument(f"objects of {size} bytes cannot be kept")
            self._calls.submit(client, call, argument, ended, deadline_ms=deadline_ms, **options)
        except incipit.IncipitError as error:
            self._fail(operation, str(error))
            operation.release()

    def _fail(self, operation: Operation, error: str) -> None:
        operation.fail(error)
        self._warnings.warn(operation.kind.value, "%s: %s", operation.kind.value, error)

    def _loaded(self, operation: Operation, objects: list[Object], result: incipit.LoadResult) -> None:
        for item, status in zip(objects, result.status):
            operation.results[item.index] = status == BlockStatus.OK
        self.leases.loaded(item.key for item in objects)
        self._stats.add(load_hits=result.hits, load_bytes=result.loaded_bytes)
        self._check_answered(operation, result.status)

    def _stored(self, operation: Operation, objects: list[Object], size: int, statuses: bytes) -> None:
        for item, status in zip(objects, statuses):
            operation.results[item.index] = status in STORED
        stored = statuses.count(BlockStatus.OK)
        present = statuses.count(BlockStatus.PRESENT) + statuses.count(BlockStatus.CONFLICT)
        self._stats.add(stored=stored, store_present=present, store_bytes=stored * size)
        self._check_answered(operation, statuses)

    def _matched(self, operation: Operation, objects: list[Object], match: incipit.Match) -> None:
        found = [item for item, presence in zip(objects, match.presence(0)) if presence]
        for item in found:
            operation.results[item.index] = True
        self._stats.add(lookup_hits=len(found))
        self.leases.hold(match, {item.key for item in found})
        if not match.complete:
            self._fail(operation, f"{self._options.address} did not answer in time")

    def _removed(self, operation: Operation, objects: list[Object], left: list[int], statuses: bytes) -> None:
        for item, status in zip(objects, statuses):
            left[item.index] -= status in GONE
            operation.results[item.index] = left[item.index] == 0
        self._stats.add(deleted=statuses.count(BlockStatus.OK))
        self._check_answered(operation, statuses)

    def _check_answered(self, operation: Operation, statuses: Iterable[int]) -> None:
        """Anything but a hit, a miss or a success is worth a warning; the results say which keys."""
        bad = [status for status in statuses if status not in (*STORED, BlockStatus.MISS)]
        if bad:
            name = BlockStatus(bad[0]).name
            self._fail(operation, f"{self._options.address}: {len(bad)} objects failed, the first with {name}")


def _bytes_of(buffer: Any, writable: bool) -> memoryview | None:
    """A view of the buffer's bytes; None if it cannot be used."""
    try:
        view = memoryview(buffer)
    except (TypeError, BufferError):
        return None
    return view if view.c_contiguous and not (writable and view.readonly) else None
