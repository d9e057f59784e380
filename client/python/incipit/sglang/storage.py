"""The class that SGLang loads. Its daemon threads call it: nothing here may raise into them, or give them None."""
from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from typing import Any

from ..engines.warnings import Warnings
from . import hits
from .config import Options, OptionsError
from .engine import HiCacheStorage, PoolTransferResult
from .identity import replicated
from .keys import page_keys
from .pool import Pool
from .stats import Recorder

logger = logging.getLogger("sglang.incipit")

KV = "kv"


def _misses_on_error(misses: Callable[..., Any]) -> Callable:
    """Makes a method return misses(*arguments) instead of raising."""
    def decorate(method: Callable) -> Callable:
        @functools.wraps(method)
        def call(self: IncipitHiCacheStorage, *arguments: Any, **named: Any) -> Any:
            try:
                return method(self, *arguments, **named)
            except Exception as error:
                self._recorder.add(errors=1)
                self._warnings.warn(method.__name__, "%s ends as a miss: %s: %s", method.__name__,
                                    type(error).__name__, error)
                return misses(*arguments, **named)
        return call
    return decorate


def _no_pages(keys: Any = (), *_: Any, **__: Any) -> list[bool]:
    return [False] * len(keys)


def _no_transfers(transfers: Any = (), *_: Any, **__: Any) -> dict[str, list[bool]]:
    return {transfer.name: [False] * len(transfer.keys or []) for transfer in transfers}


