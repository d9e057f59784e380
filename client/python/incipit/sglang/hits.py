"""Which prefix lengths can be restored, given which pages of which pool the node holds. Lengths are in pages."""
from __future__ import annotations

from collections.abc import Sequence


def leading(present: Sequence[int]) -> int:
    """How many pages are there from the start on."""
    return next((index for index, here in enumerate(present) if not here), len(present))


def restorable(hit_policy: str, present: Sequence[int], trailing: int) -> list[int] | None:
    """Lengths, ascending and without 0, at which a pool has what its policy asks for; None: it does not limit them.

    present: for each page of the prefix whether it is there. trailing: how many of the last pages the policy
    trailing_pages asks for. ValueError: a policy that is not known.
    """
    if hit_policy == "all_pages":
        return list(range(1, leading(present) + 1))
    if hit_policy == "block_groups":
        return None  # Another form of pages that are there anyway.
    if hit_policy != "trailing_pages":
        raise ValueError(f"hit policy {hit_policy!r} is not supported")
    lengths, run = [], 0
    for index, here in enumerate(present):
        run = run + 1 if here else 0
        if run >= min(trailing, index + 1):
            lengths.append(index + 1)
    return lengths
