"""The engine's part in tests of the scheduler side: requests, step outputs and block tables as vLLM hands them over."""
from __future__ import annotations

import dataclasses
import hashlib
import itertools
import time
import types
from typing import Any

import incipit
import vllm_stand_in

vllm_stand_in.install()
from incipit.vllm.config import Options  # noqa: E402
from incipit.vllm.geometry import Geometry, GroupGeometry, LayerPages  # noqa: E402
from incipit.vllm.scheduler_side import SchedulerSide  # noqa: E402
from incipit.vllm.stats import Recorder  # noqa: E402

BLOCK_TOKENS = 16
PAGE_BYTES = 256
WAIT_MS = 20000  # for what must come; nobody waits so long where things work
_serial = itertools.count()


def unique(name: str = "model") -> str:
    return f"{name}-{next(_serial)}-{time.monotonic_ns()}"


def make_group(index: int, rule="all", window_tokens: int = 0, block_tokens: int = BLOCK_TOKENS) -> GroupGeometry:
    layers = tuple(LayerPages(f"layers.{index}.{layer}", PAGE_BYTES) for layer in range(2))
    return GroupGeometry(index, f"group{index}", rule, window_tokens, block_tokens, layers)


def make_geometry(*groups: GroupGeometry, hash_tokens: int = BLOCK_TOKENS, shards: int = 1) -> Geometry:
    groups = groups or (make_group(0),)
    step_tokens = max(group.block_tokens for group in groups)
    return Geometry(groups, hash_tokens, step_tokens, shards=shards, replicas=1, model=unique())


def chain(opening: object, count: int) -> list[bytes]:
    """Block hashes of a prompt with that opening."""
    return [hashlib.sha256(f"{opening}/{index}".encode()).digest() for index in range(count)]


@dataclasses.dataclass
class PlayedRequest:
    """What the connector reads of vllm.v1.request.Request."""

    request_id: str
    num_tokens: int
    opening: object
    hash_tokens: int = BLOCK_TOKENS
    num_prompt_tokens: int = 0
    num_computed_tokens: int = 0
    kv_transfer_params: Any = None
    skip_reading_prefix_cache: bool = False
    block_hashes: list[bytes] = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self.num_prompt_tokens = self.num_prompt_tokens or self.num_tokens
        self.grow(0)

    def grow(self, tokens: int) -> None:
        """Tokens that the engine has sampled."""
        self.num_tokens += tokens
        self.block_hashes = chain(self.opening, self.num_tokens // self.hash_tokens)


def request(blocks: int = 8, opening: object = None, **fields) -> PlayedRequest:
    """A request of `blocks` blocks and one token more, so that all of them can be loaded."""
    name = unique("request")
    return PlayedRequest(name, blocks * BLOCK_TOKENS + 1, name if opening is None else opening, **fields)


def step_output(scheduled: dict[str, tuple[int, int]], tables: dict[str, tuple[list[int], ...]], new=(), drafted=None):
    """A SchedulerOutput. scheduled: request id -> tokens computed before the step, tokens of the step."""
    cached = [name for name in scheduled if name not in new]
    return types.SimpleNamespace(
        scheduled_new_reqs=[
            types.SimpleNamespace(req_id=name, num_computed_tokens=scheduled[name][0]) for name in new
        ],
        scheduled_cached_reqs=types.SimpleNamespace(
            req_ids=cached, num_computed_tokens=[scheduled[name][0] for name in cached]
        ),
        num_scheduled_tokens={name: tokens for name, (_, tokens) in scheduled.items()},
        scheduled_spec_decode_tokens={name: [0] * count for name, count in (drafted or {}).items()},
        kv_connector_block_state=types.SimpleNamespace(get_block_ids=tables.get),
    )


def worker_output(received=(), failed=(), invalid_blocks=()):
    """A KVConnectorOutput."""
    return types.SimpleNamespace(
        finished_recving=set(received), failed_recving=set(failed), invalid_block_ids=set(invalid_blocks)
    )


class Scheduler(SchedulerSide):
    """The scheduler side with options for tests: nothing is too short to load, and answers are waited for."""

    def __init__(self, address: str, geometry: Geometry, **options):
        self.recorder = Recorder()
        defaults = {"min_tokens": 0, "match_wait_ms": WAIT_MS, "match_deadline_ms": WAIT_MS}
        super().__init__(Options(address=address, **{**defaults, **options}), geometry, self.recorder)
        self.geometry = geometry
        self._kept: list[incipit.Match] = []
        for tier in self._lookups._tiers:
            tier.match = self._keeping(tier.match)

    def _keeping(self, match):
        """Keeps matches alive: an object that goes away gives its lease back, which would hide that nobody else did."""

        def ask(*arguments):
            answer = match(*arguments)
            self._kept.append(answer)
            return answer

        return ask

    def step(self, *arguments, **fields):
        return self.build_metadata(step_output(*arguments, **fields))

    def idle(self):
        return self.step({}, {})

    def counts(self) -> dict[str, int]:
        stats = self.recorder.take()
        return stats.data if stats is not None else {}


def fill(node, geometry: Geometry, opening: object, blocks: int, groups=None) -> None:
    """Stores the first `blocks` blocks of a prompt on the node, for every shard."""
    hashes = chain(opening, blocks * geometry.groups[0].block_tokens // geometry.hash_tokens)
    for shard in range(geometry.shards):
        with incipit.Client(node.address, geometry.model_of_shard(shard), geometry.layout()) as client:
            for index, group in enumerate(geometry.groups):
                per_block = group.block_tokens // geometry.hash_tokens
                client.store(
                    [
                        incipit.Block(
                            index, at * group.block_tokens, hashes[(at + 1) * per_block - 1], bytes(group.block_bytes)
                        )
                        for at in range(len(hashes) // per_block)
                        if groups is None or index in groups
                    ]
                )


class Leases:
    """The node's count of leases, as differences from the start, because tests share a node."""

    def __init__(self, node, geometry: Geometry):
        self._client = incipit.Client(node.address, geometry.model, geometry.layout())
        self._granted = self._sum("leases_granted_total")
        self._gone = self._sum("releases_total") + self._sum("leases_expired_total")

    def _sum(self, name: str) -> int:
        return sum(shard[name] for shard in self._client.stats().values())

    @property
    def granted(self) -> int:
        return self._sum("leases_granted_total") - self._granted

    def await_held(self, count: int) -> None:
        """Releases are messages of their own, so their effect is awaited."""
        deadline = time.monotonic() + WAIT_MS / 1000
        while self._sum("leases") != count:
            assert time.monotonic() < deadline, f"{self._sum('leases')} leases are held, not {count}"
            time.sleep(0.005)

    def close(self) -> None:
        self._client.close()
