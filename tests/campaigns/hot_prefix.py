#!/usr/bin/env python3
"""200 workers load one short prefix from a cluster whose nodes have little bandwidth each, without hot copies and with.

usage: hot_prefix.py BINARY LOADER [--namespaced]   (run_hot_prefix; LOADER is campaign_hot_prefix)

In network namespaces each node sends LINK_MBIT at most (tc tbf), and the workers ask for DEMAND of what one node can
send. Otherwise nothing limits the nodes and only bytes and copies are judged.
"""
import json
import os
import pathlib
import subprocess
import sys

from cluster_world import World, settings

NODES = 8
LINK_MBIT = 200
PREFIX_BYTES = 64 * 4096  # of campaign_hot_prefix
DEMAND = 1.4
FACTOR, WITHIN_S = 2, 5


def measure(binary, loader, scratch, namespaced, seed, seconds, hot_bytes_per_s):
    scratch.mkdir()
    loads_per_s = round(DEMAND * LINK_MBIT * 1e6 / 8 / PREFIX_BYTES) if namespaced else 60
    with World(binary, scratch, namespaced) as world:
        # Not warmed: a node that still asks others would take a copy over by itself, and no reader would make one.
        world.more_arguments = ["--hot-block-bytes-per-s", str(hot_bytes_per_s), "--warm-seconds", "0"]
        world.start_cluster(NODES)
        for number in range(NODES if namespaced else 0):
            subprocess.run(f"ip netns exec s{number} tc qdisc add dev eth0 root tbf rate {LINK_MBIT}mbit burst 32kb "
                           "limit 16mb".split(), check=True)
        address = "cluster://" + world.seeds().replace("tcp://", "")
        done = subprocess.run([loader, address], capture_output=True, text=True, env=dict(
            os.environ, INCIPIT_SEED=str(seed), INCIPIT_SECONDS=str(seconds), INCIPIT_LOADS_PER_S=str(loads_per_s)))
        if done.returncode != 0:
            raise AssertionError(f"{loader}: {done.stdout}{done.stderr}")
    return world.describe(), json.loads(done.stdout)


def within_from(report):
    """The first second from which on every p99 is within FACTOR of the cold median; all of them if none."""
    bound = FACTOR * report["cold_median_ms"]
    slow = [second for second, each in enumerate(report["seconds"]) if each["p99_ms"] > bound]
    return slow[-1] + 1 if slow else 0


def main():
    binary, loader, namespaced = sys.argv[1], str(pathlib.Path(sys.argv[2]).resolve()), "--namespaced" in sys.argv
    seed, count, scratch = settings()
    seconds = int(count or 7)
    faults = []
    for name, hot in (("without", 0), ("with", LINK_MBIT * 125_000 // 10 if namespaced else 1)):
        where, report = measure(binary, loader, scratch / name, namespaced, seed, seconds, hot)
        p99 = " ".join(f"{each['p99_ms']:.0f}" for each in report["seconds"])
        p50 = " ".join(f"{each['p50_ms']:.0f}" for each in report["seconds"])
        print(f"seed {seed}, {where}, {NODES} nodes, {name} hot copies: cold median {report['cold_median_ms']:.1f} ms, "
              f"p99 by second {p99} ms, p50 {p50} ms; within {FACTOR} x from second {within_from(report)}; "
              f"{report['copies_made']} copies made, {report['copy_hits']} blocks from copies, "
              f"{report['second_tries']} second tries, {report['misses']} misses, {report['wrong_bytes']} wrong")
        if report["wrong_bytes"] or report["misses"]:
            faults.append(f"{name} hot copies: wrong bytes or misses")
    if report["copies_made"] == 0 or report["copy_hits"] == 0:
        faults.append("no copies were made, or none was read")
    if namespaced and within_from(report) > WITHIN_S:
        print(f"note: not within {FACTOR} x of the cold median in {WITHIN_S} s; is this machine busy?")
    for fault in faults:
        print("FAULT:", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
