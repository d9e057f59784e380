"""vLLM's own scheduler with the connector in it, and a played worker, so that no model is needed.

The worker keeps, for every block of the engine's cache, what a model would have written there: the hash of the tokens
up to the block's end. It moves real bytes to and from a node, and checks in every step that what a request reads is
what belongs there.
"""
from __future__ import annotations

import collections
import copy
import functools
import hashlib
import itertools
import json
import pathlib
import tempfile
import time

import torch
from vllm.config import (
    CacheConfig, DeviceConfig, KVTransferConfig, ModelConfig, SchedulerConfig, SpeculativeConfig, VllmConfig,
)
from vllm.sampling_params import SamplingParams
from vllm.utils.hashing import sha256
from vllm.v1.core.kv_cache_utils import get_request_block_hasher, hash_block_tokens, init_none_hash
from vllm.v1.core.sched.async_scheduler import AsyncScheduler
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.kv_cache_interface import (
    FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec, KVCacheTensor, SlidingWindowSpec,
)
from vllm.v1.outputs import DraftTokenIds, KVConnectorOutput, ModelRunnerOutput
from vllm.v1.request import Request, RequestStatus
from vllm.v1.structured_output import StructuredOutputManager

import incipit

BLOCK_TOKENS, MAX_TOKENS, STEP_TOKENS = 16, 2048, 256
SIZES = {"block_size": BLOCK_TOKENS, "num_kv_heads": 1, "head_size": 32, "dtype": torch.float16}
PAGE_BYTES = BLOCK_TOKENS * 32 * 2 * 2
WINDOW = 40
STEP_LIMIT_S = 60
MODEL = {
    "architectures": ["OPTForCausalLM"], "model_type": "opt", "hidden_size": 64, "num_attention_heads": 4,
    "num_hidden_layers": 2, "ffn_dim": 64, "vocab_size": 512, "max_position_embeddings": MAX_TOKENS,
    "word_embed_proj_dim": 64,
}
_serial = itertools.count()


