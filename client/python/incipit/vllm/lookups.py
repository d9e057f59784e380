"""Matches of requests, made off the scheduler's thread: a slow node must not slow the engine's steps."""

import concurrent.futures
import logging
import threading
import time

from .config import Options
from .flights import Flight
from .geometry import Geometry
from .keys import block_keys
from .stats import Recorder
from .tier import Tier

WAITS_AT_ONCE = 16  # more of them queue; the node's client lets no more wait on one connection
WAIT_SLICE_MS = 1000  # so soon a wait notices that nobody wants it any more

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
    """Lengths at which every shard can restore a request's prefix, ascending; and who computes the rest."""

    def __init__(
        self,
        restorable_tokens: list[int],
        lease: Lease,
        expires_s: float,
        flight: Flight | None = None,
        computing: bool = False,
    ):
        self.restorable_tokens = restorable_tokens
        self.lease = lease
        self.flight = flight  # the claim, if it is ours
        self.computing = computing  # by another engine
        self._expires_s = expires_s

    @classmethod
    def nothing(cls) -> "Found":
        return cls([], Lease([]), float("inf"))

    def release(self) -> None:
        self.lease.release()
        if self.flight is not None:
            self.flight.release()

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
        self._given_up: dict[concurrent.futures.Future, threading.Event] = {}
        self._wait_pool = concurrent.futures.ThreadPoolExecutor(WAITS_AT_ONCE, thread_name_prefix="incipit-wait")

    def start(self, hashes: list[bytes], end_tokens: int, claim: bool = False) -> concurrent.futures.Future:
        """Future of Found, for the blocks within the first `end_tokens` tokens; `claim`: for us what is missing."""
        return self._pool.submit(self._match, self._keys(hashes, end_tokens), self._options.claim_ms if claim else 0)

    def wait(self, hashes: list[bytes], end_tokens: int, until_s: float) -> concurrent.futures.Future:
        """Future of Found, once another engine has computed the blocks, has failed, or it is `until_s`."""
        given_up = threading.Event()
        future = self._wait_pool.submit(self._wait, self._keys(hashes, end_tokens), end_tokens, until_s, given_up)
        self._given_up[future] = given_up
        future.add_done_callback(lambda done: self._given_up.pop(done, None))
        return future

    def _keys(self, hashes: list[bytes], end_tokens: int) -> list[list[bytes]]:
        hash_tokens = self._geometry.hash_tokens
        return [block_keys(hashes, end_tokens, hash_tokens, group.block_tokens) for group in self._geometry.groups]

    def _wait(self, keys: list[list[bytes]], end_tokens: int, until_s: float, given_up: threading.Event) -> Found:
        # The first shard of the model decides: all are computed and stored together.
        flight = None
        while not given_up.is_set():
            left_ms = int((until_s - time.monotonic()) * 1000)
            if left_ms <= 0:
                break
            match = self._tiers[0].wait(keys, end_tokens, self._options.claim_ms, min(left_ms, WAIT_SLICE_MS))
            if match is not None and match.claimed:
                flight = Flight(match, self._options.claim_ms)
            if match is None or not match.computing:
                break
        found = self._match(keys, 0)
        found.flight = flight
        return found

    def _match(self, keys: list[list[bytes]], claim_ms: int) -> Found:
        # Half the lease is left for the load: a result that waited longer for room is looked up again.
        start_s = time.monotonic()
        expires_s = start_s + self._options.lease_ms / 2000
        if start_s < self._resume_s:
            return Found([], Lease([]), self._resume_s)
        matches = []
        restorable: set[int] | None = None
        flight, computing = None, False
        for shard, tier in enumerate(self._tiers):
            match = self._ask(tier, keys, claim_ms if shard == 0 else 0)
            if shard == 0 and match is not None:
                computing = match.computing
                if match.claimed:
                    flight = Flight(match, claim_ms)
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
        return Found(sorted(restorable or ()), lease, expires_s, flight, computing)

    def _ask(self, tier: Tier, keys: list[list[bytes]], claim_ms: int):
        """A match, with a pause after several in a row that took the whole deadline.

        A node that is away says so at once; one that only does not answer would cost every request a deadline, one
        after the other.
        """
        start_s = time.monotonic()
        match = tier.match(keys, claim_ms)
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
                done.result().release()

        given_up = self._given_up.get(future)
        if given_up is not None:
            given_up.set()
        future.cancel()
        future.add_done_callback(release)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        for given_up in list(self._given_up.values()):
            given_up.set()
        self._wait_pool.shutdown(wait=True, cancel_futures=True)
        for tier in self._tiers:
            tier.close()
