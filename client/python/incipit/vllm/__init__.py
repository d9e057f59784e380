"""KV connector for vLLM: long shared prefixes come from an incipit node instead of being computed again.

    --kv-transfer-config '{"kv_connector": "IncipitConnector", "kv_connector_module_path": "incipit.vllm",
                           "kv_role": "kv_both", "kv_load_failure_policy": "recompute",
                           "kv_connector_extra_config": {"address": "tcp://127.0.0.1:9400"}}'

The options are the fields of `Options`. Needs vLLM 0.32 or later.
"""

from typing import Any

from .config import Options, OptionsError

__all__ = ["IncipitConnector", "Options", "OptionsError"]


def __getattr__(name: str) -> Any:
    """Imports the connector when it is asked for: it needs torch and vLLM, which the options do not."""
    if name == "IncipitConnector":
        from .connector import IncipitConnector

        return IncipitConnector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
