"""Matches of requests, made off the scheduler's thread: a slow node must not slow the engine's steps."""

import concurrent.futures
import logging
import time

from .config import Options
from .geometry import Geometry
from .keys import block_keys
from .stats import Recorder
from .tier import Tier

logger = logging.getLogger("vllm.incipit")


class Lease:
    """The pins of one request's matches, one match per shard. Releasing twice is harmless."""

    def __init__(self, matches: list):
        self._matches = matches

    def release(self) -> None:
        matches, self._matches = self._matches, []
        for match in matches:
            match.release()


class Found:
    """Lengths at which every shard can restore a request's prefix, ascending."""

    def __init__(self, restorable_tokens: list[int], lease: Lease, expires_s: float):
        self.restorable_tokens = restorable_tokens
        self.lease = lease
        self._expires_s = expires_s

    def longest(self, multiple_of: int) -> int:
        return max((tokens for tokens in self.restorable_tokens if tokens % multiple_of == 0), default=0)

    def stale(self) -> bool:
        return time.monotonic() >= self._expires_s


class Lookups:
    """Starts matches and hands out their results. For the scheduler's thread."""

    def __init__(self, options: Options, geometry: Geometry, recorder: Recorder):
        self._options = options
        self._geometry = geometry
        self._recorder = recorder
        self._tiers = [Tier(options, geometry, shard, "scheduler", recorder) for shard in range(geometry.shards)]
        self._pool = concurrent.futures.ThreadPoolExecutor(max_workers=2, thread_name_prefix="incipit-match")

    def start(self, hashes: list[bytes], end_tokens: int) -> concurrent.futures.Future:
        """Future of Found, for the blocks within the first `end_tokens` tokens."""
        hash_tokens = self._geometry.hash_tokens
        keys = [block_keys(hashes, end_tokens, hash_tokens, group.block_tokens) for group in self._geometry.groups]
        return self._pool.submit(self._match, keys)

    def _match(self, keys: list[list[bytes]]) -> Found:
        # Half the lease is left for the load: a result that waited longer for room is looked up again.
        expires_s = time.monotonic() + self._options.lease_ms / 2000
        matches = []
        restorable: set[int] | None = None
        for tier in self._tiers:
            match = tier.match(keys)
            if match is None:
                restorable = set()
                break
            matches.append(match)
            lengths = set(match.restorable_tokens)
            if lengths and not match.worth_loading:
                self._recorder.add(match_not_worth=1)
                lengths = set()
            restorable = lengths if restorable is None else restorable & lengths
        lease = Lease(matches)
        if not restorable:
            lease.release()
        self._recorder.add(match_tokens=max(restorable or (0,)))
        return Found(sorted(restorable or ()), lease, expires_s)

    def discard(self, future: concurrent.futures.Future) -> None:
        """Lets go of a lookup nobody waits for any more, whenever it ends."""

        def release(done: concurrent.futures.Future) -> None:
            if not done.cancelled() and done.exception() is None:
                done.result().lease.release()

        future.cancel()
        future.add_done_callback(release)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        for tier in self._tiers:
            tier.close()
