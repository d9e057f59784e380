"""What is taken from SGLang: its classes where it is installed, stand-ins of the same shape where it is not."""
from __future__ import annotations

import dataclasses
import types
from typing import Any

try:
    from sglang.srt.mem_cache.hicache_storage import HiCacheStorage, PoolTransferResult
except ModuleNotFoundError as error:
    # An SGLang that is installed and broken must say so; its dynamic loader then refuses the backend.
    if error.name != "sglang":
        raise

    class HiCacheStorage:  # type: ignore[no-redef]
        """Stands for the engine's abstract class."""

        def on_host_pools_registered(self) -> None:
            """All pools are known; there is nothing left to do then."""

    @dataclasses.dataclass
    class PoolTransferResult:  # type: ignore[no-redef]
        """Stands for the engine's class: lengths are in pages."""

        kv_hit_pages: int
        extra_pool_hit_pages: dict[str, int]
        restorable_prefix_pages: list[int] | None = None


def zero_indices(count: int) -> Any:
    """`count` zeros as the engine's host pools take indices: a torch tensor, or an array where torch is missing."""
    try:
        import torch
    except ModuleNotFoundError:
        import numpy
        return numpy.zeros(count, dtype=numpy.int64)
    return torch.zeros(count, dtype=torch.int64)


def storage_metrics(**lists: list) -> Any:
    """The engine's record of transfers since the last call; it must accept new attributes."""
    try:
        from sglang.srt.observability.metrics_collector import StorageMetrics
    except ImportError:
        return types.SimpleNamespace(**lists)
    return StorageMetrics(**lists)


def server_argument(name: str) -> str:
    """One of the arguments that the server was started with, as text; empty where it cannot be known."""
    try:
        from sglang.srt.runtime_context import get_server_args
        return str(getattr(get_server_args(), name))
    except Exception:  # No SGLang, or no server in this process: both mean that there is nothing to ask.
        return ""
