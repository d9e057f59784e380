"""Options of the plugin, from LMCache's adapter_params."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..engines.options import (
    MAX_MS,
    OptionsError,
    check_address,
    check_codec,
    check_range,
    check_tenant,
    read_options,
)

__all__ = ["Options", "OptionsError"]

SOURCE = "adapter_params"


@dataclasses.dataclass(frozen=True)
class Options:
    """What users may set; every field is a key of adapter_params. Times are in milliseconds."""

    address: str = ""  # of any shard of the node: "tcp://host:port"
    tenant: str = "default"
    secret_file: str = ""  # with the tenant's secret, where the node has tenants
    sealing_key_file: str = ""  # of the key that objects are encrypted with, the same on all workers; empty: none
    codec: str = ""  # how objects are stored: bf16-lossless, bf16-lossless-fast, fp8-lossless; empty: as they are
    namespace: str = ""  # anything else that must keep objects apart, such as a version of the weights
    lookup_deadline_ms: int = 200  # of each of a lookup's round trips, of which there are at most two
    load_deadline_ms: int = 2000  # of one batch; what has not arrived by then is a miss
    store_deadline_ms: int = 5000
    delete_deadline_ms: int = 2000
    lease_ms: int = 5000  # how long objects that a lookup found stay pinned unless they are loaded earlier

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> "Options":
        """Checked options. OptionsError names the parameter, what was found and what is allowed."""
        options = read_options(cls, parameters, SOURCE, "IncipitConnector")
        check_address(options.address, SOURCE)
        check_tenant(options.tenant)
        check_codec(options.codec)
        check_range(options, 1, MAX_MS, "lookup_deadline_ms", "load_deadline_ms", "store_deadline_ms",
                    "delete_deadline_ms")
        check_range(options, 0, MAX_MS, "lease_ms")
        return options
