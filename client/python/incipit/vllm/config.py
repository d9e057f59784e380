"""Options of the connector, from kv_connector_extra_config."""

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

__all__ = ["MAX_MS", "Options", "OptionsError"]

SOURCE = "kv_connector_extra_config"
MAX_LOAD_THREADS = 256
MIN_STORE_BUFFER_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class Options:
    """What users may set; every field is a key of kv_connector_extra_config.

    Times are in milliseconds, sizes in bytes.
    """

    address: str = ""  # of any shard of the node: "tcp://host:port"
    tenant: str = "default"
    secret_file: str = ""  # with the tenant's secret, where the node has tenants
    model_name: str = ""  # instead of the engine's, for engines that name one model differently (local paths)
    namespace: str = ""  # anything else that must keep blocks apart, such as a version of the weights
    sealing_key_file: str = ""  # of the key that blocks are encrypted with, the same on all workers; empty: none
    codec: str = ""  # how blocks are stored: bf16-lossless, bf16-lossless-fast, fp8-lossless; empty: as they are
    deadline_ms: int = 2000  # of one request's load; what has not arrived by then is computed
    match_deadline_ms: int = 200
    match_wait_ms: int = 5  # how long a scheduling step waits for a match before it goes on with other requests
    store_deadline_ms: int = 5000
    lease_ms: int = 30000  # how long matched blocks stay pinned if nobody releases them
    prefill_tokens_per_s: float = 0.0  # of this engine; over 0, loads slower than computing are not started
    min_tokens: int = 256  # shorter matches are computed: not worth a transfer
    # Load and save layer by layer within the step instead of between steps; needs --no-async-scheduling.
    layerwise: bool = False
    load: bool = True
    store: bool = True
    store_generated: bool = True  # also blocks with generated tokens, which the next turn of a chat starts with
    load_threads: int = 4  # loads at once, per worker
    store_buffer_bytes: int = 256 << 20  # host memory for blocks on their way to the node, per worker
    store_stall_ms: int = 100  # how long a step may wait for room in that memory; then blocks are left out
    single_flight: bool = False  # of engines that miss the same prompt one computes it, the others wait and load
    claim_ms: int = 15000  # how long the others wait for an engine of which nothing is heard
    wait_ms: int = 60000  # how long a request waits for another engine before it computes
    stop_timeout_ms: int = 5000  # how long shutdown waits for stores in progress

    @classmethod
    def from_extra_config(cls, extra_config: Mapping[str, Any]) -> "Options":
        """OptionsError names the option and what is allowed."""
        options = read_options(cls, extra_config, SOURCE, "IncipitConnector")
        check_address(options.address, SOURCE)
        check_tenant(options.tenant)
        check_codec(options.codec)
        check_range(options, 1, MAX_MS, "deadline_ms", "match_deadline_ms", "store_deadline_ms", "lease_ms", "claim_ms",
                    "wait_ms")
        check_range(options, 0, MAX_MS, "match_wait_ms", "store_stall_ms", "stop_timeout_ms")
        check_range(options, 1, MAX_LOAD_THREADS, "load_threads")
        check_not_negative(options, "min_tokens", "prefill_tokens_per_s")
        if options.store_buffer_bytes < MIN_STORE_BUFFER_BYTES:
            raise OptionsError(f'"store_buffer_bytes" must be at least 1 MiB, not {options.store_buffer_bytes}')
        return options
