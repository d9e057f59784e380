"""The name under which the tier keeps a model's blocks."""
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

MAX_NAME_BYTES = 128  # of the tier's names


def digest_name(readable: str, identity: Mapping[str, Any], spare_bytes: int = 0) -> str:
    """`readable`, cut, and a digest of `identity`: everything that changes the bytes of a block, or their order.

    Two engines share blocks exactly if these names are equal, so a difference that was not foreseen ends in a miss.
    Printable ASCII of at most MAX_NAME_BYTES - spare_bytes. identity: plain data.
    """
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()
    base = os.path.basename(readable)
    base = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in base)
    return f"{base[: MAX_NAME_BYTES - len(digest) - 1 - spare_bytes] or 'model'}@{digest}"
