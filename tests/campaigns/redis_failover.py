#!/usr/bin/env python3
"""Kills the master of a cluster's Redis with -9 under a replay, while sentinels watch; then lets the old master come
back empty, and a node as a zombie.

usage: redis_failover.py BINARY [--namespaced]   (run_redis_outage)
INCIPIT_CAMPAIGN_COUNT seconds of the replay after the kill (default 8).
"""
import sys
import time

from cluster_world import REDIS, REPLICA, World, finish_replay, settings, wait_for, write_trace
from redis_outage import INTERVAL_MS, NODES, STEADY_S, WARM_S, judge_replay, zombie

SENTINELS = 3


def connected(world):
    return all(world.metrics(number)["incipit_cluster_connected"] == 1 for number in range(NODES))


def role(world, number):
    return world.ask_redis("ROLE", number).split("\r\n")[2]


def main():
    binary, namespaced = sys.argv[1], "--namespaced" in sys.argv
    seed, count, scratch = settings()
    after_s = float(count or 8)
    trace = scratch / "trace.jsonl"
    write_trace(trace, seed, WARM_S + STEADY_S + after_s + STEADY_S)
    faults = []
    with World(binary, scratch, namespaced, sentinels=SENTINELS) as world:
        world.start_cluster(NODES)
        epoch_before = world.cluster()["epoch"]
        begin = time.monotonic()
        replay = world.replay(trace, INTERVAL_MS)
        time.sleep(WARM_S + STEADY_S)
        world.kill_redis()
        gone = time.monotonic() - begin
        wait_for("nodes notice that the master is away", lambda: not connected(world))
        states_during = list(world.states().values())
        wait_for("nodes are with the new master", lambda: connected(world))
        back = time.monotonic() - begin
        time.sleep(max(0, gone + after_s - back))
        report = finish_replay(replay)
        faults += judge_replay(world, report, gone, gone + after_s, seed, f"{SENTINELS} sentinels; after the kill")
        epoch_after = world.cluster()["epoch"]
        print(f"  nodes were without Redis for {back - gone:.1f} s; epoch {epoch_before} before, {epoch_after} after; "
              f"states meanwhile {states_during}")
        if states_during.count("serving") != NODES or list(world.states().values()).count("serving") != NODES:
            faults.append("a node left the map")
        if epoch_after < epoch_before:
            faults.append("the epoch fell")
        faults += old_master(world)
        faults += zombie(world)
    for fault in faults:
        print("FAILED:", fault)
    return 1 if faults else 0


def old_master(world):
    """It comes back without data and calls itself the master, until a sentinel has told it: nobody may follow it."""
    calls = [world.metrics(number)["incipit_cluster_calls_total"] for number in range(NODES)]
    world.start_redis()
    wait_for("sentinels make a replica of the old master", lambda: role(world, REDIS) == "slave")
    refused = world.ask_redis("SET incipit-campaign x")
    wait_for("each node has called Redis since", lambda: all(
        world.metrics(number)["incipit_cluster_calls_total"] > calls[number] for number in range(NODES)))
    print(f"  the old master came back empty: a write to it is answered {refused.splitlines()[0]!r}")
    faults = []
    if not refused.startswith("-READONLY"):
        faults.append("the old master takes writes")
    serving = list(world.states().values()).count("serving")
    if not connected(world) or serving != NODES or role(world, REPLICA) != "master":
        faults.append("the old master came between")
    return faults


if __name__ == "__main__":
    sys.exit(main())
