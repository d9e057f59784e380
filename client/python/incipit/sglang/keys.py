"""Keys of pages: the engine's own page hashes, opaque to us.

Each hash covers every token before it, and what the engine mixes in at the start: extra key, LoRA, cache salt.
"""
from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

_SHA256_HEX = re.compile(r"[0-9a-f]{64}\Z")


def page_key(page_hash: str) -> bytes:
    """32 bytes. A hash that is no SHA-256 in lower-case hex is hashed, under a tag, so that none is cut."""
    if _SHA256_HEX.match(page_hash):
        return bytes.fromhex(page_hash)
    return hashlib.sha256(b"incipit.sglang.page\0" + page_hash.encode()).digest()


def page_keys(page_hashes: Iterable[str]) -> list[bytes]:
    return [page_key(page_hash) for page_hash in page_hashes]
