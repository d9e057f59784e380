"""The connector in the scheduler: which prefixes are loaded, which blocks are stored, which leases are held."""

import concurrent.futures
import dataclasses
import logging
import math
import time
from collections.abc import Mapping
from typing import Any

from ..engines.warnings import Warnings
from .config import MAX_MS, Options
from .flights import Flight
from .geometry import Geometry
from .keys import block_key, count_blocks
from .lookups import Found, Lease, Lookups
from .metadata import BlockPlace, IncipitMetadata, LoadJob, StoreJob
from .stats import Recorder

logger = logging.getLogger("vllm.incipit")

NULL_BLOCK_ID = 0  # the engine's placeholder for blocks a sliding window no longer needs
STEP_ASIDE_STEPS = 8  # so often asked in vain, a request lets others pass for one step
MAX_LATE_LOOKUPS = 2  # results in a row that came too late to be used; then the request is computed


@dataclasses.dataclass
class RequestState:
    """What we know of one request until it finishes."""

    local_tokens: int = 0  # of the match: computed by the engine's own cache
    lookup: concurrent.futures.Future | None = None
    late_lookups: int = 0
    asked: int = 0  # matches since it last got memory
    found: Found | None = None
    flight: Flight | None = None  # our claim on what this request computes
    wait_until_s: float = 0.0  # for another engine; 0: not yet asked whether there is one
    load_failed: bool = False  # then it is not matched again: the same blocks would fail again
    stored_blocks: list[int] = dataclasses.field(default_factory=list)  # per group: from the start, in the tier or sent


@dataclasses.dataclass
class LoadInProgress:
    lease: Lease
    block_ids: frozenset[int]
    within_step: bool  # then it is over when the step's output is there
    # What is wrong if a load within the step fails, its blocks and those behind them: by index, and by hash.
    spoilt_blocks: frozenset[int] = frozenset()
    spoilt_hashes: frozenset[bytes] = frozenset()