@functools.cache
def base_config() -> VllmConfig:
    """A configuration without a connector; making one takes seconds."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "config.json").write_text(json.dumps(MODEL))
        model = ModelConfig(model=folder, skip_tokenizer_init=True, dtype="float16", seed=0)
        config = VllmConfig(
            model_config=model,
            scheduler_config=SchedulerConfig(
                max_num_seqs=8, max_num_batched_tokens=STEP_TOKENS, max_model_len=MAX_TOKENS,
                enable_chunked_prefill=True, is_encoder_decoder=False,
            ),
            cache_config=CacheConfig(block_size=BLOCK_TOKENS, cache_dtype="auto", enable_prefix_caching=True),
            device_config=DeviceConfig("cpu"),
        )
    init_none_hash(sha256)
    return config


def make_config(extra, blocks: int, in_flight: int, drafts: int) -> VllmConfig:
    config = copy.copy(base_config())
    config.scheduler_config = copy.copy(config.scheduler_config)
    config.scheduler_config.async_scheduling = in_flight > 1
    if drafts:
        config.speculative_config = SpeculativeConfig(
            method="ngram", num_speculative_tokens=drafts, prompt_lookup_max=4,
            target_model_config=config.model_config, target_parallel_config=config.parallel_config,
        )
    config.cache_config = copy.copy(config.cache_config)
    config.cache_config.num_gpu_blocks = blocks
    config.kv_transfer_config = KVTransferConfig(
        kv_connector="IncipitConnector", kv_connector_module_path="incipit.vllm", kv_role="kv_both",
        kv_load_failure_policy="recompute", kv_connector_extra_config=extra,
    )
    return config


def make_cache(blocks: int, windowed: bool) -> KVCacheConfig:
    groups = [KVCacheGroupSpec(["a", "b"], FullAttentionSpec(**SIZES))]
    if windowed:
        groups.append(KVCacheGroupSpec(["c", "d"], SlidingWindowSpec(**SIZES, sliding_window=WINDOW)))
    size = 2 * PAGE_BYTES * blocks
    tensors = [KVCacheTensor(size, group.layer_names, PAGE_BYTES * blocks, PAGE_BYTES) for group in groups]
    return KVCacheConfig(blocks, tensors, groups, hash_block_size=BLOCK_TOKENS)


def hashes(tokens: list[int]) -> list[bytes]:
    found: list = []
    for first in range(0, len(tokens) - BLOCK_TOKENS + 1, BLOCK_TOKENS):
        part = tokens[first : first + BLOCK_TOKENS]
        found.append(hash_block_tokens(sha256, found[-1] if found else None, part))
    return found


def next_token(tokens: list[int]) -> int:
    """What the model says to these tokens."""
    return hashlib.sha256(repr(tokens).encode()).digest()[0]


def draft(tokens: list[int], count: int) -> list[int]:
    """What a drafting model guesses comes next: most of it is right."""
    guessed: list[int] = []
    for _ in range(count):
        right = next_token([*tokens, *guessed])
        guessed.append(right if right % 4 else 300)
    return guessed


def content(key: bytes, group: int, nbytes: int) -> bytes:
    """What a model would have computed: it follows from the tokens that the key stands for, and differs by group."""
    return (hashlib.sha256(key + bytes([group])).digest() * (nbytes // 32 + 1))[:nbytes]


class Engine:
    """One engine. step() is one of its steps; `hold_loads` keeps loads in progress until finish_loads().

    in_flight: steps that are scheduled before the scheduler has the first one's output. drafts: tokens guessed ahead.
    """

    def __init__(self, address: str, blocks=200, windowed=False, in_flight=1, drafts=0, **options):
        extra = {"address": address, "min_tokens": 0, "match_wait_ms": 10000, "match_deadline_ms": 10000, **options}
        config, cache = make_config(extra, blocks, in_flight, drafts), make_cache(blocks, windowed)
        self.in_flight, self.drafts, self.outputs = in_flight, drafts, collections.deque()
        self.scheduler = (AsyncScheduler if in_flight > 1 else Scheduler)(
            vllm_config=config, kv_cache_config=cache, log_stats=True, block_size=BLOCK_TOKENS,
            structured_output_manager=StructuredOutputManager(config),
        )
        self.side = self.scheduler.connector._scheduler
        geometry = self.side._geometry
        self.groups = geometry.groups
        self.client = incipit.Client(address, geometry.model_of_shard(0), geometry.layout(), connect_lazily=True)
        self.memory: dict[tuple[int, int], bytes] = {}  # group, block id -> hash that the block's bytes stand for
        self.tokens: dict[str, list[int]] = {}  # by request, as the worker knows them
        self.loads: list = []
        self.pending_news: KVConnectorOutput | None = None
        self.spoilt_at = -1  # as WorkerSide counts
        self.hold_loads = False
        self.fail = lambda place: False  # which blocks of loads are lost
        self.computed_tokens = 0
        self.stored: list = []
        self.free_blocks = self.scheduler.kv_cache_manager.block_pool.get_num_free_blocks()

    def add(self, tokens: list[int], generate: int = 1, **parameters) -> Request:
        sampling = SamplingParams(max_tokens=generate, ignore_eos=True, extra_args={"kv_transfer_params": parameters})
        request = Request(
            f"request-{next(_serial)}", tokens, sampling, None,
            block_hasher=get_request_block_hasher(BLOCK_TOKENS, sha256),
        )
        self.scheduler.add_request(request)
        return request

    def step(self) -> dict[str, int]:
        """Tokens by request that the step computed."""
        output = self.scheduler.schedule()
        runner_output = self._execute(output)
        self.outputs.append((output, runner_output))
        if len(self.outputs) >= self.in_flight or not output.num_scheduled_tokens:
            self.scheduler.update_from_output(*self.outputs.popleft())
        if self.drafts and self.in_flight == 1:  # otherwise the worker keeps them
            names = list(output.num_scheduled_tokens)
            guessed = [draft(self.tokens[name], self.drafts) for name in names]
            self.scheduler.update_draft_token_ids(DraftTokenIds(names, guessed))
        return dict(output.num_scheduled_tokens)

    def _execute(self, output) -> ModelRunnerOutput:
        metadata, scheduled = output.kv_connector_metadata, output.num_scheduled_tokens
        news, self.pending_news = self.pending_news or KVConnectorOutput(finished_recving=set()), None
        self.loads += metadata.loads
        if output.has_sync_kv_loads and self._finish(news, within_step=True):
            self.spoilt_at = metadata.failures_seen
        valid = metadata.failures_seen > self.spoilt_at
        self._take_tokens(output)
        drafted = output.scheduled_spec_decode_tokens
        sampled = [
            self._compute(self.scheduler.requests[name], count, valid, len(drafted.get(name, ())))
            for name, count in scheduled.items()
        ]
        if valid:
            self._store(metadata.stores)
        if not output.has_sync_kv_loads and not self.hold_loads:
            self._finish(news)
        return ModelRunnerOutput(
            req_ids=list(scheduled), req_id_to_index={name: index for index, name in enumerate(scheduled)},
            sampled_token_ids=sampled, kv_connector_output=news,
        )

    def _take_tokens(self, output) -> None:
        cached = output.scheduled_cached_reqs
        for name in [each.req_id for each in output.scheduled_new_reqs] + list(cached.resumed_req_ids):
            self.tokens[name] = list(self.scheduler.requests[name].all_token_ids)
        for name, generated in zip(cached.req_ids, cached.num_output_tokens):
            # Fewer than were sampled if the scheduler threw the last ones away.
            del self.tokens[name][self.scheduler.requests[name].num_prompt_tokens + generated :]

    def _tables(self, request: Request) -> tuple[list[int], ...]:
        return self.scheduler.kv_cache_manager.get_block_ids(request.request_id)

    def _compute(self, request: Request, count: int, valid: bool, drafted: int) -> list[int]:
        """The forward pass of one request; gives the tokens it samples, if it got as far."""
        tokens = self.tokens[request.request_id]
        guessed = draft(tokens, drafted)
        # The scheduler has counted the step already, and with steps in flight counts drafts that were not accepted.
        end = min(request.num_computed_tokens, len(tokens) + drafted)
        first, keys = end - count, hashes(tokens + guessed)
        self.computed_tokens += count
        right = True
        for index, table in enumerate(self._tables(request)):
            oldest = 0 if index == 0 else max(0, first - WINDOW + 1)
            for block in range(oldest // BLOCK_TOKENS, first // BLOCK_TOKENS):
                right &= self.memory.get((index, table[block])) == keys[block]
        assert right or not valid, f"{request.request_id} reads what does not belong to it"
        for index, table in enumerate(self._tables(request)):
            for block in range(first // BLOCK_TOKENS, -(-end // BLOCK_TOKENS)):
                whole = right and (block + 1) * BLOCK_TOKENS <= end
                self.memory[index, table[block]] = bytes(keys[block]) if whole else b"begun"
        if end < len(tokens):
            return []
        assert end == len(tokens) + drafted
        known = len(tokens)
        tokens.append(next_token(tokens) + (0 if right else 256))
        while guessed and guessed.pop(0) == tokens[-1]:
            tokens.append(next_token(tokens))
        return tokens[known:]

    def _store(self, jobs) -> None:
        places = [place for job in jobs for place in job.blocks]
        for place in places:
            assert self.memory[place.group, place.block_id] == place.key, "a block is stored under another's name"
        self.stored += places
        if places:
            self.client.store([self._block(place, content(place.key, place.group, self._nbytes(place)))
                               for place in places])

    def _nbytes(self, place) -> int:
        return self.groups[place.group].block_bytes

    def _block(self, place, buffer) -> incipit.Block:
        return incipit.Block(place.group, place.depth_tokens, place.key, buffer)

    def finish_loads(self) -> None:
        """Ends the loads in progress; the engine hears of them in its next step."""
        self.pending_news = KVConnectorOutput(finished_recving=set())
        self._finish(self.pending_news)

    def _finish(self, news: KVConnectorOutput, within_step: bool = False) -> bool:
        """Ends the loads in progress; whether any block was lost."""
        any_lost = False
        jobs, self.loads = self.loads, []
        for job in jobs:
            buffers = [bytearray(self._nbytes(place)) for place in job.blocks]
            blocks = [self._block(place, buffer) for place, buffer in zip(job.blocks, buffers)]
            status = self.client.load(blocks, deadline_ms=10000).status
            lost = set()
            for place, buffer, each in zip(job.blocks, buffers, status):
                hit = each == incipit.BlockStatus.OK and not self.fail(place)
                assert not hit or buffer == content(place.key, place.group, len(buffer))
                self.memory[place.group, place.block_id] = place.key if hit else b"lost"
                if not hit:
                    lost.add(place.block_id)
            if not within_step:
                news.finished_recving.add(job.request_id)
            if lost and len(self.groups) > 1:
                news.failed_recving.add(job.request_id)
            elif lost:
                news.invalid_block_ids |= lost
            any_lost |= bool(lost)
        return any_lost

    def run(self, *until: Request) -> None:
        """Steps until these requests are done, or all."""
        deadline = time.monotonic() + STEP_LIMIT_S
        while self.scheduler.has_unfinished_requests() if not until else any(not r.is_finished() for r in until):
            assert time.monotonic() < deadline, "the engine does not get on"
            self.step()

    def abort(self, request: Request) -> None:
        self.scheduler.finish_requests(request.request_id, RequestStatus.FINISHED_ABORTED)

    def leases(self) -> int:
        return sum(shard["leases"] for shard in self.client.stats().values())

    def check_idle(self) -> None:
        """Nothing is kept of requests that ended: no block, no lease, no state."""
        for _ in range(self.in_flight + 1):
            self.step()  # tells of what has ended
        pool = self.scheduler.kv_cache_manager.block_pool
        assert pool.get_num_free_blocks() == self.free_blocks and not self.scheduler.requests
        assert not [name for name, value in vars(self.side).items() if isinstance(value, (dict, list)) and value]
        deadline = time.monotonic() + STEP_LIMIT_S
        while self.leases():
            assert time.monotonic() < deadline, "leases are still held"
            time.sleep(0.005)

    def close(self) -> None:
        self.scheduler.shutdown()
        self.client.close()
