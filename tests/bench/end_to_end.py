#!/usr/bin/env python3
"""Runs one command of the real binary at a tiny size and checks what it reports: end_to_end.py BINARY CASE."""
import json
import os
import subprocess
import sys
import tempfile

BLOCK_TOKENS = 16


def run(binary, *arguments):
    result = subprocess.run([binary, *arguments, "--json"], capture_output=True, text=True, timeout=240, check=False)
    print(" ".join(arguments), "->", result.returncode, result.stdout, result.stderr)
    assert result.returncode == 0, f"exit status {result.returncode}"
    return json.loads(result.stdout)


def expect(found, wanted, what):
    assert found == wanted, f"{what}: found {found}, expected {wanted}"


def conversations():
    """Ten conversations of five turns over one shared opening; block ids are global prefix ids."""
    next_id = 4
    histories = [[0, 1, 2, 3] for _ in range(10)]
    for turn in range(5):
        for history in histories:
            history.extend(range(next_id, next_id + 3))
            next_id += 3
            # The last block of every prompt is half full.
            yield {"timestamp": turn * 1000, "input_length": len(history) * BLOCK_TOKENS - 8, "output_length": 3,
                   "hash_ids": list(history)}


def replay(binary, *tiers):
    requests = list(conversations())
    seen, hit_tokens = set(), 0
    for request in requests:
        hits = 0
        while hits < len(request["hash_ids"]) and request["hash_ids"][hits] in seen:
            hits += 1
        hit_tokens += min(hits * BLOCK_TOKENS, request["input_length"])
        seen.update(request["hash_ids"])
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as trace:
        trace.writelines(json.dumps(request) + "\n" for request in requests)
        trace.flush()
        report = run(binary, "replay", "--trace", trace.name, "--block-tokens", str(BLOCK_TOKENS), "--bytes-per-token",
                     "4096", "--shards", "2", "--workers", "1", "--spawn", *tiers)
    total = sum(request["input_length"] for request in requests)
    expect(report["wrong_bytes"], 0, "wrong_bytes")
    expect(report["requests"], len(requests), "requests")
    expect(report["blocks"], sum(len(request["hash_ids"]) for request in requests), "blocks")
    expect(report["refused_blocks"], 0, "refused_blocks")
    assert abs(report["token_hit_ratio"] - hit_tokens / total) < 1e-4, "a cache with room for all must hit all"
    assert report["gb_per_s"] > 0
    expect(sorted(report["latency_us"]), ["p50", "p99", "p999"], "latency_us")


def replay_ram(binary):
    replay(binary, "--ram-bytes", "64MiB")


def replay_nvme(binary):
    replay(binary, "--ram-percent", "20", "--nvme-bytes", "128MiB")


def demo(binary):
    with tempfile.TemporaryDirectory() as directory:
        for index in range(8):
            with open(os.path.join(directory, f"file{index}.txt"), "w", encoding="utf-8") as file:
                file.writelines(f"line {line} of file {index}\n" for line in range(400))
        report = run(binary, "demo", "--dir", directory)
    expect(report["ok"], True, "ok")
    expect(report["wrong_bytes"], 0, "wrong_bytes")
    steps = report["steps"]
    expect([step["name"] for step in steps], ["store", "load", "load-edited", "load-after-crash"], "steps")
    store, whole, edited, after_crash = (step["tokens_matched"] for step in steps)
    expect(store, 0, "tokens matched by the first worker")
    expect(after_crash, whole, "tokens matched after the crash")
    assert 0 < edited < whole, f"an edited prompt matches a part: {edited} of {whole}"
    expect(steps[3]["blocks_from_nvme"], steps[3]["blocks"], "blocks that came from NVMe after the crash")
    expect(len({step["process_id"] for step in steps}), 4, "processes")


def bench(binary):
    for layout in ("deepseek-v3-bf16", "deepseek-v4.1-flash"):
        for op in ("load", "store"):
            report = run(binary, "bench", "--op", op, "--lane", "tcp", "--layout", layout, "--tier", "ram", "--spawn",
                         "--data-bytes", "16MiB", "--buffer-bytes", "8MiB", "--pairs", "1")
            expect(report["wrong_bytes"], 0, "wrong_bytes")
            expect(sorted(report["ceiling"]), ["name", "unit", "value"], "ceiling")
            assert report["value"] > 0 and report["ratio"] > 0
        report = run(binary, "bench", "--op", "load", "--lane", "unix", "--layout", layout, "--data-bytes", "16MiB",
                     "--buffer-bytes", "8MiB", "--pairs", "1")
        expect(report["wrong_bytes"], 0, "wrong_bytes over unix")
        assert report["ratio"] > 0 and report["details"]["over_tcp"] > 0
    report = run(binary, "bench", "--op", "match", "--layout", "deepseek-v4.1-flash", "--tokens", "2048",
                 "--pairs", "1")
    expect(report["details"]["keys"], 32, "keys")
    report = run(binary, "bench", "--op", "hash", "--tokens", "65536", "--pairs", "1")
    assert 0 < report["ratio"]
    for codec in ("bf16-lossless", "bf16-lossless-fast", "fp8-lossless", "zstd-1"):
        report = run(binary, "bench", "--op", "codec", "--codec", codec, "--data-bytes", "4MiB", "--pairs", "1")
        expect(report["wrong_bytes"], 0, "wrong_bytes")
        assert 1.1 < report["ratio"] < 2 and report["decode_gb_per_s"] > 0
    for op in ("load", "store"):
        report = run(binary, "bench", "--op", op, "--codec", "bf16-lossless-fast", "--data-bytes", "16MiB",
                     "--buffer-bytes", "8MiB", "--pairs", "1")
        expect((report["wrong_bytes"], report["failures"]), (0, 0), "wrong bytes and failures with a codec")
        assert report["ratio"] > 0 and report["details"]["stored_ratio"] > 1.4
    run(binary, "bench", "--op", "overload", "--layout", "deepseek-v4.1-flash", "--data-bytes", "16MiB", "--pairs", "1",
        "--seconds", "1")
    report = run(binary, "bench", "--op", "scale", "--nodes", "3", "--data-bytes", "64MiB", "--batch-bytes", "16MiB",
                 "--pairs", "1", "--seconds", "1")
    expect((report["wrong_bytes"], report["failures"]), (0, 0), "wrong bytes and failures of several nodes")
    expect([step["nodes"] for step in report["details"]["by_nodes"]], [1, 2, 3], "sizes of clusters")
    report = run(binary, "bench", "--op", "auth", "--layout", "deepseek-v4.1-flash", "--data-bytes", "16MiB",
                 "--buffer-bytes", "8MiB", "--pairs", "1")
    expect(report["wrong_bytes"], 0, "wrong_bytes")


if __name__ == "__main__":
    {"replay-ram": replay_ram, "replay-nvme": replay_nvme, "demo": demo, "bench": bench}[sys.argv[2]](sys.argv[1])
