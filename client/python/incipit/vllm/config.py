"""Options of the connector, from kv_connector_extra_config."""

import dataclasses
from collections.abc import Mapping
from typing import Any


class OptionsError(ValueError):
    """The engine's configuration cannot work with this connector. Raised only while the engine starts."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What users may set; every field is a key of kv_connector_extra_config.

    Times are in milliseconds, sizes in bytes.
    """

    address: str = ""  # of any shard of the node: "tcp://host:port"
    tenant: str = "default"
    model_name: str = ""  # instead of the engine's, for engines that name one model differently (local paths)
    namespace: str = ""  # anything else that must keep blocks apart, such as a version of the weights
    deadline_ms: int = 2000  # of one request's load; what has not arrived by then is computed
    match_deadline_ms: int = 200
    match_wait_ms: int = 5  # how long a scheduling step waits for a match before it goes on with other requests
    store_deadline_ms: int = 5000
    lease_ms: int = 30000  # how long matched blocks stay pinned if nobody releases them
    prefill_tokens_per_s: float = 0.0  # of this engine; over 0, loads slower than computing are not started
    min_tokens: int = 256  # shorter matches are computed: not worth a transfer
    layerwise: bool = False  # load and save layer by layer within the step instead of between steps
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
        fields = {field.name: field for field in dataclasses.fields(cls)}
        unknown = sorted(set(extra_config) - set(fields))
        if unknown:
            raise OptionsError(
                f"kv_connector_extra_config has no option {', '.join(map(repr, unknown))}; "
                f"options of IncipitConnector are {', '.join(sorted(fields))}"
            )
        options = cls(**{name: _checked(name, value, fields[name].type) for name, value in extra_config.items()})
        options._check()
        return options

    def _check(self) -> None:
        if not self.address:
            raise OptionsError('kv_connector_extra_config needs "address", such as "tcp://127.0.0.1:9400"')
        if not self.address.startswith("tcp://"):
            raise OptionsError(f'"address" must be "tcp://host:port", not {self.address!r}')
        if not self.tenant:
            raise OptionsError('"tenant" must not be empty')
        positive = ("deadline_ms", "match_deadline_ms", "store_deadline_ms", "lease_ms", "load_threads")
        for name in (*positive, "claim_ms", "wait_ms"):
            if getattr(self, name) < 1:
                raise OptionsError(f'"{name}" must be at least 1, not {getattr(self, name)}')
        non_negative = ("match_wait_ms", "min_tokens", "store_stall_ms", "stop_timeout_ms", "prefill_tokens_per_s")
        for name in non_negative:
            if getattr(self, name) < 0:
                raise OptionsError(f'"{name}" must not be negative, but is {getattr(self, name)}')
        if self.store_buffer_bytes < 1 << 20:
            raise OptionsError(f'"store_buffer_bytes" must be at least 1 MiB, not {self.store_buffer_bytes}')


def _checked(name: str, value: Any, wanted: type) -> Any:
    # bool is an int to Python, and a JSON number without a fraction is an int: neither may pass for the other.
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
        raise OptionsError(f'"{name}" must be {wanted.__name__}, not {type(value).__name__} ({value!r})')
    return value
