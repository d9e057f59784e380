"""Times `incipit plan` on a generated workload of millions of block references.

Two plans: leaf-first LRU, and all policies at six sizes. Prints seconds and peak memory of each beside what is promised
for 11 million references on two cores; times are no failure here, since machines differ, memory over 2 GB is one.
"""

import json
import os
import resource
import subprocess
import sys
import time

AGENTIC_TOKENS = 4.9e9  # of all prompts of that workload, nearly whatever the seed
MOST_BYTES = 2_000_000_000
POLICIES = "fifo,lru,lfu,lfu-kept,s3-fifo,sieve,arc,w-tinylfu,gdsf,gil,gil-cost,auto,min"


def plan(binary, seed, block_tokens, policies):
    command = [binary, "plan", "--workload", "agentic", "--seed", str(seed), "--block-tokens", str(block_tokens),
               "--policy", policies, "--sizes", "1%,2%,5%,10%,20%,50%", "--threads", "2", "--sizing", "none", "--json"]
    start, cpu_before_s = time.monotonic(), cpu_seconds()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return json.loads(done.stdout), time.monotonic() - start, cpu_seconds() - cpu_before_s


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main():
    millions = float(os.environ.get("INCIPIT_CAMPAIGN_COUNT", "1"))
    seed = int(os.environ.get("INCIPIT_SEED", "1"))
    block_tokens = max(16, int(AGENTIC_TOKENS / (millions * 1e6)))
    failed = False
    for name, policies, promised_s in (("lru", "lru", 3), ("all policies", POLICIES, 180)):
        report, seconds, cpu_s = plan(sys.argv[1], seed, block_tokens, policies)
        memory = report["peak_memory_bytes"]
        failed |= memory > MOST_BYTES
        print(f"plan_large {name}: seed {seed}, {report['block_references'] / 1e6:.2f} million references, "
              f"{report['unique_blocks']} distinct, {seconds:.2f} s, {cpu_s:.2f} of processors ({promised_s} s are "
              f"promised for 11 million), peak memory {memory / 1e6:.0f} MB (2000): "
              f"{'FAILED' if memory > MOST_BYTES else 'ok'}", flush=True)
    sys.exit(1 if failed else 0)


main()
