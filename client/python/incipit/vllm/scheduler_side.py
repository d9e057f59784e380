"""The connector in the scheduler: which prefixes are loaded, which blocks are stored, which leases are held."""

import concurrent.futures
import dataclasses
import logging
import time
from typing import Any

from .config import Options
from .flights import Flight
from .geometry import Geometry
from .keys import block_key, count_blocks
from .lookups import Found, Lease, Lookups
from .metadata import BlockPlace, IncipitMetadata, LoadJob, StoreJob
from .stats import Recorder

logger = logging.getLogger("vllm.incipit")

NULL_BLOCK_ID = 0  # the engine's placeholder for blocks a sliding window no longer needs
STEPS_IN_FLIGHT = 2  # outputs that may still come from steps scheduled before the current one


@dataclasses.dataclass
class RequestState:
    """What we know of one request until it finishes."""

    local_tokens: int = 0  # of the match: computed by the engine's own cache
    lookup: concurrent.futures.Future | None = None
    found: Found | None = None
    flight: Flight | None = None  # our claim on what this request computes
    wait_until_s: float = 0.0  # for another engine; 0: not yet asked whether there is one
    load_failed: bool = False  # then it is not matched again: the same blocks would fail again
    stored_blocks: list[int] = dataclasses.field(default_factory=list)  # per group: from the start, in the tier or sent


@dataclasses.dataclass
class LoadInProgress:
    lease: Lease
    block_ids: frozenset[int]
    outputs_left: int | None = None  # step outputs until a load within the step is over; None between steps


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
        self._new_loads: list[LoadJob] = []
        self._landing: list[tuple[float, Flight]] = []  # (until, claim) of requests whose last blocks are on their way
        self._failures_seen = 0

    # Matching

    def match(self, request: Any, local_tokens: int) -> tuple[int | None, bool]:
        """Tokens beyond `local_tokens` to load, and whether between steps; None: ask again."""
        request_id = request.request_id
        state = self._states.get(request_id)
        if state is None:
            state = self._states[request_id] = RequestState(stored_blocks=[0] * len(self._geometry.groups))
            self._requests[request_id] = request
        if not self._options.load or state.load_failed or request.skip_reading_prefix_cache:
            return 0, False
        # The engine computes at least the last token, whose output it needs.
        end_tokens = (request.num_tokens - 1) // self._geometry.step_tokens * self._geometry.step_tokens
        if end_tokens - local_tokens < max(1, self._options.min_tokens):
            return 0, False
        found = self._find(request, state, end_tokens)
        if found is None:
            return None, False
        tokens = found.longest(self._geometry.step_tokens) - local_tokens
        if tokens < max(1, self._options.min_tokens):
            self._let_go(state)
            return 0, False
        state.local_tokens = local_tokens
        return tokens, self._asynchronous

    def _find(self, request: Any, state: RequestState, end_tokens: int) -> Found | None:
        if state.found is not None:
            if not state.found.stale():
                return state.found
            self._let_go(state)
        if state.lookup is None:
            claim = self._single_flight(request) and state.wait_until_s == 0 and state.flight is None
            if claim:
                state.wait_until_s = time.monotonic() + self._options.wait_ms / 1000
            state.lookup = self._lookups.start(request.block_hashes, end_tokens, claim)
        try:
            found = state.lookup.result(timeout=self._options.match_wait_ms / 1000)
        except concurrent.futures.TimeoutError:
            return None
        except Exception:
            logger.exception("incipit: lookup failed; computing instead")
            found = Found([], Lease([]), float("inf"))
        state.lookup = None
        if found.flight is not None:
            self._recorder.add(claims=1)
            state.flight, found.flight = found.flight, None
        if found.computing:
            found.lease.release()
            state.lookup = self._lookups.wait(request.block_hashes, end_tokens, state.wait_until_s)
            return None
        state.found = found
        return state.found

    def _single_flight(self, request: Any) -> bool:
        parameters = request.kv_transfer_params or {}
        return self._options.store and bool(parameters.get("incipit_single_flight", self._options.single_flight))

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
        if state is None or state.found is None:
            return
        if external_tokens <= 0:
            self._let_go(state)
            return
        places = self._places_to_load(request, state.local_tokens, external_tokens, block_ids)
        parameters = request.kv_transfer_params or {}
        self._new_loads.append(
            LoadJob(
                request_id=request.request_id,
                blocks=places,
                deadline_ms=int(parameters.get("incipit_deadline_ms", self._options.deadline_ms)),
                recompute_tokens=external_tokens,
            )
        )
        self._loading[request.request_id] = LoadInProgress(
            lease=state.found.lease,
            block_ids=frozenset(place.block_id for place in places),
            outputs_left=None if self._asynchronous else STEPS_IN_FLIGHT,
        )
        state.found = None
        end_tokens = state.local_tokens + external_tokens
        for index, group in enumerate(self._geometry.groups):
            state.stored_blocks[index] = max(state.stored_blocks[index], end_tokens // group.block_tokens)

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

    def output(self, connector_output: Any) -> None:
        """The workers' news of one step."""
        failed_blocks = connector_output.invalid_block_ids or set()
        failed_requests = set(getattr(connector_output, "failed_recving", None) or ())
        self._failures_seen += bool(failed_blocks or failed_requests)
        for request_id, loading in list(self._loading.items()):
            if request_id in failed_requests or not failed_blocks.isdisjoint(loading.block_ids):
                self._load_failed(request_id)
            if loading.outputs_left is not None:
                loading.outputs_left -= 1
                if loading.outputs_left <= 0:
                    self._end_load(request_id)
        for request_id in connector_output.finished_recving or ():
            self._end_load(request_id)

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
        if state is not None:
            self._let_go(state)
            self._end_flight(state, request.num_computed_tokens >= request.num_prompt_tokens)
        loading = self._loading.get(request.request_id)
        if loading is not None and loading.outputs_left is not None:
            self._end_load(request.request_id)

    def close(self) -> None:
        for state in self._states.values():
            self._let_go(state)
            self._end_flight(state, computed=False)
        for request_id in list(self._loading):
            self._end_load(request_id)
        self._states.clear()
        self._requests.clear()
        self._lookups.close()
