"""What calling from Python costs: the package against the C++ client, in turn, on one node.

load:  1 GiB of blocks of deepseek-v3-bf16 from the RAM tier, calls of 64 MiB into 256 MiB of memory.
match: 1,048,576 tokens of deepseek-v4.1-flash, 16,384 keys, all hits.

    python3 client/python/bench/overhead.py --binary build/release/incipit

The C++ side is `incipit bench --op load|match --connect`; both sides store a data set of their own before they are
measured, because what the other stores may evict it. Prints JSON; exit status 1 if a byte was wrong or a block missed.
"""
from __future__ import annotations

import argparse
import json
import mmap
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import numpy as np

import incipit

MIB = 1 << 20
DATA_BYTES, BUFFER_BYTES, CALL_BYTES = 1024 * MIB, 256 * MIB, 64 * MIB
MATCH_TOKENS, MATCHES = 1 << 20, 20
NODE_RAM = "3GiB"
DEADLINE_MS = 60_000
CPP_TRIES = 3
TARGETS = {"load": 1.05, "match": 1.5}


def start_node(binary: str, folder: pathlib.Path) -> tuple[subprocess.Popen[bytes], str]:
    ready = folder / "ready"
    node = subprocess.Popen([binary, "serve", "--listen", "127.0.0.1:0", "--http", "none", "--shards", "1", "--ram",
                             NODE_RAM, "--ready-file", str(ready), "--log-level", "error"],
                            stdout=subprocess.DEVNULL)
    while not (ready.exists() and ready.read_text().endswith("\n")):
        if node.poll() is not None:
            raise SystemExit(f"the node ended with status {node.returncode} at start")
        time.sleep(0.01)
    return node, "tcp://" + ready.read_text().split("\n")[0].removeprefix("tcp://")


def mapped(nbytes: int) -> np.ndarray:
    memory = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)  # as the C++ benchmark's memory
    return np.frombuffer(memory, dtype=np.uint8)


