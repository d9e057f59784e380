"""The worker's side of the vLLM connector against a real node: which bytes come to lie in which blocks of the cache.

Needs torch; runs on the CPU, and on a GPU where torch finds one. The engine itself is played by these tests.
"""
from __future__ import annotations

import time
import types

import pytest

torch = pytest.importorskip("torch", reason="needs torch")

import vllm_stand_in  # noqa: E402

vllm_stand_in.install()
from incipit.vllm.config import Options  # noqa: E402
from incipit.vllm.geometry import Geometry, GroupGeometry, LayerPages  # noqa: E402
from incipit.vllm.metadata import BlockPlace, IncipitMetadata, LoadJob, StoreJob  # noqa: E402
from incipit.vllm.stats import Recorder  # noqa: E402
from incipit.vllm.worker_side import WorkerSide  # noqa: E402

LAYERS, BLOCKS, BLOCK_TOKENS, ENTRY = 3, 24, 16, 576
PAGE_BYTES = BLOCK_TOKENS * ENTRY * 2
DEADLINE_MS = 20000  # of loads that must succeed
POLL_S, POLL_LIMIT = 0.005, 8000


@pytest.fixture(params=["cpu", "cuda"])
def device(request):
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return torch.device(request.param)


def make_geometry(model: str) -> Geometry:
    layers = tuple(LayerPages(f"layer{index}", PAGE_BYTES) for index in range(LAYERS))
    group = GroupGeometry(0, "group0", "all", 0, BLOCK_TOKENS, layers)
    return Geometry((group,), hash_tokens=BLOCK_TOKENS, step_tokens=BLOCK_TOKENS, shards=1, replicas=1, model=model)


class Engine:
    """A worker with caches of its own, and the calls that the engine makes in a step."""

    def __init__(self, node, device, model, blocks_first=False, seed=0, **options):
        self.recorder = Recorder()
        self.geometry = make_geometry(model)
        generator = torch.Generator().manual_seed(seed)
        if blocks_first:
            # One tensor for all layers: a block's pages lie side by side.
            whole = self._random((BLOCKS, LAYERS, BLOCK_TOKENS, ENTRY), generator).to(device)
            self.caches = {f"layer{index}": whole[:, index] for index in range(LAYERS)}
        else:
            self.caches = {
                f"layer{index}": self._random((BLOCKS, BLOCK_TOKENS, ENTRY), generator).to(device)
                for index in range(LAYERS)
            }
        self.side = WorkerSide(Options(address=node.address, **options), self.geometry, 0, BLOCKS, self.recorder)
        self.side.register(self.caches)

    @staticmethod
    def _random(shape, generator):
        return torch.randint(-(1 << 15), 1 << 15, shape, generator=generator, dtype=torch.int16).view(torch.bfloat16)

    def block(self, index):
        """The bytes of block `index`, layer after layer, on the host."""
        return torch.stack([cache[index].contiguous().view(torch.int16) for cache in self.caches.values()]).cpu()

    def step(self, loads=(), stores=(), compute=lambda layer: None):
        self.side.begin_step(IncipitMetadata(loads=list(loads), stores=list(stores)))
        self.side.start_loads()
        for name in self.caches:
            self.side.wait_layer(name)
            compute(name)
            self.side.save_layer(name)
        self.side.end_step()

    def wait_for(self, request_id):
        """Runs empty steps until the load of `request_id` has ended; returns the blocks that failed."""
        failed = set()
        for _ in range(POLL_LIMIT):
            finished, _ = self.side.take_finished()
            failed |= self.side.take_failed_blocks()
            if request_id in finished:
                return failed
            self.step()
            time.sleep(POLL_S)
        pytest.fail(f"the load of {request_id} did not end")


@pytest.fixture
def engine(node, device, request):
    started = []

    def start(**options):
        started.append(Engine(node, device, f"worker-{request.node.name}", **options))
        return started[-1]
    yield start
    for each in started:
        each.side.close()


def places(keys, block_ids):
    return [BlockPlace(0, i * BLOCK_TOKENS, key, block) for i, (key, block) in enumerate(zip(keys, block_ids))]


def load_job(keys, block_ids, request_id="load"):
    return LoadJob(request_id, places(keys, block_ids), DEADLINE_MS, BLOCK_TOKENS * len(keys))


@pytest.mark.parametrize("blocks_first", [False, True])
@pytest.mark.parametrize("layerwise", [False, True])
def test_blocks_come_back_in_other_places(engine, make_keys, blocks_first, layerwise):
    keys = make_keys(5)
    writer = engine(blocks_first=blocks_first, seed=1, layerwise=layerwise)
    writer.step(stores=[StoreJob("store", places(keys, [7, 3, 20, 1, 12]))])
    writer.side.close()  # waits for the stores
    reader = engine(blocks_first=not blocks_first, seed=2, layerwise=layerwise)
    before = [reader.block(index) for index in range(BLOCKS)]
    seen = {}
    reader.step([load_job(keys, [2, 9, 4, 23, 0])], compute=lambda name: seen.update({name: reader.block(2)}))
    if layerwise:
        assert all(torch.equal(seen[f"layer{i}"][i], writer.block(7)[i]) for i in range(LAYERS))
        assert reader.side.take_failed_blocks() == set()
    else:
        assert reader.wait_for("load") == set()
    for source, target in zip([7, 3, 20, 1, 12], [2, 9, 4, 23, 0]):
        assert torch.equal(reader.block(target), writer.block(source))
        before[target] = writer.block(source)
    assert all(torch.equal(reader.block(index), before[index]) for index in range(BLOCKS))