class IncipitHiCacheStorage(HiCacheStorage):
    """Pages of the engine's host pools in an incipit node. One per rank; any thread may call anything.

    A node that is away, slow or frozen, and errors, are misses. Only attaching raises: __init__ and register_*().
    """

    def __init__(self, storage_config: Any, kwargs: Any = None):
        """storage_config: the engine's HiCacheStorageConfig, whose extra_config has the Options.

        Connects to nothing yet. OptionsError: an option, or parallelism that is not supported.
        """
        self._config = storage_config
        self._options = Options.from_extra_config(storage_config.extra_config)
        if getattr(storage_config, "dcp_size", 1) > 1:
            raise OptionsError("IncipitHiCacheStorage does not support decode context parallelism (--dcp-size)")
        labels = None
        if getattr(storage_config, "enable_storage_metrics", False):
            labels = {"model_name": str(storage_config.model_name), "tp_rank": str(storage_config.tp_rank),
                      "dp_rank": str(getattr(storage_config, "dp_rank", 0)), "pp_rank": str(storage_config.pp_rank)}
        self._recorder = Recorder(labels)
        self._warnings = Warnings(logger)
        # The engine decides by the same key which way it moves pages; the two ways read a page in different orders.
        self._flat = not (storage_config.extra_config or {}).get("interface_v1", 0)
        self._lock = threading.Lock()
        self._pools: dict[str, Pool] = {}  # replaced, never changed: readers need no lock
        self._closed = False
        self.registered_pools: dict[Any, Any] = {}
        if self._flat:
            logger.warning('incipit: set "interface_v1": 1 in --hicache-storage-backend-extra-config, or the engine '
                           "copies every page twice")
        if getattr(storage_config, "should_split_heads", False):
            logger.warning("incipit: tp_lcm_size is ignored: engines of different --tp-size do not share pages")

    # Attaching

    def register_mem_pool_host(self, mem_pool_host: Any) -> None:
        """Takes the KV pool's memory. OptionsError: its layout cannot be used."""
        self.mem_pool_host = mem_pool_host
        self._register(KV, mem_pool_host)

    def register_mem_host_pool_v2(self, host_pool: Any, host_pool_name: Any) -> None:
        """Takes the memory of another pool. OptionsError: its layout cannot be used."""
        self.registered_pools[host_pool_name] = host_pool
        self._register(_name(host_pool_name), host_pool)

    def _register(self, name: str, host_pool: Any) -> None:
        with self._lock:
            known = self._pools.get(name)
            if self._closed or (known is not None and known.host_pool is host_pool):
                return
            anchor = self._pools.get(KV)
            page_tokens = int(host_pool.page_size if anchor is None or name == KV else anchor.host_pool.page_size)
            if (name != KV and self._config.is_mla_model and self._config.tp_size > 1 and "draft" in name
                    and not replicated(self._config, name, host_pool)):
                logger.warning("incipit: pool %s differs by rank, and the engine stores that of rank 0 only: prompts "
                               "that need it are not found with --tp-size over 1", name)
            pool = Pool(self._options, self._config, name, host_pool, page_tokens, self._recorder, self._warnings)
            self._pools = {**self._pools, name: pool}
        if known is not None:
            known.close()

    # Which pages are there

    @_misses_on_error(lambda *_, **__: 0)
    def batch_exists(self, keys: list[str], extra_info: Any = None) -> int:
        """How many of the first pages of the KV pool are there, without a gap."""
        pool = self._pools.get(KV)
        if pool is None:
            return 0
        present, _ = pool.match(page_keys(keys), _ancestors(extra_info), self._flat)
        return hits.leading(present)

    @_misses_on_error(lambda *_, **__: False)
    def exists(self, key: str) -> bool:
        return self.batch_exists([key]) == 1

    @_misses_on_error(lambda *_, **__: PoolTransferResult(0, {}, []))
    def batch_exists_v2(self, keys: list[str], pool_transfers: Any = None, extra_info: Any = None) -> Any:
        """The longest prefix, in pages, that all pools can restore; how far each could; and all lengths that do."""
        pools, transfers = self._pools, list(pool_transfers or [])
        if KV not in pools:
            return PoolTransferResult(0, {}, [])
        packed, ancestors = page_keys(keys), _ancestors(extra_info)
        reach: dict[Any, int] = {}
        if pools[KV].has_memory:
            present, complete = pools[KV].match(packed, ancestors, self._flat)
            length = hits.leading(present)
            if complete:
                reach[KV] = length
        else:
            # The KV pool only counts pages: what can be restored is decided by the others.
            length = len(keys) if transfers else 0
        lengths = list(range(1, length + 1))
        for transfer in transfers:
            if not lengths:
                break
            pool, present, complete = pools.get(_name(transfer.name)), bytes(length), True
            if pool is not None:
                present, complete = pool.match(packed[:length], ancestors)
            of_pool = hits.restorable(_name(transfer.hit_policy), present, max(1, len(transfer.keys or [])))
            if of_pool is None:
                continue
            if complete:
                # Without the node's whole answer nothing is said of the pool: the engine would take it as absence.
                reach[transfer.name] = of_pool[-1] if of_pool else 0
            allowed = set(of_pool)
            lengths = [one for one in lengths if one in allowed]
        return PoolTransferResult(lengths[-1] if lengths else 0, reach, lengths)

    # Pages in the host pools

    @_misses_on_error(_no_pages)
    def batch_get_v1(self, keys: list[str], host_indices: Any, extra_info: Any = None) -> list[bool]:
        """Loads pages of the KV pool in place. host_indices: page_size slots for each key."""
        pool = self._pools.get(KV)
        if pool is None:
            return _no_pages(keys)
        return pool.load(page_keys(keys), host_indices, len(_prefix(extra_info)), pool.deadline_s())

    @_misses_on_error(_no_pages)
    def batch_set_v1(self, keys: list[str], host_indices: Any, extra_info: Any = None) -> list[bool]:
        """Stores pages of the KV pool from where they are; they must not change meanwhile."""
        pool = self._pools.get(KV)
        if pool is None:
            return _no_pages(keys)
        return pool.store(page_keys(keys), host_indices, len(_prefix(extra_info)))

    @_misses_on_error(_no_transfers)
    def batch_get_v2(self, transfers: Any, extra_info: Any = None) -> dict[str, list[bool]]:
        """Loads pages of each transfer's pool in place, all within one deadline."""
        first_page, results, deadline_s = len(_prefix(extra_info)), _no_transfers(transfers), None
        for transfer in transfers:
            pool = self._pools.get(_name(transfer.name))
            if pool is not None:
                deadline_s = pool.deadline_s() if deadline_s is None else deadline_s
                results[transfer.name] = self._load_transfer(pool, transfer, first_page, deadline_s)
        return results

    @_misses_on_error(lambda pool, transfer, *_: [False] * len(transfer.keys or []))
    def _load_transfer(self, pool: Pool, transfer: Any, first_page: int, deadline_s: float) -> list[bool]:
        return pool.load(page_keys(transfer.keys or []), transfer.host_indices, first_page, deadline_s)

    @_misses_on_error(_no_transfers)
    def batch_set_v2(self, transfers: Any, extra_info: Any = None) -> dict[str, list[bool]]:
        """Stores pages of each transfer's pool from where they are."""
        first_page, results = len(_prefix(extra_info)), _no_transfers(transfers)
        for transfer in transfers:
            pool = self._pools.get(_name(transfer.name))
            if pool is not None:
                results[transfer.name] = self._store_transfer(pool, transfer, first_page)
        return results

    @_misses_on_error(lambda pool, transfer, *_: [False] * len(transfer.keys or []))
    def _store_transfer(self, pool: Pool, transfer: Any, first_page: int) -> list[bool]:
        return pool.store(page_keys(transfer.keys or []), transfer.host_indices, first_page)

    # Pages that the engine copied out of the KV pool, or will copy into it

    @_misses_on_error(lambda *_, **__: None)
    def get(self, key: str, target_location: Any = None, target_sizes: Any = None) -> Any:
        """The page, in target_location if that is given; None if it is not there."""
        return self.batch_get([key], None if target_location is None else [target_location])[0]

    @_misses_on_error(lambda keys=(), *_, **__: [None] * len(keys))
    def batch_get(self, keys: list[str], target_locations: Any = None, target_sizes: Any = None) -> list[Any]:
        """For each key its page in the target of the same index, a tensor of one page; None if it is not there."""
        pool = self._pools.get(KV)
        if pool is None:
            return [None] * len(keys)
        if target_locations is None:
            target_locations = [pool.host_pool.get_dummy_flat_data_page() for _ in keys]
        loaded = pool.load_flat(page_keys(keys), target_locations, pool.deadline_s())
        return [target if hit else None for target, hit in zip(target_locations, loaded, strict=True)]

    @_misses_on_error(lambda *_, **__: False)
    def set(self, key: str, value: Any = None, target_location: Any = None, target_sizes: Any = None) -> bool:
        """Stores a page, a contiguous tensor."""
        return self.batch_set([key], [value])

    @_misses_on_error(lambda *_, **__: False)
    def batch_set(self, keys: list[str], values: Any = None, target_locations: Any = None,
                  target_sizes: Any = None) -> bool:
        """Stores pages, contiguous tensors. True if the node has all of them now."""
        pool = self._pools.get(KV)
        return pool is not None and all(pool.store_flat(page_keys(keys), list(values)))

    # The rest

    def clear(self) -> None:
        """NotImplementedError: a node is shared, and one engine does not empty it for all.

        The engine calls this on an operator's request only, and reports the error to them.
        """
        raise NotImplementedError(
            'incipit: an engine cannot clear a shared tier; set another "namespace" in '
            "--hicache-storage-backend-extra-config, or restart the node without its state"
        )

    @_misses_on_error(lambda *_, **__: None)
    def get_stats(self) -> Any:
        """The engine's StorageMetrics since the last call; publishes the counters if metrics are on."""
        return self._recorder.take_metrics()

    def counters(self) -> dict[str, Any]:
        """All of stats.COUNTERS, and under 'clients' those of the client of each pool."""
        clients = {name: pool.counters() for name, pool in self._pools.items()}
        return {**self._recorder.counters(), "clients": clients}

    def close(self) -> None:
        """Waits for calls in progress, which end by their deadlines, and lets go of the memory. May be called again.

        Later calls are misses.
        """
        with self._lock:
            self._closed = True
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            try:
                pool.close()
            except Exception as error:
                logger.warning("incipit: closing pool %s: %s", pool.name, error)
        if pools:
            logger.info("incipit: closed: %s", {name: n for name, n in self._recorder.counters().items() if n})


def _name(name: Any) -> str:
    """The engine's names are strings, or enumerations of strings."""
    return str(getattr(name, "value", name))


def _prefix(extra_info: Any) -> list[str]:
    """Hashes of the pages before the call's: the engine gives them if hicache_storage_pass_prefix_keys is set."""
    return getattr(extra_info, "prefix_keys", None) or []


def _ancestors(extra_info: Any) -> list[bytes]:
    return page_keys(_prefix(extra_info))
