"""Single flight in the scheduler's side of the vLLM connector, between two schedulers and a real node.

The connector's modules name types of vLLM; where it is not installed, empty ones stand in for them.
"""
from __future__ import annotations

import importlib
import importlib.util
import pathlib
import sys
import time
import types

import incipit
import pytest

BLOCK_TOKENS = 16
BLOCKS = 32
TOKENS = BLOCKS * BLOCK_TOKENS
STAND_INS = {
    "vllm.distributed.kv_transfer.kv_connector.v1.base": ["KVConnectorMetadata"],
    "vllm.distributed.kv_transfer.kv_connector.v1.metrics": ["KVConnectorPromMetrics", "KVConnectorStats"],
    "vllm.v1.core.kv_cache_utils": ["resolve_kv_cache_block_sizes"],
    "vllm.v1.kv_cache_interface": [
        "FullAttentionSpec", "KVCacheConfig", "SlidingWindowSpec", "UniformTypeKVCacheSpecs"],
}


@pytest.fixture(scope="module")
def connector():
    """The modules config, scheduler_side and stats of incipit.vllm; sys.modules is as before afterwards."""
    before = dict(sys.modules)
    if importlib.util.find_spec("vllm") is None:
        for name, attributes in STAND_INS.items():
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                sys.modules.setdefault(".".join(parts[:end]), types.ModuleType(".".join(parts[:end])))
            for attribute in attributes:
                setattr(sys.modules[name], attribute, type(attribute, (), {"__init__": lambda self, **kwargs: None}))
        # Without its __init__, which needs torch.
        package = types.ModuleType("incipit.vllm")
        package.__path__ = [str(pathlib.Path(incipit.__file__).parent / "vllm")]
        sys.modules["incipit.vllm"] = package
    yield types.SimpleNamespace(
        **{name: importlib.import_module(f"incipit.vllm.{name}") for name in ("config", "scheduler_side", "stats")})
    for name in set(sys.modules) - set(before):
        if name.startswith(("vllm", "incipit.vllm")):
            del sys.modules[name]


class Geometry:
    """One group of one shard, as describe() would make it."""

    hash_tokens = step_tokens = BLOCK_TOKENS
    shards = 1

    def __init__(self, layout):
        self._layout = layout
        self.groups = [types.SimpleNamespace(block_tokens=BLOCK_TOKENS, engine_group=0)]

    def model_of_shard(self, shard):
        return f"single-flight-{shard}"

    def layout(self):
        return self._layout


@pytest.fixture(scope="module")
def flight_layout():
    return incipit.Layout.custom("one-group", [incipit.Group("kv", block_tokens=BLOCK_TOKENS, layers=2,
                                                             bytes_per_entry=32)])


@pytest.fixture
def make_side(node, connector, flight_layout):
    """make_side(**options): the scheduler's side of one engine, with counters in its attribute `seen`."""
    made = []

    def make(**options):
        chosen = connector.config.Options.from_extra_config(
            {"address": node.address, "min_tokens": 16, "match_deadline_ms": 2000, "single_flight": True} | options)
        recorder = connector.stats.Recorder()
        side = connector.scheduler_side.SchedulerSide(chosen, Geometry(flight_layout), recorder)
        side.seen = recorder
        made.append(side)
        return side

    yield make
    for side in made:
        side.close()


@pytest.fixture
def worker(node, flight_layout):
    """Stores blocks as an engine's workers do, over a connection of their own."""
    with incipit.Client(node.address, "single-flight-0", flight_layout) as client:
        def store(keys, first, end):
            nbytes = flight_layout.groups[0].block_bytes
            statuses = client.store([(0, i * BLOCK_TOKENS, keys[i], bytes(nbytes)) for i in range(first, end)])
            assert statuses == bytes(end - first)
        yield store


_request_count = 0


def request_of(keys, computed=0, **parameters):
    global _request_count
    _request_count += 1
    return types.SimpleNamespace(
        request_id=f"request-{_request_count}", num_tokens=TOKENS + 1, num_prompt_tokens=TOKENS + 1,
        num_computed_tokens=computed, block_hashes=keys, kv_transfer_params=parameters or None,
        skip_reading_prefix_cache=False)


