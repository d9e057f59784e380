"""Storage backend for SGLang's HiCache: pages of long shared prefixes come from an incipit node.

    --enable-hierarchical-cache --hicache-mem-layout page_first --hicache-storage-backend dynamic
    --hicache-storage-backend-extra-config '{"backend_name": "incipit", "module_path": "incipit.sglang",
        "class_name": "IncipitHiCacheStorage", "interface_v1": 1, "address": "tcp://127.0.0.1:9400"}'

The options are the fields of `Options`. Written for SGLang 0.5.23. Without SGLang the class can be used with anything
that looks like its host pools.
"""
from .config import Options, OptionsError
from .storage import IncipitHiCacheStorage

__all__ = ["IncipitHiCacheStorage", "Options", "OptionsError"]
