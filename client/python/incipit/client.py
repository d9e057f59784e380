"""The blocking client."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ._core import Layout, LoadResult, NativeClient
from .errors import UnsupportedDevice
from .options import dtype_name, one_address
from .staging import StagedBlocks, any_on_gpu

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from .options import ClientOptions


class Client(NativeClient):
    """Matches, loads and stores the KV blocks of one model, on one node or a cluster; calls block, without the GIL.

    A context manager. Any thread may call anything at any time. A node that is dead, slow or refuses costs hits, never
    an error; exceptions mean mistakes of the caller, except that connecting, store() and stats() raise Unavailable.
    Buffers on a GPU are moved through pinned host memory if torch has CUDA.
    """

    def __init__(self, address: str | Sequence[str], model: str, layout: Layout, *, dtype: object = None,
                 **options: Unpack[ClientOptions]) -> None:
        """As NativeClient; dtype may also be a dtype of NumPy or torch.

        address: of a node, "tcp://host:port"; or of a cluster, by some of its nodes: "cluster://host:port,host:port",
        or a list of their addresses.
        """
        super().__init__(one_address(address), model, layout, dtype=dtype_name(dtype), **options)

    def load(self, blocks: Iterable[tuple[int, int, bytes, Any]], **options: Any) -> LoadResult:
        """As NativeClient.load(), and also into CUDA tensors."""
        blocks = blocks if isinstance(blocks, (list, tuple)) else list(blocks)
        try:
            return super().load(blocks, **options)
        except UnsupportedDevice:
            if not any_on_gpu(blocks):
                raise
        staged = StagedBlocks(blocks)
        result = super().load(staged.blocks, **options)
        staged.deliver(result.status)
        return result

    def store(self, blocks: Iterable[tuple[int, int, bytes, Any]], **options: Any) -> bytes:
        """As NativeClient.store(), and also from CUDA tensors."""
        blocks = blocks if isinstance(blocks, (list, tuple)) else list(blocks)
        try:
            return super().store(blocks, **options)
        except UnsupportedDevice:
            if not any_on_gpu(blocks):
                raise
        staged = StagedBlocks(blocks)
        staged.fetch()
        return super().store(staged.blocks, **options)

    def __enter__(self) -> Self:
        """The client."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Closes it."""
        self.close()
