"""Gives `incipit plan` gigabytes of trace through a pipe and watches how much memory it takes.

A line in a thousand is damaged, one in a hundred goes back in time. Prints a line for each way of planning; exits 1 if
a count is wrong or memory exceeds what its distinct blocks explain.
"""

import json
import os
import random
import subprocess
import sys
import time

LINES = 2000  # distinct ones, which come again and again
IDS = 1200
BLOCK_TOKENS = 16
SAMPLE = 0.05
MOST_BYTES = {"whole": 700 << 20, "sampled": 250 << 20}
REFERENCE_BYTES = {"whole": 0, "sampled": 16 * SAMPLE}  # beside what distinct blocks take


def make_lines(seed):
    """Prompts with shared openings: bytes of all lines, and how many of them are damaged."""
    chance = random.Random(seed)
    lines, damaged = [], 0
    for number in range(LINES):
        opening = chance.randrange(20)
        ids = [opening * IDS + i for i in range(IDS // 2)] + [1 << 40 | number * IDS + i for i in range(IDS // 2)]
        time_ms = 0 if chance.random() < 0.01 else number
        line = json.dumps(
            {"timestamp": time_ms, "input_length": IDS * BLOCK_TOKENS, "output_length": 1, "hash_ids": ids})
        if chance.random() < 0.001:
            line, damaged = line[:-3], damaged + 1
        lines.append(line)
    return ("\n".join(lines) + "\n").encode(), damaged


def plan(binary, batch, repetitions, more):
    command = [binary, "plan", "--trace", "/dev/stdin", "--block-tokens", str(BLOCK_TOKENS), "--policy", "lru,min",
               "--sizes", "5%,20%", "--sizing", "none", "--json", *more]
    start = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        # Its answer comes when it has read all, so nothing fills up meanwhile but the pipe that is written.
        os.set_blocking(running.stderr.fileno(), False)
        for _ in range(repetitions):
            running.stdin.write(batch)
        running.stdin.close()
        out = running.stdout.read()
        code = running.wait()
    if code != 0:
        sys.exit(f"plan_stream: plan ended with {code}")
    return json.loads(out), time.monotonic() - start


def main():
    gigabytes = float(os.environ.get("INCIPIT_CAMPAIGN_COUNT", "1"))
    seed = int(os.environ.get("INCIPIT_SEED", "1"))
    batch, damaged = make_lines(seed)
    repetitions = max(1, round(gigabytes * 1e9 / len(batch)))
    failed = False
    for name, more in (("whole", []), ("sampled", ["--sample", f"{100 * SAMPLE}%"])):
        report, seconds = plan(sys.argv[1], batch, repetitions, more)
        requests = (LINES - damaged) * repetitions
        most = MOST_BYTES[name] + 64 * requests + REFERENCE_BYTES[name] * report["block_references"]
        ok = report["requests"] == requests and report["peak_memory_bytes"] <= most
        failed |= not ok
        print(f"plan_stream {name}: seed {seed}, {repetitions * len(batch) / 1e9:.2f} GB in {seconds:.1f} s "
              f"({repetitions * len(batch) / 1e9 / seconds:.2f} GB/s with the writer), {report['requests']} requests, "
              f"{report['block_references']} block references, {report['unique_blocks']} distinct, peak memory "
              f"{report['peak_memory_bytes'] / 1e6:.0f} MB (at most {most / 1e6:.0f}): {'ok' if ok else 'FAILED'}")
    sys.exit(1 if failed else 0)


main()
