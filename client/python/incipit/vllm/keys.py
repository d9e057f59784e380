"""Keys of blocks: the engine's own block hashes, opaque to us.

Each hash covers every token before it, and whatever else the engine mixes in: cache salt, LoRA, media. One hash stands
for `hash_tokens` tokens; where a group's blocks are longer, the last hash inside a block names it, because it covers
the rest.
"""

from collections.abc import Sequence


def count_blocks(hash_count: int, hash_tokens: int, block_tokens: int) -> int:
    return hash_count * hash_tokens // block_tokens


def block_key(hashes: Sequence[bytes], index: int, hash_tokens: int, block_tokens: int) -> bytes:
    return bytes(hashes[(index + 1) * block_tokens // hash_tokens - 1])


def block_keys(hashes: Sequence[bytes], end_tokens: int, hash_tokens: int, block_tokens: int) -> list[bytes]:
    """Keys of the whole blocks within the first `end_tokens` tokens, as far as there are hashes."""
    per_block = block_tokens // hash_tokens
    count = min(end_tokens // block_tokens, len(hashes) // per_block)
    return [bytes(hashes[(index + 1) * per_block - 1]) for index in range(count)]