def ask(side, request, timeout_s=20.0):
    """What the scheduler is told once it is told something."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        tokens, asynchronous = side.match(request, 0)
        if tokens is not None:
            return tokens, asynchronous
    raise AssertionError("asked again and again in vain")


def held_up(side, request, asks=40):
    return all(side.match(request, 0)[0] is None for _ in range(asks))


def test_one_computes_and_the_other_loads(make_side, worker, make_keys):
    keys = make_keys(BLOCKS)
    one, other = make_side(), make_side()
    first, second = request_of(keys), request_of(keys)
    assert ask(one, first) == (0, False)
    assert held_up(other, second)
    worker(keys, 0, BLOCKS // 2)
    assert held_up(other, second)
    worker(keys, BLOCKS // 2, BLOCKS)
    assert ask(other, second) == (TOKENS, True)
    assert one.seen.take().data["claims"] == 1
    assert "claims" not in other.seen.take().data
    first.num_computed_tokens = TOKENS + 1
    one.finished(first)
    other.finished(second)


def test_an_aborted_request_hands_over(make_side, worker, make_keys):
    keys = make_keys(BLOCKS)
    one, other = make_side(claim_ms=60_000), make_side()
    first, second = request_of(keys), request_of(keys)
    assert ask(one, first) == (0, False)
    assert held_up(other, second)
    worker(keys, 0, 8)
    one.finished(first)
    assert ask(other, second) == (8 * BLOCK_TOKENS, True)
    assert other.seen.take().data["claims"] == 1


def test_a_silent_engine_loses_its_claim(make_side, make_keys):
    keys = make_keys(BLOCKS)
    one, other = make_side(claim_ms=300), make_side()
    first, second = request_of(keys), request_of(keys)
    assert ask(one, first) == (0, False)
    assert ask(other, second) == (0, False)
    assert other.seen.take().data["claims"] == 1


def test_renewal_in_every_step_keeps_the_claim(make_side, make_keys):
    keys = make_keys(BLOCKS)
    one, other = make_side(claim_ms=300), make_side(wait_ms=1500)
    first, second = request_of(keys), request_of(keys)
    assert ask(one, first) == (0, False)
    step = types.SimpleNamespace(
        scheduled_new_reqs=[], kv_connector_block_state=None, num_scheduled_tokens={}, scheduled_spec_decode_tokens={},
        scheduled_cached_reqs=types.SimpleNamespace(req_ids=[], num_computed_tokens=[]))
    until_s = time.monotonic() + 1.2
    while time.monotonic() < until_s:
        one.build_metadata(step)
        assert other.match(second, 0)[0] is None
    # It waits no longer than it may, and then computes although the other one is alive.
    while True:
        one.build_metadata(step)
        tokens, _ = other.match(second, 0)
        if tokens is not None:
            break
    assert tokens == 0
    assert "claims" not in other.seen.take().data


def test_two_requests_of_one_engine_compute_once(make_side, worker, make_keys):
    keys = make_keys(BLOCKS)
    side = make_side()
    first, second = request_of(keys), request_of(keys)
    assert ask(side, first) == (0, False)
    assert held_up(side, second)
    worker(keys, 0, BLOCKS)
    assert ask(side, second) == (TOKENS, True)


def test_it_is_off_by_default_and_can_be_asked_for_by_a_request(make_side, make_keys):
    keys = make_keys(BLOCKS)
    side = make_side(single_flight=False)
    assert ask(side, request_of(keys)) == (0, False)
    assert ask(side, request_of(keys)) == (0, False)
    assert "claims" not in side.seen.take().data
    assert ask(side, request_of(keys, incipit_single_flight=True)) == (0, False)
    assert side.seen.take().data["claims"] == 1


def test_an_engine_that_stores_nothing_claims_nothing(make_side, make_keys):
    side = make_side(store=False)
    assert ask(side, request_of(make_keys(BLOCKS))) == (0, False)
    assert "claims" not in side.seen.take().data


def test_a_request_that_goes_away_while_it_waits_leaves_nothing(make_side, make_keys):
    keys = make_keys(BLOCKS)
    one, other = make_side(claim_ms=60_000), make_side()
    first, second = request_of(keys), request_of(keys)
    assert ask(one, first) == (0, False)
    assert held_up(other, second)
    other.finished(second)
    start_s = time.monotonic()
    other.close()
    assert time.monotonic() - start_s < 10  # far below wait_ms
