"""How fast the vLLM connector moves blocks between a GPU's cache and pinned host memory.

    python client/python/bench/gpu_staging.py [--layers 61] [--blocks 64] [--rounds 9]

Needs torch with CUDA and incipit. The ceiling is one copy of as many bytes between pinned memory and the GPU, in the
same round; figures are medians over rounds. The cache is that of a DeepSeek-V3: per layer [blocks, 64, 576] bf16.
"""
import argparse
import json
import random
import statistics
import sys
import time

import torch

ENTRY, BLOCK_TOKENS = 576, 64


def seconds(work) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=61)
    parser.add_argument("--blocks", type=int, default=64, help="blocks moved at a time")
    parser.add_argument("--cache-blocks", type=int, default=2048, help="blocks in the cache")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("gpu_staging.py: torch finds no CUDA device here; run it on a machine with a GPU", file=sys.stderr)
        return 2
    from incipit.vllm.geometry import Geometry, GroupGeometry, LayerPages
    from incipit.vllm.memory import CacheMemory, copy_in, copy_out
    from incipit.vllm.staging import Chunk

    page_bytes = BLOCK_TOKENS * ENTRY * 2
    layers = tuple(LayerPages(f"layer{i}", page_bytes) for i in range(arguments.layers))
    group = GroupGeometry(0, "kv", "all", 0, BLOCK_TOKENS, layers)
    geometry = Geometry((group,), BLOCK_TOKENS, BLOCK_TOKENS, shards=1, replicas=1, model="bench")
    shape = (arguments.cache_blocks, BLOCK_TOKENS, ENTRY)
    caches = {layer.name: torch.zeros(shape, dtype=torch.bfloat16, device="cuda") for layer in layers}
    memory = CacheMemory(geometry, caches, arguments.cache_blocks)
    chunk = Chunk(arguments.blocks * group.block_bytes, pinned=True)
    plain = torch.empty(chunk.bytes.numel(), dtype=torch.uint8, device="cuda")
    everything = set(range(arguments.layers))
    ids = random.Random(1).sample(range(arguments.cache_blocks), arguments.blocks)
    work = {
        "out": lambda: copy_out(memory, group, 0, ids, chunk, everything),
        "out_ceiling": lambda: chunk.bytes.copy_(plain, non_blocking=True),
        "in": lambda: copy_in(memory, group, 0, ids, chunk),
        "in_ceiling": lambda: plain.copy_(chunk.bytes, non_blocking=True),
    }
    for run in work.values():
        run()
    times = {name: [] for name in work}
    for _ in range(arguments.rounds):
        for name, run in work.items():
            times[name].append(seconds(run))
    rate = {name: chunk.bytes.numel() / statistics.median(taken) / 1e9 for name, taken in times.items()}
    report = {"device": torch.cuda.get_device_name(), "bytes": chunk.bytes.numel(), "rounds": arguments.rounds}
    for way in ("out", "in"):
        report[way] = {"gb_per_s": round(rate[way], 2), "ceiling_gb_per_s": round(rate[way + "_ceiling"], 2),
                       "ratio": round(rate[way] / rate[way + "_ceiling"], 3)}
    print(json.dumps(report, indent=None if arguments.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
