"""Plans every generated workload with lru and auto, and prints by how many points of tokens auto hits more.

Exits 1 if auto is anywhere more than MOST_LOSS points below LRU.
"""

import json
import os
import subprocess
import sys

WORKLOADS = ("agentic", "repository", "tenants", "flash-crowd", "templates")
SIZES = (1, 2, 5, 10, 20, 50)
MOST_LOSS = 0.3  # points


def difference(binary, source):
    """By size: points that auto hits more than LRU."""
    command = [binary, "plan", *source, "--policy", "lru,auto", "--sizes", ",".join(f"{size}%" for size in SIZES),
               "--threads", "2", "--sizing", "none", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    ratio = {(row["policy"], row["size_percent"]): row["token_hit_ratio"] for row in json.loads(done.stdout)["rows"]}
    return [100 * (ratio["auto", size] - ratio["lru", size]) for size in SIZES]


def main():
    first = int(os.environ.get("INCIPIT_SEED", "1"))
    seeds = range(first, first + int(os.environ.get("INCIPIT_CAMPAIGN_COUNT", "1")))
    sources = [(f"{name}, seed {seed}", ["--workload", name, "--seed", str(seed)])
               for name in WORKLOADS for seed in seeds]
    if "INCIPIT_TRACE" in os.environ:
        sources.append((os.path.basename(os.environ["INCIPIT_TRACE"]), ["--trace", os.environ["INCIPIT_TRACE"]]))
    print(f"{'auto less lru, points':<32}" + "".join(f"{size:>7} %" for size in SIZES))
    worst = 0.0
    for name, source in sources:
        points = difference(sys.argv[1], source)
        worst = min(worst, *points)
        print(f"{name:<32}" + "".join(f"{value:>9.2f}" for value in points), flush=True)
    print(f"worst {worst:.2f}, allowed -{MOST_LOSS}: {'ok' if worst >= -MOST_LOSS else 'FAILED'}")
    sys.exit(0 if worst >= -MOST_LOSS else 1)


main()
