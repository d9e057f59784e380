"""Host pools, configuration and transfers shaped as SGLang's, of NumPy arrays; and a node that can come back."""
from __future__ import annotations

import dataclasses
import enum
import hashlib
import subprocess
import time
from typing import Any

import conftest
import numpy as np

from incipit.sglang import IncipitHiCacheStorage

PAGE_TOKENS = 16


class HostTensor(np.ndarray):
    """An array that says where it is, as tensors do."""

    def data_ptr(self):
        return self.ctypes.data


def tensor(shape, dtype) -> HostTensor:
    return np.zeros(shape, dtype).view(HostTensor)


class MlaPool:
    """One row of `width` elements for each token and layer. Slots are tokens; a page is page_size of them."""

    def __init__(self, pages=160, layers=3, width=24, layout="page_first", dtype=np.uint16, page_size=PAGE_TOKENS):
        self.layout, self.dtype, self.page_size = layout, np.dtype(dtype), page_size
        self.layer_num, self.kv_cache_dim, self.size = layers, width, pages * page_size
        shapes = {"page_first": (self.size, layers, 1, width), "layer_first": (layers, self.size, 1, width),
                  "page_first_direct": (pages, layers, page_size, 1, width)}
        self.kv_buffer = tensor(shapes[layout], dtype)

    def get_page_buffer_meta(self, indices):
        first, row = self.kv_buffer.data_ptr(), self.kv_cache_dim * self.dtype.itemsize
        slots = indices.tolist()[:: self.page_size]
        if self.layout != "layer_first":
            addresses = [first + slot * self.layer_num * row for slot in slots]
            return addresses, [self.page_size * self.layer_num * row] * len(addresses)
        addresses = [first + (layer * self.size + slot) * row for slot in slots for layer in range(self.layer_num)]
        return addresses, [self.page_size * row] * len(addresses)

    def page(self, index, buffer=None):
        """A view of page `index` of this pool's buffer, or of one like it."""
        buffer, slot = self.kv_buffer if buffer is None else buffer, index * self.page_size
        if self.layout == "page_first_direct":
            return buffer[index]
        return buffer[(slice(None),) * self.slot_axis + (slice(slot, slot + self.page_size),)]

    @property
    def slot_axis(self):
        return 1 if self.layout == "layer_first" else 0

    def get_dummy_flat_data_page(self):
        return tensor(self.page_size * self.layer_num * self.kv_cache_dim, self.dtype)

    def get_data_page(self, slot):
        return np.ascontiguousarray(self.page(slot // self.page_size)).reshape(-1).view(HostTensor)


class MhaPool(MlaPool):
    """Keys and values in two halves of one tensor: a page is two pieces, or two for each layer."""

    def __init__(self, pages=160, layers=3, heads=2, head_dim=12, layout="page_first", page_size=PAGE_TOKENS):
        super().__init__(pages, layers, heads * head_dim, layout, page_size=page_size)
        self.head_num, self.head_dim = heads, head_dim
        self.kv_buffer = tensor((2, *self.kv_buffer.shape), self.dtype)
        self.k_buffer, self.v_buffer = self.kv_buffer

    def get_hybrid_pool_buffer(self):
        return [self.k_buffer, self.v_buffer]

    def get_page_buffer_meta(self, indices):
        addresses, sizes = super().get_page_buffer_meta(indices)
        half = self.k_buffer.nbytes
        return [one for address in addresses for one in (address, address + half)], [s for s in sizes for _ in "kv"]

    @property
    def slot_axis(self):
        return super().slot_axis + 1


class StatePool:
    """Recurrent states: one slot for each page, its parts in two tensors of different types."""

    def __init__(self, slots=40, layout="page_first"):
        self.layout, self.dtype, self.page_size, self.size = layout, np.dtype(np.float32), 1, slots
        self.temporal_buffer, self.conv_buffer = tensor((slots, 3, 20), np.float32), [tensor((slots, 3, 7), np.uint16)]

    def get_hybrid_pool_buffer(self):
        return [self.temporal_buffer, *self.conv_buffer]

    def get_page_buffer_meta(self, indices):
        if self.layout != "page_first":
            raise ValueError(f"zero-copy requires page_first layout, got {self.layout}")
        parts = self.get_hybrid_pool_buffer()
        places = [(part[slot].ctypes.data, part[slot].nbytes) for slot in indices.tolist() for part in parts]
        return [address for address, _ in places], [size for _, size in places]


class LogicalPool:
    """Counts pages and has no memory."""

    def __init__(self, page_size=PAGE_TOKENS):
        self.layout, self.page_size, self.kv_buffer, self.layer_num = "layer_first", page_size, None, 0

    def get_page_buffer_meta(self, indices):
        return None

    def get_dummy_flat_data_page(self):
        return tensor(0, np.uint8)


class PoolName(str, enum.Enum):
    KV, MAMBA, INDEXER, DRAFT = "kv", "mamba", "indexer", "draft"


class Policy(str, enum.Enum):
    ALL, TRAILING, GROUPS = "all_pages", "trailing_pages", "block_groups"


@dataclasses.dataclass
class Transfer:
    name: Any
    host_indices: Any = None
    keys: list | None = None
    hit_policy: Any = Policy.ALL


@dataclasses.dataclass
class ExtraInfo:
    prefix_keys: list | None = None


@dataclasses.dataclass
class Config:
    """HiCacheStorageConfig with the fields that the backend may read."""

    extra_config: dict
    model_name: str = "test/model"
    is_mla_model: bool = True
    tp_rank: int = 0
    tp_size: int = 1
    pp_rank: int = 0
    pp_size: int = 1
    attn_cp_rank: int = 0
    attn_cp_size: int = 1
    dp_rank: int = 0
    dcp_size: int = 1
    should_split_heads: bool = False
    enable_storage_metrics: bool = False


def backend(address, pool=None, others=(), options=None, **config):
    """An attached backend. others: (name, pool) of further pools."""
    extra = {"backend_name": "incipit", "module_path": "incipit.sglang", "class_name": "IncipitHiCacheStorage",
             "interface_v1": 1, "address": address, **(options or {})}
    storage = IncipitHiCacheStorage(Config(extra, **config), {})
    if pool is not None:
        storage.register_mem_pool_host(pool)
        storage.register_mem_host_pool_v2(pool, PoolName.KV)
    for name, other in others:
        storage.register_mem_host_pool_v2(other, name)
    return storage


def hashes(prompt, count):
    """Chained page hashes as the engine makes them: hex, each covering all before it."""
    digest, chain = str(prompt).encode(), []
    for _ in range(count):
        digest = hashlib.sha256(digest).digest()
        chain.append(digest.hex())
    return chain


def slots(pool, pages):
    """Host indices of whole pages, as the engine gives them."""
    return np.concatenate([np.arange(page * pool.page_size, (page + 1) * pool.page_size) for page in pages])


def fill(array, seed):
    raw = np.random.default_rng(seed).integers(0, 256, array.nbytes, dtype=np.uint8)
    array[...] = raw.view(array.dtype).reshape(array.shape)


class ReturningNode(conftest.Node):
    """A node on one port that can be killed and started again; it comes back empty."""

    def __init__(self, folder):
        super().__init__(folder, shards=1, ram="64MiB")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def start_again(self, folder):
        ready = folder / "ready-again"
        with open(folder / "log-again", "wb") as out:
            self.process = subprocess.Popen(
                [conftest.BINARY, "serve", "--listen", self.address.removeprefix("tcp://"), "--http", "none",
                 "--shards", "1", "--ram", "64MiB", "--no-huge-pages", "--ready-file", ready], stdout=out, stderr=out)
        eventually(lambda: ready.exists() and ready.read_text().endswith("\n"))


def eventually(condition, timeout_s=60):
    """Waits for something that another process or thread does in its own time; fails if it does not."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "did not happen"
        time.sleep(0.02)
