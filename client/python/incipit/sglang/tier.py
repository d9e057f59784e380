"""The backend's calls on the node. Whatever goes wrong there is a warning and a miss, never an exception."""
from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import incipit

from ..engines.options import codec_for
from ..engines.warnings import Warnings
from .config import Options
from .leases import Leases
from .stats import Recorder

class Tier:
    """A connection to the node for the pages of one pool, each one block of one group. Any thread."""

    def __init__(self, options: Options, model: str, layout: incipit.Layout, recorder: Recorder, warnings: Warnings,
                 decides_worth: bool):
        """decides_worth: whether what loads slower than it computes is left alone."""
        self._options = options
        self._recorder = recorder
        self._warnings = warnings
        self._block = layout.groups[0]
        self._leases = Leases(options.lease_ms)
        self._client = incipit.Client(
            options.address, model, layout, tenant=options.tenant, secret_file=options.secret_file,
            sealing_key_file=options.sealing_key_file, codec=codec_for(options.codec, layout), client_name="sglang",
            connect_lazily=True,  # the engine must start without a node
            default_deadline_ms=options.deadline_ms,
            prefill_tokens_per_s=options.prefill_tokens_per_s if decides_worth else 0.0,
        )

    def match(self, keys: list[bytes], ancestors: list[bytes]) -> tuple[bytes, bool]:
        """One byte for each key, 0 if the node has no such page, and whether the node could say.

        What is found is pinned until it is loaded, or for lease_ms. ancestors: keys of the prompt's pages before
        these: they are marked as used, so that they do not leave the node before the pages that need them.
        """
        options, missing = self._options, bytes(len(keys))
        start_s = time.monotonic()
        try:
            stamp_ns = self._client.new_stamp()
            match = self._client.match([keys], stamp_ns=stamp_ns, lease_ms=options.lease_ms,
                                       deadline_ms=options.match_deadline_ms)
            self._touch(ancestors, stamp_ns)
        except incipit.IncipitError as error:
            self._warnings.warn("match", "no answer from %s: %s", options.address, error)
            match = None
        self._recorder.add(match_calls=1, match_pages=len(keys), match_us=(time.monotonic() - start_s) * 1e6)
        if match is None:
            self._recorder.add(match_failures=1)
            return missing, False
        if not match.complete:
            self._recorder.add(match_failures=1)
            self._warnings.warn("match", "%s did not say in time which pages it has", options.address)
        present = match.presence(0)
        found = [key for key, here in zip(keys, present, strict=True) if here]
        self._recorder.add(match_hit_pages=len(found))
        if found and not match.worth_loading:
            self._recorder.add(match_not_worth=1)
            match.release()
            return missing, match.complete
        if found and match.leased:
            self._leases.hold(found[-1], match)
        return present, match.complete

    def _touch(self, ancestors: list[bytes], stamp_ns: int) -> None:
        if ancestors:
            # Nobody waits for these: what is taken here are the answers to earlier ones.
            self._client.drain_completions()
            tokens = self._block.block_tokens
            self._client.submit_touch([(0, index * tokens, key) for index, key in enumerate(ancestors)],
                                      stamp_ns=stamp_ns, deadline_ms=self._options.match_deadline_ms)

    def load(self, keys: list[bytes], first_page: int, buffers: Sequence[Any], deadline_s: float) -> list[bool]:
        """For each page whether `buffers` has its verified bytes now. deadline_s: on the monotonic clock."""
        left_ms = int((deadline_s - time.monotonic()) * 1000)
        start_s = time.monotonic()
        status, loaded_bytes, cause = b"", 0, "too late"
        if left_ms > 0:
            try:
                result = self._client.load(self._blocks(keys, first_page, buffers), deadline_ms=left_ms)
                status, loaded_bytes = result.status, result.loaded_bytes
            except incipit.IncipitError as error:
                cause = str(error)
        self._leases.release(keys)
        hits = [one == incipit.BlockStatus.OK for one in status] or [False] * len(keys)
        failed = len(hits) - sum(hits)
        self._recorder.add(load_calls=1, load_us=(time.monotonic() - start_s) * 1e6, load_bytes=loaded_bytes,
                           load_pages=len(hits) - failed, load_failed_pages=failed)
        if failed:
            if status:
                cause = incipit.BlockStatus(next(one for one in status if one != incipit.BlockStatus.OK)).name
            self._warnings.warn("load", "%d of %d pages were not loaded from %s (%s); the engine computes them",
                                failed, len(hits), self._options.address, cause)
        return hits

    def store(self, keys: list[bytes], first_page: int, buffers: Sequence[Any]) -> list[bool]:
        """For each page whether the node has it now."""
        start_s = time.monotonic()
        status, cause = b"", ""
        try:
            status = self._client.store(self._blocks(keys, first_page, buffers), offer_first=True,
                                        deadline_ms=self._options.store_deadline_ms)
        except incipit.IncipitError as error:
            cause = str(error)
        # Other bytes under the same key are equally right: results of a GPU differ in their last bits.
        there = (incipit.BlockStatus.PRESENT, incipit.BlockStatus.CONFLICT)
        stored = sum(one == incipit.BlockStatus.OK for one in status)
        present = sum(one in there for one in status)
        failed = len(keys) - stored - present
        self._recorder.add(store_calls=1, store_us=(time.monotonic() - start_s) * 1e6, store_pages=stored,
                           store_bytes=stored * self._block.block_bytes, store_present_pages=present,
                           store_failed_pages=failed)
        if failed:
            bad = [one for one in status if one != incipit.BlockStatus.OK and one not in there]
            self._warnings.warn("store", "%s did not take %d of %d pages (%s)", self._options.address, failed,
                                len(keys), incipit.BlockStatus(bad[0]).name if bad else cause)
        return [one == incipit.BlockStatus.OK or one in there for one in status] or [False] * len(keys)

    def _blocks(self, keys: list[bytes], first_page: int, buffers: Sequence[Any]) -> list[incipit.Block]:
        tokens = self._block.block_tokens
        return [incipit.Block(0, (first_page + index) * tokens, key, buffer)
                for index, (key, buffer) in enumerate(zip(keys, buffers, strict=True))]

    def counters(self) -> dict[str, int]:
        return self._client.counters()

    def close(self) -> None:
        """Waits for calls of other threads, which end by their deadlines. May be called again."""
        self._leases.close()
        self._client.close()
