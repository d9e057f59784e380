"""The connector's calls on the node. Whatever goes wrong there is a warning and a miss, never an exception."""

import logging
import time

import incipit

from ..engines.options import codec_for
from ..engines.warnings import Warnings
from .config import Options
from .geometry import Geometry
from .metadata import BlockPlace
from .stats import Recorder

logger = logging.getLogger("vllm.incipit")

class Tier:
    """One connection to the node, for the blocks of one shard of the model. Any thread may call."""

    def __init__(self, options: Options, geometry: Geometry, shard: int, side: str, recorder: Recorder):
        self._options = options
        self._recorder = recorder
        self._warnings = Warnings(logger)
        layout = geometry.layout()
        self._client = incipit.Client(
            options.address,
            geometry.model_of_shard(shard),
            layout,
            tenant=options.tenant,
            secret_file=options.secret_file,
            sealing_key_file=options.sealing_key_file,
            codec=codec_for(options.codec, layout),
            client_name=f"vllm-{side}-{shard}",
            connect_lazily=True,  # the engine must start without a node
            default_deadline_ms=options.deadline_ms,
            prefill_tokens_per_s=options.prefill_tokens_per_s,
        )

    def match(self, keys: list[list[bytes]], claim_ms: int = 0) -> "incipit.Match | None":
        """What the node can restore, pinned for lease_ms; None if it cannot say. With claim_ms, see Match.claimed."""
        options = self._options
        start_s = time.monotonic()
        try:
            match = self._client.match(
                keys, lease_ms=options.lease_ms, deadline_ms=options.match_deadline_ms, claim_ms=claim_ms
            )
        except incipit.IncipitError as error:
            self._warnings.warn("match", "no match from %s: %s", options.address, error)
            match = None
        self._recorder.add(match_calls=1, match_us=(time.monotonic() - start_s) * 1e6)
        if match is None or not match.complete:
            self._recorder.add(match_failures=1)
            self._warnings.warn("match", "%s did not answer a match in time", options.address)
        return match

    def wait(self, keys: list[list[bytes]], tokens: int, claim_ms: int, wait_ms: int) -> "incipit.Match | None":
        """Waits until all `tokens` are there, what is missing is claimed for us, or wait_ms have passed."""
        start_s = time.monotonic()
        try:
            match = self._client.wait(keys, step_tokens=tokens, claim_ms=claim_ms, deadline_ms=wait_ms)
        except incipit.IncipitError as error:
            self._warnings.warn("wait", "no wait at %s: %s", self._options.address, error)
            match = None
        self._recorder.add(wait_calls=1, wait_us=(time.monotonic() - start_s) * 1e6)
        return match

    def load(self, places: list[BlockPlace], buffers: list, deadline_ms: int, recompute_tokens: int, **segments):
        """Loads blocks into `buffers`; returns for each whether it holds verified bytes now.

        `segments` are first_segment and segment_count, for one layer of each block.
        """
        blocks = [
            incipit.Block(place.group, place.depth_tokens, place.key, buffer)
            for place, buffer in zip(places, buffers, strict=True)
        ]
        start_s = time.monotonic()
        try:
            result = self._client.load(
                blocks, deadline_ms=deadline_ms, recompute_tokens=recompute_tokens, **segments
            )
        except incipit.IncipitError as error:
            self._warnings.warn("load", "load from %s failed: %s", self._options.address, error)
            self._recorder.add(load_calls=1, load_failed_blocks=len(blocks))
            return [False] * len(blocks)
        hits = [status == incipit.BlockStatus.OK for status in result.status]
        failed = len(hits) - sum(hits)
        self._recorder.add(
            load_calls=1,
            load_us=(time.monotonic() - start_s) * 1e6,
            load_bytes=result.loaded_bytes,
            load_blocks=len(hits) - failed,
            load_failed_blocks=failed,
        )
        if failed:
            first_bad = next(status for status, hit in zip(result.status, hits) if not hit)
            self._warnings.warn(
                "load",
                "%d of %d matched blocks were not loaded (first: %s); the engine computes them",
                failed,
                len(hits),
                first_bad,
            )
        return hits

    def store(self, places: list[BlockPlace], buffers: list, block_bytes: int) -> None:
        blocks = [
            incipit.Block(place.group, place.depth_tokens, place.key, buffer)
            for place, buffer in zip(places, buffers, strict=True)
        ]
        start_s = time.monotonic()
        try:
            statuses = self._client.store(blocks, offer_first=True, deadline_ms=self._options.store_deadline_ms)
        except incipit.IncipitError as error:
            self._warnings.warn("store", "store to %s failed: %s", self._options.address, error)
            self._recorder.add(store_calls=1, store_failed_blocks=len(blocks))
            return
        stored = sum(status == incipit.BlockStatus.OK for status in statuses)
        present = sum(status in (incipit.BlockStatus.PRESENT, incipit.BlockStatus.CONFLICT) for status in statuses)
        failed = len(statuses) - stored - present
        self._recorder.add(
            store_calls=1,
            store_us=(time.monotonic() - start_s) * 1e6,
            store_bytes=stored * block_bytes,
            store_blocks=stored,
            store_present_blocks=present,
            store_failed_blocks=failed,
        )
        if failed:
            self._warnings.warn(
                "store", "%s did not take %d of %d blocks", self._options.address, failed, len(blocks)
            )

    def close(self) -> None:
        try:
            self._client.close()
        except incipit.IncipitError as error:
            logger.warning("incipit: closing the connection to %s: %s", self._options.address, error)
