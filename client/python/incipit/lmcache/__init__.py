"""L2 storage for LMCache: its chunks are kept on an incipit node. Loaded by LMCache as a native plugin:

    --l2-adapter '{"type": "native_plugin", "module_path": "incipit.lmcache", "class_name": "IncipitConnector",
                   "adapter_params": {"address": "tcp://127.0.0.1:9400"}}'

The parameters are the fields of `Options`. Written for LMCache 0.5.6, of which nothing is imported.
"""

from .config import Options, OptionsError
from .connector import IncipitConnector

__all__ = ["IncipitConnector", "Options", "OptionsError"]
