"""Options that both clients share."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict


class ClientOptions(TypedDict, total=False):
    """Keyword arguments of Client and AsyncClient; NativeClient documents them."""

    tenant: str
    secret_file: str
    namespace_owner: str
    client_name: str
    connect_lazily: bool
    connect_timeout_ms: int
    default_deadline_ms: int
    max_inflight_bytes: int
    prefill_tokens_per_s: float
    busy_retries: int
    sealing_key_file: str
    sealing_key: bytes | None
    codec: str
    codec_threads: int
    replicas: int


def one_address(address: str | Sequence[str]) -> str:
    """The address as text: a list names some nodes of a cluster."""
    return address if isinstance(address, str) else "cluster://" + ",".join(address)


def dtype_name(dtype: object) -> str | None:
    """The name of an element type: of a NumPy dtype or scalar class, a torch dtype, or the name itself."""
    if dtype is None or isinstance(dtype, str):
        return dtype
    name = getattr(dtype, "__name__", None) or getattr(dtype, "name", None) or str(dtype)
    return str(name).removeprefix("torch.")