class SchedulerSide:
    """All calls come from the scheduler's thread."""

    def __init__(self, options: Options, geometry: Geometry, recorder: Recorder):
        self._options = options
        self._geometry = geometry
        self._recorder = recorder
        self._lookups = Lookups(options, geometry, recorder)
        # A failed block names no request when there are several groups, so loads between steps are the only kind then.
        self._asynchronous = not options.layerwise or len(geometry.groups) > 1
        self._states: dict[str, RequestState] = {}
        self._requests: dict[str, Any] = {}
        self._loading: dict[str, LoadInProgress] = {}
        self._loaded: set[str] = set()  # requests whose loads between steps ended, and that were not scheduled since
        self._new_loads: list[LoadJob] = []
        self._landing: list[tuple[float, Flight]] = []  # (until, claim) of requests whose last blocks are on their way
        self._failures_seen = 0
        self._wait_left_s = options.match_wait_ms / 1000  # of the current step, for all its requests
        self._warnings = Warnings(logger)

    # Matching

    def match(self, request: Any, local_tokens: int) -> tuple[int | None, bool]:
        """Tokens beyond `local_tokens` to load, and whether between steps; None: ask again."""
        request_id = request.request_id
        state = self._states.get(request_id)
        if state is None:
            state = self._states[request_id] = RequestState(stored_blocks=[0] * len(self._geometry.groups))
            self._requests[request_id] = request
        state.asked += 1
        if state.asked % STEP_ASIDE_STEPS == 0 and self._loaded - {request_id}:
            # It may not get memory because requests behind it hold what their loads filled; the engine looks at those
            # only once this one is out of their way.
            return None, False
        if not self._options.load or state.load_failed or request.skip_reading_prefix_cache:
            self._let_go(state)
            return 0, False
        if self._reads_what_is_loading(request, local_tokens):
            return None, False
        # The engine computes at least the last token, whose output it needs.
        end_tokens = (request.num_tokens - 1) // self._geometry.step_tokens * self._geometry.step_tokens
        if end_tokens - local_tokens < max(1, self._options.min_tokens):
            self._let_go(state)  # the engine's own cache may have grown since the last time
            return 0, False
        found = self._find(request, state, end_tokens)
        if found is None:
            return None, False
        tokens = found.longest(self._geometry.step_tokens) - local_tokens
        if tokens < max(1, self._options.min_tokens):
            found.forget()  # and keep the answer: the engine asks again in every step until it has room
            return 0, False
        state.local_tokens = local_tokens
        return tokens, self._asynchronous

    def _reads_what_is_loading(self, request: Any, local_tokens: int) -> bool:
        """Whether the engine's own cache offers blocks that a load within the current step still has to fill.

        If that load fails, the engine has the request that it was for compute them, and lets the others read them. But
        that request may be cancelled first.
        """
        spoilt = [loading.spoilt_hashes for loading in self._loading.values() if loading.spoilt_hashes]
        if not spoilt:
            return False  # nearly always; the hashes of a long prompt are many
        local_hashes = request.block_hashes[: local_tokens // self._geometry.hash_tokens]
        return any(not hashes.isdisjoint(local_hashes) for hashes in spoilt)

    def _find(self, request: Any, state: RequestState, end_tokens: int) -> Found | None:
        """What can be loaded; None if that is not known yet."""
        while True:
            if state.found is not None:
                if not state.found.stale():
                    return state.found
                self._let_go(state)
            if state.lookup is None:
                claim = self._may_claim(request) and state.wait_until_s == 0 and state.flight is None
                if claim:
                    state.wait_until_s = time.monotonic() + self._options.wait_ms / 1000
                state.lookup = self._lookups.start(request.block_hashes, end_tokens, claim)
            if not self._await_lookup(state):
                return None
            if self._is_computed_elsewhere(request, state, end_tokens):
                return None
            state.late_lookups = state.late_lookups + 1 if state.found.stale() else 0
            if state.late_lookups >= MAX_LATE_LOOKUPS:
                # Results come later than leases last: asking on could go on for ever.
                self._let_go(state)
                state.found = Found.nothing()

    def _is_computed_elsewhere(self, request: Any, state: RequestState, end_tokens: int) -> bool:
        """Takes over a claim that was found; whether another engine has it, for which a wait was started then."""
        found = state.found
        if found.flight is not None:
            self._recorder.add(claims=1)
            state.flight, found.flight = found.flight, None
        if not found.computing:
            return False
        self._let_go(state)
        state.lookup = self._lookups.wait(request.block_hashes, end_tokens, state.wait_until_s)
        return True

    def _await_lookup(self, state: RequestState) -> bool:
        """Whether `state.found` is there. Waits as long as the step may still wait."""
        start_s = time.monotonic()
        try:
            state.found = state.lookup.result(timeout=self._wait_left_s)
        except concurrent.futures.TimeoutError:
            return False
        except Exception:
            logger.exception("incipit: lookup failed; computing instead")
            state.found = Found.nothing()
        finally:
            self._wait_left_s = max(0.0, self._wait_left_s - (time.monotonic() - start_s))
        state.lookup = None
        return True

    def _may_claim(self, request: Any) -> bool:
        parameters = request.kv_transfer_params
        asked = parameters.get("incipit_single_flight") if isinstance(parameters, Mapping) else None
        return self._options.store and bool(self._options.single_flight if asked is None else asked)

    def _let_go(self, state: RequestState) -> None:
        if state.lookup is not None:
            self._lookups.discard(state.lookup)
            state.lookup = None
        if state.found is not None:
            state.found.lease.release()
            state.found = None

    def _end_flight(self, state: RequestState, computed: bool) -> None:
        """Gives the claim up for the next engine; or, if all is `computed`, leaves it to the blocks that still land."""
        flight, state.flight = state.flight, None
        if flight is None:
            return
        if computed:
            self._landing.append((time.monotonic() + self._options.claim_ms / 1000, flight))
        else:
            flight.release()

    def _renew_flights(self) -> None:
        now_s = time.monotonic()
        self._landing = [(until_s, flight) for until_s, flight in self._landing if until_s > now_s]
        for state in self._states.values():
            if state.flight is not None:
                state.flight.renew()

    # Loading

    def allocated(self, request: Any, block_ids: tuple[list[int], ...], external_tokens: int) -> None:
        """The engine made room for `external_tokens` (or for none of those we offered)."""
        state = self._states.get(request.request_id)
        if state is None:
            return
        state.asked = 0
        if state.found is None or external_tokens <= 0:
            self._let_go(state)
            return
        places = self._places_to_load(request, state.local_tokens, external_tokens, block_ids)
        self._end_load(request.request_id)  # of the step in which the engine took its blocks back
        self._new_loads.append(
            LoadJob(
                request_id=request.request_id,
                blocks=places,
                deadline_ms=self._deadline_ms(request),
                recompute_tokens=external_tokens,
            )
        )
        self._loading[request.request_id] = self._load_in_progress(request, state, block_ids, places)
        state.found = None
        end_tokens = state.local_tokens + external_tokens
        for index, group in enumerate(self._geometry.groups):
            state.stored_blocks[index] = max(state.stored_blocks[index], end_tokens // group.block_tokens)

    def _load_in_progress(self, request: Any, state: RequestState, block_ids, places) -> LoadInProgress:
        lease, loaded = state.found.lease, frozenset(place.block_id for place in places)
        if self._asynchronous:
            return LoadInProgress(lease, loaded, within_step=False)
        group = self._geometry.groups[0]
        table = block_ids[group.engine_group]
        return LoadInProgress(
            lease,
            loaded,
            within_step=True,
            spoilt_blocks=frozenset(table[state.local_tokens // group.block_tokens :]),
            spoilt_hashes=frozenset(request.block_hashes[state.local_tokens // self._geometry.hash_tokens :]),
        )

    def _deadline_ms(self, request: Any) -> int:
        """The request's own, if it is sound: it comes from whoever sent the request."""
        parameters = request.kv_transfer_params
        value = parameters.get("incipit_deadline_ms") if isinstance(parameters, Mapping) else None
        if value is None:
            return self._options.deadline_ms
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 1 <= value <= MAX_MS:
            return math.floor(value)
        self._warnings.warn(
            "deadline",
            "incipit_deadline_ms of request %s is %.80r, not a number from 1 to %d; taking %d",
            request.request_id,
            value,
            MAX_MS,
            self._options.deadline_ms,
        )
        return self._options.deadline_ms

    def _places_to_load(self, request: Any, local_tokens: int, external_tokens: int, block_ids) -> list[BlockPlace]:
        places = []
        for index, group in enumerate(self._geometry.groups):
            table = block_ids[group.engine_group]
            first = local_tokens // group.block_tokens
            last = min((local_tokens + external_tokens) // group.block_tokens, len(table))
            places += [
                self._place(request, index, block, table[block])
                for block in range(first, last)
                if table[block] != NULL_BLOCK_ID
            ]
        return places

    def _place(self, request: Any, index: int, block: int, block_id: int) -> BlockPlace:
        tokens = self._geometry.groups[index].block_tokens
        key = block_key(request.block_hashes, block, self._geometry.hash_tokens, tokens)
        return BlockPlace(index, block * tokens, key, block_id)

    # Each step

    def build_metadata(self, scheduler_output: Any) -> IncipitMetadata:
        self._wait_left_s = self._options.match_wait_ms / 1000
        self._loaded.difference_update(scheduler_output.num_scheduled_tokens)
        self._renew_flights()
        loads, self._new_loads = self._new_loads, []
        stores = self._stores(scheduler_output) if self._options.store else []
        return IncipitMetadata(loads=loads, stores=stores, failures_seen=self._failures_seen)

    def _stores(self, scheduler_output: Any) -> list[StoreJob]:
        """Blocks that this step completes. The workers copy them as the step ends, before anything can move them."""
        computed = {new.req_id: new.num_computed_tokens for new in scheduler_output.scheduled_new_reqs}
        cached = scheduler_output.scheduled_cached_reqs
        computed.update(zip(cached.req_ids, cached.num_computed_tokens, strict=True))
        tables = scheduler_output.kv_connector_block_state
        jobs = []
        for request_id, scheduled in scheduler_output.num_scheduled_tokens.items():
            request, state = self._requests.get(request_id), self._states.get(request_id)
            if request is None or state is None:
                continue
            # Drafted tokens may be rejected, and what they wrote with them.
            drafted = len(scheduler_output.scheduled_spec_decode_tokens.get(request_id, ()))
            end_tokens = computed[request_id] + scheduled - drafted
            if not self._options.store_generated:
                end_tokens = min(end_tokens, request.num_prompt_tokens)
            places = self._places_to_store(request, state, end_tokens, tables, request_id)
            if places:
                jobs.append(StoreJob(request_id, places))
        return jobs

    def _places_to_store(self, request, state, end_tokens, tables, request_id) -> list[BlockPlace]:
        places = []
        block_ids = None
        for index, group in enumerate(self._geometry.groups):
            hashed = count_blocks(len(request.block_hashes), self._geometry.hash_tokens, group.block_tokens)
            last = min(end_tokens // group.block_tokens, hashed)
            first = state.stored_blocks[index]
            if last <= first:
                continue
            if block_ids is None:
                block_ids = tables.get_block_ids(request_id) if tables is not None else None
                if block_ids is None:
                    return []
            table = block_ids[group.engine_group]
            last = min(last, len(table))
            places += [
                self._place(request, index, block, table[block])
                for block in range(first, last)
                if table[block] != NULL_BLOCK_ID
            ]
            state.stored_blocks[index] = max(first, last)
        return places

    def output(self, connector_output: Any) -> set[int]:
        """The workers' news of one step. Returns blocks that the engine's own cache must not give to anyone."""
        spoilt_blocks: set[int] = set()
        failed_blocks = connector_output.invalid_block_ids or set()
        failed_requests = set(getattr(connector_output, "failed_recving", None) or ())
        self._failures_seen += bool(failed_blocks or failed_requests)
        for request_id, loading in list(self._loading.items()):
            if request_id in failed_requests or not failed_blocks.isdisjoint(loading.block_ids):
                self._load_failed(request_id)
                spoilt_blocks |= loading.spoilt_blocks
            if loading.within_step:
                self._end_load(request_id)
        for request_id in connector_output.finished_recving or ():
            self._end_load(request_id)
            if request_id in self._requests:
                self._loaded.add(request_id)
        return spoilt_blocks

    def _load_failed(self, request_id: str) -> None:
        state = self._states.get(request_id)
        if state is not None:
            state.load_failed = True
            # What is computed now is offered again: the node may have lost or dropped it.
            state.stored_blocks = [0] * len(self._geometry.groups)

    def _end_load(self, request_id: str) -> None:
        loading = self._loading.pop(request_id, None)
        if loading is not None:
            loading.lease.release()

    def finished(self, request: Any) -> None:
        """The request is done or cancelled. A load still in progress ends on its own and keeps its lease until then."""
        state = self._states.pop(request.request_id, None)
        self._requests.pop(request.request_id, None)
        self._loaded.discard(request.request_id)
        if state is not None:
            self._let_go(state)
            self._end_flight(state, request.num_computed_tokens >= request.num_prompt_tokens)

    def close(self) -> None:
        for state in self._states.values():
            self._let_go(state)
            self._end_flight(state, computed=False)
        for request_id in list(self._loading):
            self._end_load(request_id)
        self._states.clear()
        self._requests.clear()
        self._lookups.close()
