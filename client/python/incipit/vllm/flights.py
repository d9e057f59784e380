"""Single flight: of many engines that miss the same prompt, one computes it and the others load behind it."""

import time

RENEWALS_PER_LEASE = 3


class Flight:
    """One request's claim on what it computes. For the scheduler's thread. Releasing twice is harmless."""

    def __init__(self, match, claim_ms: int):
        self._match = match  # holds the claim
        self._interval_s = claim_ms / 1000 / RENEWALS_PER_LEASE
        self._next_renewal_s = time.monotonic() + self._interval_s

    def renew(self) -> None:
        """To be called in every step of the engine: a claim that is not renewed lapses, and another takes over."""
        now_s = time.monotonic()
        if self._match is not None and now_s >= self._next_renewal_s:
            self._match.renew()
            self._next_renewal_s = now_s + self._interval_s

    def release(self) -> None:
        match, self._match = self._match, None
        if match is not None:
            match.release_claim()
