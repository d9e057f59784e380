"""The memory of a host pool, pinned once, so that pages travel without a copy."""
from __future__ import annotations

import bisect
from typing import Any

import incipit

# Tensors of pools that do not list theirs. MLA's split layouts keep rows of several widths apart.
_BUFFER_NAMES = ("kv_buffer", "k_buffer", "v_buffer", "index_k_buffer", "index_k_scale_buffer")


class HostMemory:
    """Regions over all tensors of one host pool. Holds the tensors. Immutable, any thread."""

    def __init__(self, host_pool: Any):
        """incipit.IncipitError: a tensor that is not in host memory."""
        self._regions: list[tuple[int, incipit.Region]] = []  # by address
        for tensor in _tensors(host_pool):
            whole = _whole(tensor)
            address = whole.data_ptr()
            if not any(first <= address < first + region.nbytes for first, region in self._regions):
                self._regions.append((address, incipit.Region(whole)))
                self._regions.sort(key=lambda entry: entry[0])

    def __bool__(self) -> bool:
        """Whether the pool has memory at all; those that only count pages have none."""
        return bool(self._regions)

    def piece(self, address: int, length_bytes: int) -> tuple[incipit.Region, int, int]:
        """(region, offset_bytes, length_bytes) of a run of bytes. ValueError: it is not in this pool's memory."""
        index = bisect.bisect_right(self._regions, address, key=lambda entry: entry[0]) - 1
        if index >= 0:
            first, region = self._regions[index]
            if address + length_bytes <= first + region.nbytes:
                return region, address - first, length_bytes
        raise ValueError(f"{length_bytes} bytes at {address:#x} are not in the pool's host memory")


def _tensors(host_pool: Any) -> list[Any]:
    listed = getattr(host_pool, "get_hybrid_pool_buffer", None)
    found = [listed()] if listed is not None else [getattr(host_pool, name, None) for name in _BUFFER_NAMES]
    flat: list[Any] = []
    for item in found:
        flat.extend(item if isinstance(item, (list, tuple)) else [item])
    return [tensor for tensor in flat if tensor is not None and tensor.nbytes > 0]


def _whole(tensor: Any) -> Any:
    """The tensor's whole storage as bytes: views of one storage become one region, whatever their strides."""
    if not hasattr(tensor, "untyped_storage"):
        return tensor
    import torch
    return torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(tensor.untyped_storage())
