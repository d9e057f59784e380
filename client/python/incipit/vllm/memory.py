"""The engine's cache tensors as memory the tier can read and write."""

import dataclasses

import incipit
import torch

from .config import OptionsError
from .geometry import Geometry, GroupGeometry
from .staging import Chunk


@dataclasses.dataclass(frozen=True)
class LayerMemory:
    """One layer's pages."""

    pages: torch.Tensor  # uint8 [blocks, page_bytes], a view of the engine's tensor
    region: "incipit.Region | None"  # of the storage below; None if it is not host memory
    first_offset_bytes: int  # of page 0 in the region
    stride_bytes: int  # from page to page

    def piece(self, block_id: int) -> tuple:
        return self.region, self.first_offset_bytes + block_id * self.stride_bytes, self.pages.shape[1]


class CacheMemory:
    """All layers we store. Immutable."""

    def __init__(self, geometry: Geometry, kv_caches: dict[str, torch.Tensor], block_count: int):
        self._regions: dict[int, incipit.Region] = {}
        self._storages: list[torch.Tensor] = []  # what the regions describe must stay
        self.layers: list[list[LayerMemory]] = []  # by group, then layer
        self.layer_places: dict[str, tuple[int, int]] = {}  # layer name -> group, index in the group
        self.device = torch.device("cpu")
        for group_index, group in enumerate(geometry.groups):
            memories = []
            for layer_index, layer in enumerate(group.layers):
                if layer.name not in kv_caches:
                    raise OptionsError(f"the engine registered no cache for layer {layer.name!r}")
                tensor = kv_caches[layer.name]
                self.device = tensor.device
                memories.append(self._layer(layer.name, layer.page_bytes, tensor, block_count))
                self.layer_places[layer.name] = group_index, layer_index
            self.layers.append(memories)

    def _layer(self, name: str, page_bytes: int, tensor: torch.Tensor, block_count: int) -> LayerMemory:
        # Attention kernels may see a block as several smaller ones, which then lie one after the other.
        per_block, remainder = divmod(tensor.shape[0], block_count)
        stride_bytes = tensor.stride(0) * tensor.element_size() * per_block
        if remainder or stride_bytes < page_bytes:
            raise OptionsError(
                f"cache of layer {name!r}: shape {tuple(tensor.shape)}, strides {tensor.stride()} do not hold "
                f"{block_count} blocks of {page_bytes} bytes"
            )
        extent = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape[1:], tensor.stride()[1:]))
        if extent * tensor.element_size() > page_bytes:
            raise OptionsError(
                f"cache of layer {name!r}: a block is not one run of bytes in the layout the engine chose; "
                "set VLLM_KV_CACHE_LAYOUT=LBNHC"
            )
        storage = torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(tensor.untyped_storage())
        first_offset_bytes = tensor.storage_offset() * tensor.element_size()
        pages = storage.as_strided((block_count, page_bytes), (stride_bytes, 1), first_offset_bytes)
        return LayerMemory(pages, self._region(storage), first_offset_bytes, stride_bytes)

    def _region(self, storage: torch.Tensor) -> "incipit.Region | None":
        if storage.device.type != "cpu":
            return None
        address = storage.data_ptr()
        if address not in self._regions:
            self._regions[address] = incipit.Region(storage)
            self._storages.append(storage)
        return self._regions[address]

    @property
    def on_host(self) -> bool:
        return self.device.type == "cpu"

    def pieces(self, group: int, block_id: int, layer: int | None = None) -> list[tuple]:
        """Where a block lies, layer by layer; or only one layer of it."""
        layers = self.layers[group] if layer is None else self.layers[group][layer : layer + 1]
        return [memory.piece(block_id) for memory in layers]


def copy_out(
    memory: CacheMemory, group: GroupGeometry, group_index: int, block_ids: list[int], chunk: Chunk, layers: set[int]
) -> None:
    """Copies `layers` of blocks into `chunk`, layer by layer. From a device the copies end with its current stream."""
    ids = torch.tensor(block_ids, dtype=torch.int64)
    if not memory.on_host:
        ids = ids.to(memory.device, non_blocking=True)
    first_byte = 0
    for index, layer in enumerate(group.layers):
        if index in layers:
            rows = chunk.rows(len(block_ids), layer.page_bytes, first_byte)
            pages = memory.layers[group_index][index].pages
            if memory.on_host:
                torch.index_select(pages, 0, ids, out=rows)
            else:
                rows.copy_(pages.index_select(0, ids), non_blocking=True)
        first_byte += len(block_ids) * layer.page_bytes


def copy_in(
    memory: CacheMemory, group: GroupGeometry, group_index: int, block_ids: list[int], chunk: Chunk
) -> None:
    """Copies a chunk filled block by block into blocks, on the device's current stream, which the caller waits for."""
    ids = torch.tensor(block_ids, dtype=torch.int64).to(memory.device)
    rows = chunk.rows(len(block_ids), group.block_bytes).to(memory.device, non_blocking=True)
    first_byte = 0
    for index, layer in enumerate(group.layers):
        pages = memory.layers[group_index][index].pages
        pages.index_copy_(0, ids, rows[:, first_byte : first_byte + layer.page_bytes])
        first_byte += layer.page_bytes