class PythonSide:
    """One data set after the other, each with keys of its own, in the memory that loads land in."""

    def __init__(self, address: str, layout: incipit.Layout, total_bytes: int) -> None:
        self._address, self._layout, self._group = address, layout, layout.groups[0]
        self._count = -(-total_bytes // self._group.block_bytes)
        self._buffer, self._sets = mapped(BUFFER_BYTES), 0
        self._payload = np.random.default_rng(1).integers(0, 256, BUFFER_BYTES, dtype=np.uint8)

    def _connect(self) -> incipit.Client:
        return incipit.Client(self._address, "bench-python", self._layout, default_deadline_ms=DEADLINE_MS)

    def _calls(self, keys: incipit.PackedKeys) -> Iterator[list[list[incipit.Block]]]:
        """Rounds of calls: a round fills the buffer."""
        size, step = self._group.block_bytes, self._group.block_tokens
        in_buffer, in_call = BUFFER_BYTES // size, CALL_BYTES // size
        for first in range(0, self._count, in_buffer):
            round_ = range(first, min(first + in_buffer, self._count))
            yield [[incipit.Block(0, i * step, keys[i], self._buffer[(i - first) * size:(i - first + 1) * size])
                    for i in round_[at:at + in_call]] for at in range(0, len(round_), in_call)]

    def _store(self) -> incipit.PackedKeys:
        self._sets += 1
        seed = [os.getpid(), time.time_ns(), self._sets]
        keys = incipit.PackedKeys(np.random.default_rng(seed).integers(0, 256, self._count * 32, dtype=np.uint8), 32)
        self._buffer[:] = self._payload
        with self._connect() as client:
            for call in (call for calls in self._calls(keys) for call in calls):
                while call:  # again while the node is busy
                    status = client.store(call)
                    call = [block for block, stored in zip(call, status) if stored not in (0, 2)]
        return keys

    def load(self) -> float:
        """Seconds of one pass; only the client's calls are timed."""
        keys, seconds = self._store(), 0.0
        with self._connect() as client:
            for calls in self._calls(keys):
                self._buffer[:] = 0
                start = time.perf_counter()
                results = [client.load(call) for call in calls]
                seconds += time.perf_counter() - start
                loaded = sum(len(call) for call in calls) * self._group.block_bytes
                if any(any(result.status) for result in results) or not np.array_equal(
                        self._buffer[:loaded], self._payload[:loaded]):
                    raise SystemExit("load: a block was missed or a byte is wrong")
        return seconds * DATA_BYTES / (self._count * self._group.block_bytes)

    def match(self) -> float:
        """Seconds of the median match."""
        keys, times = self._store(), []
        with self._connect() as client:
            for _ in range(MATCHES + 1):
                start = time.perf_counter()
                found = client.match([keys])
                longest = found.longest_tokens
                times.append(time.perf_counter() - start)
                if longest != len(keys) * self._group.block_tokens:
                    raise SystemExit("match: a block was missed")
        return statistics.median(times[1:])  # after a pause the first one finds everybody asleep


def measure_cpp(binary: str, address: str, op: str, layout: str) -> float:
    """Seconds, as PythonSide gives them."""
    for _ in range(CPP_TRIES):
        ran = subprocess.run([binary, "bench", "--op", op, "--layout", layout, "--connect", address, "--pairs", "1",
                              "--json"], capture_output=True, text=True, check=False)
        report = json.loads(ran.stdout)
        if "error" not in report:
            break  # Otherwise nothing was measured: the plain stream beside it may fail to start on a busy machine.
        print(f"{op}: the C++ benchmark did not run: {report['error']['message']}", file=sys.stderr)
    if ran.returncode != 0 or report["wrong_bytes"] or report["failures"]:
        raise SystemExit(f"the C++ benchmark failed: {ran.stdout}{ran.stderr}")
    return DATA_BYTES / 1e9 / report["value"] if op == "load" else report["value"] / 1e6


def compare(binary: str, address: str, op: str, pairs: int) -> dict[str, object]:
    name = {"load": "deepseek-v3-bf16", "match": "deepseek-v4.1-flash"}[op]
    layout = incipit.Layout.named(name)
    group = layout.groups[0]
    total = DATA_BYTES if op == "load" else MATCH_TOKENS // group.block_tokens * group.block_bytes
    python = PythonSide(address, layout, total)
    samples: list[tuple[float, float]] = []
    for pair in range(pairs):
        both = {}
        for side in ("python", "cpp") if pair % 2 else ("cpp", "python"):
            both[side] = getattr(python, op)() if side == "python" else measure_cpp(binary, address, op, name)
        samples.append((both["python"], both["cpp"]))
        print(f"{op}: pair {pair + 1} of {pairs}: {both['python'] / both['cpp']:.3f}", file=sys.stderr)
    ratios = sorted(ours / theirs for ours, theirs in samples)
    unit, scale = ("ms_per_gib", 1e3) if op == "load" else ("us", 1e6)
    ratio = round(statistics.median(ratios), 4)
    return {"layout": name, "pairs": pairs, "unit": unit,
            "python": round(statistics.median(ours for ours, _ in samples) * scale, 1),
            "cpp": round(statistics.median(theirs for _, theirs in samples) * scale, 1),
            "ratio": ratio, "ratio_range": [round(ratios[0], 4), round(ratios[-1], 4)],
            "target": {"ratio_at_most": TARGETS[op], "met": ratio <= TARGETS[op]}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="build/release/incipit", help="the C++ benchmark, and the node")
    parser.add_argument("--connect", help="address of a running node with 3 GiB of RAM tier; default: a private one")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--op", choices=("load", "match"), action="append", help="default: both")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        node, address = (None, options.connect) if options.connect else start_node(options.binary, pathlib.Path(folder))
        try:
            report = {op: compare(options.binary, address, op, options.pairs) for op in options.op or TARGETS}
        finally:
            if node is not None:
                node.send_signal(signal.SIGTERM)
                node.wait()
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
