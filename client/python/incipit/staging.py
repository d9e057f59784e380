"""Blocks in the memory of a GPU: moved through pinned host memory, with torch.

The client moves bytes between sockets and host memory. A CUDA tensor is therefore given a pinned stand-in: a load fills
it and then copies hits to the GPU, a store first copies from it. torch keeps pinned memory for reuse, so that only the
first calls pay for pinning. Copies run on torch's current stream and have ended when load() or store() return.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .errors import BufferMismatch, UnsupportedDevice
from .types import Block, BlockStatus

_DLPACK_CUDA = 2


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        torch = None
    if torch is None or not torch.cuda.is_available():
        raise UnsupportedDevice("staging: expected torch with CUDA for a buffer on a GPU, found "
                                + ("no torch" if torch is None else "torch without a usable CUDA device"))
    return torch


def on_gpu(buffer: object) -> bool:
    """Whether `buffer` is a DLPack tensor in CUDA memory."""
    device = getattr(buffer, "__dlpack_device__", None)
    return device is not None and int(device()[0]) == _DLPACK_CUDA


class StagedBlocks:
    """Blocks whose GPU buffers were replaced by pinned host memory. Use once, on one thread."""

    def __init__(self, blocks: Iterable[tuple[int, int, bytes, Any]], torch: Any = None) -> None:
        """UnsupportedDevice: no torch with CUDA. BufferMismatch: a GPU tensor that is not contiguous."""
        self._torch = torch if torch is not None else _torch()
        self._pairs: list[tuple[int, Any, Any]] = []  # (index, pinned bytes, the tensor's bytes)
        self.blocks: list[tuple[int, int, bytes, Any]] = []
        for index, block in enumerate(blocks):
            if on_gpu(block[3]):
                pinned = self._stand_in(index, block[3])
                block = Block(block[0], block[1], block[2], pinned)
            self.blocks.append(block)

    def _stand_in(self, index: int, buffer: Any) -> Any:
        tensor = buffer if isinstance(buffer, self._torch.Tensor) else self._torch.from_dlpack(buffer)
        if not tensor.is_contiguous():
            raise BufferMismatch(f"staging: block {index}: buffer: expected C-contiguous memory, found a tensor of "
                                 f"shape {tuple(tensor.shape)} with strides of {tuple(tensor.stride())} elements")
        raw = tensor.detach().view(-1).view(self._torch.uint8)
        pinned = self._torch.empty(raw.numel(), dtype=self._torch.uint8, pin_memory=True)
        self._pairs.append((index, pinned, raw))
        return pinned

    def fetch(self) -> None:
        """Copies from the GPU into the stand-ins: before a store."""
        for _, pinned, raw in self._pairs:
            pinned.copy_(raw, non_blocking=True)
        self._wait()

    def deliver(self, status: bytes) -> None:
        """Copies the blocks that were hits to the GPU: after a load, whose status by block is `status`."""
        for index, pinned, raw in self._pairs:
            if status[index] == BlockStatus.OK:
                raw.copy_(pinned, non_blocking=True)
        self._wait()

    def _wait(self) -> None:
        for device in {raw.device for _, _, raw in self._pairs}:
            self._torch.cuda.current_stream(device).synchronize()


def any_on_gpu(blocks: Iterable[tuple[int, int, bytes, Any]]) -> bool:
    """Whether a block's buffer is in CUDA memory."""
    return any(len(block) == 4 and on_gpu(block[3]) for block in blocks)