def test_what_was_stored_is_what_the_step_computed(engine, make_keys):
    """Blocks are overwritten right after the step that stored them, while their bytes may still be on the way."""
    keys = make_keys(BLOCKS)
    writer, reader = engine(seed=3), engine(seed=4)
    expected = [writer.block(index) for index in range(BLOCKS)]
    writer.step(stores=[StoreJob("store", places(keys, range(BLOCKS)))])
    for cache in writer.caches.values():
        cache.zero_()
    writer.side.close()
    reader.step([load_job(keys, range(BLOCKS))])
    assert reader.wait_for("load") == set()
    assert all(torch.equal(reader.block(index), expected[index]) for index in range(BLOCKS))


def test_blocks_that_are_not_there_are_reported(engine, make_keys):
    keys = make_keys(4)
    writer, reader = engine(seed=5), engine(seed=6)
    writer.step(stores=[StoreJob("store", places(keys[:2], [0, 1]))])
    writer.side.close()
    others = reader.block(10)
    reader.step([load_job(keys, [5, 6, 7, 8])])
    assert reader.wait_for("load") == {7, 8}
    assert torch.equal(reader.block(5), writer.block(0)) and torch.equal(reader.block(6), writer.block(1))
    assert torch.equal(reader.block(10), others)


def test_many_loads_at_once_stay_apart(engine, make_keys):
    keys = make_keys(BLOCKS)
    writer, reader = engine(seed=7), engine(seed=8, store_buffer_bytes=1 << 20, load_threads=8)
    writer.step(stores=[StoreJob("store", places(keys, range(BLOCKS)))])
    writer.side.close()
    jobs = [load_job(keys[i : i + 1], [BLOCKS - 1 - i], f"load{i}") for i in range(BLOCKS)]
    reader.step(jobs)
    failed, waiting = set(), {job.request_id for job in jobs}
    for _ in range(POLL_LIMIT):
        finished, _ = reader.side.take_finished()
        failed |= reader.side.take_failed_blocks()
        waiting -= finished
        if not waiting:
            break
        time.sleep(POLL_S)
    assert not waiting and not failed
    assert all(torch.equal(reader.block(BLOCKS - 1 - i), writer.block(i)) for i in range(BLOCKS))


def test_a_step_with_more_than_the_buffer_holds_leaves_blocks_out(engine, make_keys):
    keys = make_keys(BLOCKS)
    writer = engine(seed=9, store_buffer_bytes=1 << 20, store_stall_ms=0)
    fit = (1 << 20) // (LAYERS * PAGE_BYTES)
    assert fit < BLOCKS
    writer.step(stores=[StoreJob("store", places(keys, range(BLOCKS)))])
    writer.side.close()
    counts = writer.recorder.take().data
    assert counts["store_blocks"] == fit and counts["store_skipped_blocks"] == BLOCKS - fit


def test_a_dead_node_fails_loads_and_drops_stores(device, make_keys, request):
    nobody = types.SimpleNamespace(address="tcp://127.0.0.1:1")
    engine = Engine(nobody, device, f"worker-{request.node.name}", seed=10)
    keys, before = make_keys(2), engine.block(4)
    engine.step([load_job(keys, [4, 5])], [StoreJob("store", places(keys, [0, 1]))])
    assert engine.wait_for("load") == {4, 5}
    engine.side.close()
    assert torch.equal(engine.block(4), before)
    assert engine.recorder.take().data["store_failed_blocks"] == 2


def test_a_load_comes_after_what_the_engine_had_queued(engine, device, make_keys):
    """A block's previous owner may still be writing to it when the load is told of it.

    CUDA also waits by itself where it takes new memory, so that this may pass without the load's own wait.
    """
    if device.type != "cuda":
        pytest.skip("only a CUDA device has work queued")
    keys = make_keys(1)
    writer, reader = engine(seed=11), engine(seed=12, load_threads=1)
    writer.step(stores=[StoreJob("store", places(keys, [0]))])
    writer.side.close()
    # The first load makes pinned memory, for which CUDA waits until the device is idle.
    reader.step([load_job(keys, [5], "first")])
    assert reader.wait_for("first") == set()
    torch.cuda._sleep(2_000_000_000)  # about a second: far longer than the load takes
    for cache in reader.caches.values():
        cache[3].zero_()
    reader.step([load_job(keys, [3])])
    assert reader.wait_for("load") == set()
    torch.cuda.synchronize()
    assert torch.equal(reader.block(3), writer.block(0))
