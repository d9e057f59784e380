"""Options of the backend, from --hicache-storage-backend-extra-config."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..engines.options import (
    MAX_MS,
    OptionsError,
    check_address,
    check_codec,
    check_not_negative,
    check_range,
    check_tenant,
    read_options,
)

__all__ = ["Options", "OptionsError"]

SOURCE = "--hicache-storage-backend-extra-config"
# Keys of the same dictionary that belong to SGLang. It takes some of them out before the backend sees it.
ENGINE_KEYS = frozenset({
    "backend_name", "module_path", "class_name", "interface_v1", "tp_lcm_size", "prefetch_threshold",
    "prefetch_timeout_base", "prefetch_timeout_per_ki_token", "hicache_storage_pass_prefix_keys",
})


@dataclasses.dataclass(frozen=True)
class Options:
    """What users may set. Times are in milliseconds."""

    address: str = ""  # of any shard of the node: "tcp://host:port"
    tenant: str = "default"
    secret_file: str = ""  # with the tenant's secret, where the node has tenants
    sealing_key_file: str = ""  # of the key that pages are encrypted with, the same on all workers; empty: none
    codec: str = ""  # how pages are stored: bf16-lossless, bf16-lossless-fast, fp8-lossless; empty: as they are
    model_name: str = ""  # instead of the engine's, for engines that load one model from different paths
    namespace: str = ""  # anything else that must keep pages apart, such as a version of the weights
    deadline_ms: int = 2000  # of one load: at most 128 pages of each pool; what is late is computed
    match_deadline_ms: int = 200
    store_deadline_ms: int = 5000
    lease_ms: int = 10000  # how long pages that were found stay pinned if the engine does not load them
    prefill_tokens_per_s: float = 0.0  # of this engine; over 0, loads slower than computing are not started

    @classmethod
    def from_extra_config(cls, extra_config: Mapping[str, Any] | None) -> Options:
        """OptionsError names the option and what is allowed."""
        options = read_options(cls, extra_config or {}, SOURCE, "IncipitHiCacheStorage", ENGINE_KEYS)
        check_address(options.address, SOURCE)
        check_tenant(options.tenant)
        check_codec(options.codec)
        check_range(options, 1, MAX_MS, "deadline_ms", "match_deadline_ms", "store_deadline_ms")
        check_range(options, 0, MAX_MS, "lease_ms")
        check_not_negative(options, "prefill_tokens_per_s")
        return options
