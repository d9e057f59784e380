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

MAX_SILENT_MATCHES = 3  # in a row; then no requests are matched for SILENCE_S
SILENCE_S = 1.0


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

    @classmethod
    def nothing(cls) -> "Found":
        return cls([], Lease([]), float("inf"))

    def longest(self, multiple_of: int) -> int:
        return max((tokens for tokens in self.restorable_tokens if tokens % multiple_of == 0), default=0)

    def forget(self) -> None:
        """Lets the node evict what was found, and offers none of it any more."""
        self.lease.release()
        self.restorable_tokens = []

    def stale(self) -> bool:
        return time.monotonic() >= self._expires_s


class Lookups:
    """Starts matches and hands out their results. For the scheduler's thread."""

    def __init__(self, options: Options, geometry: Geometry, recorder: Recorder):
        self._options = options
        self._geometry = geometry
        self._recorder = recorder
        self._tiers = [Tier(options, geometry, shard, "scheduler", recorder) for shard in range(geometry.shards)]
        self._silent_matches = 0  # in a row
        self._resume_s = 0.0
        self._pool = concurrent.futures.ThreadPoolExecutor(max_workers=2, thread_name_prefix="incipit-match")

    def start(self, hashes: list[bytes], end_tokens: int) -> concurrent.futures.Future:
        """Future of Found, for the blocks within the first `end_tokens` tokens."""
        hash_tokens = self._geometry.hash_tokens
        keys = [block_keys(hashes, end_tokens, hash_tokens, group.block_tokens) for group in self._geometry.groups]
        return self._pool.submit(self._match, keys)

    def _match(self, keys: list[list[bytes]]) -> Found:
        # Half the lease is left for the load: a result that waited longer for room is looked up again.
        start_s = time.monotonic()
        expires_s = start_s + self._options.lease_ms / 2000
        if start_s < self._resume_s:
            return Found([], Lease([]), self._resume_s)
        matches = []
        restorable: set[int] | None = None
        for tier in self._tiers:
            match = self._ask(tier, keys)
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

    def _ask(self, tier: Tier, keys: list[list[bytes]]):
        """A match, with a pause after several in a row that took the whole deadline.

        A node that is away says so at once; one that only does not answer would cost every request a deadline, one
        after the other.
        """
        start_s = time.monotonic()
        match = tier.match(keys)
        end_s = time.monotonic()
        if (match is None or not match.complete) and (end_s - start_s) * 2000 >= self._options.match_deadline_ms:
            self._silent_matches += 1
            if self._silent_matches >= MAX_SILENT_MATCHES:
                self._resume_s = end_s + SILENCE_S
        else:
            self._silent_matches = 0
        return match

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
