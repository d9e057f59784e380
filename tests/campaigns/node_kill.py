#!/usr/bin/env python3
"""Kills one of five nodes of a cluster with -9 again and again under a replay, and lets it come back.

usage: node_kill.py BINARY [--namespaced]   (run_node_kill)
INCIPIT_CAMPAIGN_COUNT kills, INCIPIT_KILL_EVERY_S apart; each node is back after INCIPIT_DOWN_S.

Judged are the bytes, the requests, and which of the blocks asked for were there ("present"). What of a prompt can be
used, its leading run, is printed too: without copies one missing block ends it.
"""
import os
import random
import sys
import time

from cluster_world import World, finish_replay, ratio, settings, wait_for, write_trace

NODES = 5
INTERVAL_MS = 500
WARM_S = 6
MARGIN = 0.02  # points that may be lost beyond the node's share
AFTER_RETURN_S = 60


def main():
    binary, namespaced = sys.argv[1], "--namespaced" in sys.argv
    seed, count, scratch = settings()
    kills = int(count or 1)
    every_s = float(os.environ.get("INCIPIT_KILL_EVERY_S", "14"))
    down_s = float(os.environ.get("INCIPIT_DOWN_S", "5"))
    choice = random.Random(seed)
    seconds = WARM_S + kills * every_s + 1
    trace = scratch / "trace.jsonl"
    write_trace(trace, seed, seconds)
    events = []
    with World(binary, scratch, namespaced) as world:
        world.start_cluster(NODES)
        begin = time.monotonic()
        replay = world.replay(trace, INTERVAL_MS)
        for kill in range(kills):
            time.sleep(max(0, begin + WARM_S + kill * every_s - time.monotonic()))
            victim = choice.randrange(NODES)
            killed = time.monotonic() - begin
            world.kill_node(victim)
            time.sleep(down_s)
            world.start_node(victim)
            events.append((victim, killed, time.monotonic() - begin))
        report = finish_replay(replay)
        world.wait_for_serving(NODES)
    return judge(world, report, events, every_s, seed)


def judge(world, report, events, every_s, seed):
    intervals = report["intervals"]
    for each in intervals:
        each["end_s"] = each["start_s"] + INTERVAL_MS / 1000
    print(f"seed {seed}, {world.describe()}: {len(events)} kills of one of {NODES} nodes in {report['seconds']:.0f} s, "
          f"{report['requests']} requests, {report['failed_requests']} failed, {report['wrong_bytes']} wrong bytes")
    faults = []
    if report["failed_requests"] or report["wrong_bytes"]:
        faults.append("failed requests or wrong bytes")
    before = ratio(intervals, WARM_S - 2, events[0][1])
    for victim, killed, back in events:
        until = min(back + AFTER_RETURN_S, killed + every_s)
        down, after = ratio(intervals, killed, back), ratio(intervals, until - 3, until)
        leading = [ratio(intervals, *times, "hit_tokens", "input_tokens")
                   for times in ((WARM_S - 2, events[0][1]), (killed, back), (until - 3, until))]
        print(f"  node {victim} down {killed:.1f} to {back:.1f} s: present {before:.1%} before, {down:.1%} while down "
              f"(allowed {before - 1 / NODES - MARGIN:.1%}), {after:.1%} {until - back:.0f} s after; leading runs "
              + ", ".join(f"{each:.1%}" for each in leading))
        if down < before - 1 / NODES - MARGIN:
            faults.append(f"node {victim}: {down:.1%} while it was down")
        if after < before - MARGIN:
            faults.append(f"node {victim}: {after:.1%} {until - back:.0f} s after it returned")
    for fault in faults:
        print("FAILED:", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
