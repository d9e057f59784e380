"""The name under which the tier keeps a pool's pages: everything that changes their bytes, or their order, is in it.

Two ranks share pages exactly if their names are equal; a difference that was not foreseen must end in a miss.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engines.names import digest_name
from .config import Options, OptionsError
from .engine import server_argument

# Of a model whose ranks hold the same KV cache, the pools whose pages are the same on each rank too. Others, such as
# the recurrent state, are cut by heads.
_REPLICATED_POOLS = ("kv", "swa", "indexer", "draft_indexer")
_REPLICATED_PREFIX = "deepseek_v4_"
# Draft models have a KV cache of their own kind.
_DRAFT_POOLS = ("draft", "draft_swa")
_REPLICATED_CLASSES = ("MLATokenToKVPoolHost", "DeepSeekV4PagedHostPool")

_GEOMETRY = ("layer_num", "start_layer", "end_layer", "head_num", "head_dim", "v_head_dim", "kv_lora_rank",
             "qk_rope_head_dim", "kv_cache_dim", "item_bytes", "state_page_bytes", "storage_format_tag")


def replicated(storage_config: Any, pool_name: str, host_pool: Any) -> bool:
    """Whether all ranks of a tensor-parallel group hold the same pages in this pool, and one stores them for all."""
    if not storage_config.is_mla_model:
        return False
    if pool_name in _DRAFT_POOLS:
        return any(base.__name__ in _REPLICATED_CLASSES for base in type(host_pool).__mro__)
    return pool_name in _REPLICATED_POOLS or pool_name.startswith(_REPLICATED_PREFIX)


def pool_model(options: Options, storage_config: Any, pool_name: str, host_pool: Any, page_tokens: int,
               piece_bytes: Sequence[int], byte_order: str) -> str:
    """A readable name and a digest, at most MAX_NAME_BYTES of printable ASCII.

    piece_bytes: of the pieces of one page, in order. byte_order: which of the engine's two ways of reading a page.
    OptionsError: the model has no name.
    """
    name = options.model_name or storage_config.model_name
    if not name:
        raise OptionsError('the engine names no model; set "model_name" in --hicache-storage-backend-extra-config')
    identity = {
        "model": name,
        # The engine gives the name under which it serves, and that may be anything.
        "path": "" if options.model_name else server_argument("model_path"),
        "revision": server_argument("revision"),
        "quantization": server_argument("quantization"),
        "namespace": options.namespace,
        "pool": pool_name,
        "page_tokens": page_tokens,
        "layout": str(getattr(host_pool, "layout", "")),
        "dtype": _dtype(host_pool),
        "piece_bytes": list(piece_bytes),
        "byte_order": byte_order,
        "pipeline": [storage_config.pp_rank, storage_config.pp_size],
        "context": [storage_config.attn_cp_rank, storage_config.attn_cp_size],
        "tensor": None,
        "geometry": {key: str(getattr(host_pool, key)) for key in _GEOMETRY if hasattr(host_pool, key)},
    }
    if not replicated(storage_config, pool_name, host_pool):
        identity["tensor"] = [storage_config.tp_rank, storage_config.tp_size]
    return digest_name(name, identity)


def _dtype(host_pool: Any) -> str:
    name = str(getattr(host_pool, "dtype", "")).removeprefix("torch.")
    # The engine keeps both kinds of FP8 as plain bytes; only its configuration tells them apart.
    return f"{name}:{server_argument('kv_cache_dtype')}" if name == "uint8" else name
