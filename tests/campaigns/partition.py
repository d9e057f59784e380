#!/usr/bin/env python3
"""Parts node 0 of a cluster from Redis but not from clients, then from a client but not from Redis, under two replays.

usage: partition.py BINARY --namespaced   (run_partition)
INCIPIT_CAMPAIGN_COUNT seconds of each partition (default 8).

Both replays ask for the same blocks. One is told of node 0 alone, so what it knows of the cluster it has first from the
side that is cut off; only the other one is parted from node 0. Bytes follow from a block's key, so that a node which
serves others than another one is seen as wrong bytes.
"""
import sys
import time

from cluster_world import REDIS, World, finish_replay, ratio, settings, wait_for, write_trace

NODES = 3
ISOLATED = 0
CLIENT, ITS_CLIENT = 100, 101  # namespaces of the replays; the second one is told of the isolated node
INTERVAL_MS = 500
WARM_S, STEADY_S, HEALED_S = 6, 5, 12
LAST_S = 4  # of HEALED_S, in which blocks are there as before
MARGIN = 0.02
# A request's match may wait for the node until its deadline of 5 s; by then it is known to be away, so that its load
# and store do not. A tenth is for machines that are busy.
LONGEST_S = 5.5


class Run:
    """Two replays of one trace, and when what happened to them."""

    def __init__(self, world, trace):
        self.world = world
        self.begin = time.monotonic()
        self.replays = [world.replay(trace, INTERVAL_MS, at=CLIENT),
                        world.replay(trace, INTERVAL_MS, at=ITS_CLIENT, seeds=world.seed(ISOLATED))]
        self.partitions = []  # (what, from, until)

    def now(self):
        return time.monotonic() - self.begin

    def part_for(self, what, other, seconds, meanwhile):
        begin = self.now()
        self.world.part(ISOLATED, other)
        faults = meanwhile(self.world)
        time.sleep(max(0, begin + seconds - self.now()))
        self.world.join_again(ISOLATED, other)
        self.partitions.append((what, begin, self.now()))
        time.sleep(HEALED_S)
        return faults


def without_redis(world):
    """The others' map goes on without the node; its own stays, with a lower epoch: nobody takes it for newer."""
    rest = ",".join(world.seed(number) for number in world.nodes if number != ISOLATED)

    def state_at_others():
        cluster = world.cluster(rest) or {"epoch": 0, "nodes": []}
        states = [node["state"] for node in cluster["nodes"] if world.seed(ISOLATED) in node["addresses"]]
        return cluster["epoch"], states[0] if states else "gone"
    wait_for("the others' map to go on without the node", lambda: state_at_others()[1] == "gone")
    own, others = world.metrics(ISOLATED)["incipit_cluster_epoch"], state_at_others()[0]
    print(f"  parted from Redis: epoch {own:.0f} at the node itself, {others} at the others, where it is gone")
    return [] if own < others else ["the node that was cut off has a map as new as the others'"]


def without_clients(world):
    states = list(world.states().values())
    print(f"  parted from a client: states {states}")
    return [] if states.count("serving") == NODES else ["a node left the map though Redis hears it"]


def longest(intervals, begin_s, end_s):
    """Seconds, of the requests that ended in intervals which overlap that time."""
    return max(each["latency_us"]["p999"] for each in intervals
               if each["end_s"] > begin_s and each["start_s"] < end_s) / 1e6


def judge(name, report, partitions):
    intervals = report["intervals"]
    for each in intervals:
        each["end_s"] = each["start_s"] + INTERVAL_MS / 1000
    longest_s = longest(intervals, 0, report["seconds"])
    print(f"  {name}: {report['requests']} requests, {report['failed_requests']} failed, {report['wrong_bytes']} wrong "
          f"bytes; the longest took {longest_s:.2f} s")
    faults = []
    if report["failed_requests"] or report["wrong_bytes"]:
        faults.append(f"{name}: failed requests or wrong bytes")
    if longest_s > LONGEST_S:
        faults.append(f"{name}: a request took {longest_s:.1f} s")
    before = ratio(intervals, WARM_S, partitions[0][1])
    for what, begin, end in partitions:
        during = ratio(intervals, begin, end) or 0
        after = ratio(intervals, end + HEALED_S - LAST_S, end + HEALED_S)
        print(f"    {what}, {begin:.1f} to {end:.1f} s: present {before:.2%} before, {during:.2%} during (allowed "
              f"{before - 1 / NODES - MARGIN:.2%}), {after:.2%} in the last {LAST_S} s of {HEALED_S} after; "
              f"the longest request until then took {longest(intervals, begin, end + HEALED_S):.3f} s")
        if during < before - 1 / NODES - MARGIN or after < before - MARGIN:
            faults.append(f"{name}, {what}: {before:.2%} before, {during:.2%} during, {after:.2%} after")
    return faults


def main():
    binary, namespaced = sys.argv[1], "--namespaced" in sys.argv
    if not namespaced:
        print("partition: no network namespaces: run it as root")
        return 1
    seed, count, scratch = settings()
    seconds = float(count or 8)
    trace = scratch / "trace.jsonl"
    write_trace(trace, seed, WARM_S + STEADY_S + 2 * (seconds + HEALED_S) + 2)
    faults = []
    with World(binary, scratch, namespaced) as world:
        world.start_cluster(NODES)
        run = Run(world, trace)
        time.sleep(WARM_S + STEADY_S)
        faults += run.part_for("Redis cannot be reached from the node", REDIS, seconds, without_redis)
        world.wait_for_serving(NODES)
        faults += run.part_for("a client cannot reach the node", CLIENT, seconds, without_clients)
        reports = [finish_replay(replay) for replay in run.replays]
        world.wait_for_serving(NODES)
    print(f"seed {seed}, {world.describe()}: node {ISOLATED} of {NODES} parted twice, {seconds:.0f} s each")
    for name, report in zip(("client of all", "client of the node"), reports):
        faults += judge(name, report, run.partitions)
    for fault in faults:
        print("FAILED:", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
