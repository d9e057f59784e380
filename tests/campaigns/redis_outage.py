#!/usr/bin/env python3
"""Takes Redis away under a replay and brings it back without its data; then lets a node come back as a zombie.

usage: redis_outage.py BINARY [--namespaced]   (run_redis_outage)
INCIPIT_CAMPAIGN_COUNT seconds without Redis (default 8).
"""
import shutil
import signal
import sys
import time

from cluster_world import PATIENCE_S, World, finish_replay, ratio, settings, wait_for, write_trace

NODES = 3
INTERVAL_MS = 500
WARM_S = 6
STEADY_S = 5
MARGIN = 0.005  # of the share of blocks that are there


def main():
    binary, namespaced = sys.argv[1], "--namespaced" in sys.argv
    seed, count, scratch = settings()
    away_s = float(count or 8)
    trace = scratch / "trace.jsonl"
    write_trace(trace, seed, WARM_S + STEADY_S + away_s + STEADY_S)
    faults = []
    with World(binary, scratch, namespaced) as world:
        world.start_cluster(NODES)
        epoch_before = world.cluster()["epoch"]
        begin = time.monotonic()
        replay = world.replay(trace, INTERVAL_MS)
        time.sleep(WARM_S + STEADY_S)
        world.kill_redis()
        gone = time.monotonic() - begin
        time.sleep(away_s)
        during = world.metrics(0)
        epoch_during = world.cluster()["epoch"]
        world.start_redis()  # empty: nodes come back to it with the map that they know
        back = time.monotonic() - begin
        report = finish_replay(replay)
        world.wait_for_serving(NODES)
        epoch_after = world.cluster()["epoch"]
        faults += judge_replay(world, report, gone, back, seed)
        unreachable = during['incipit_cluster_errors_total{kind="unreachable"}']
        print(f"  epoch {epoch_before} before, {epoch_during} during, {epoch_after} after; during: connected "
              f"{during['incipit_cluster_connected']:.0f}, renewed {during['incipit_cluster_renewed_seconds_ago']:.1f} "
              f"s ago, {unreachable:.0f} calls without an answer")
        if epoch_during != epoch_before or epoch_after < epoch_before:
            faults.append("the epoch changed without Redis, or fell")
        if during["incipit_cluster_connected"] != 0:
            faults.append("the node says that it is connected while Redis is away")
        faults += zombie(world)
    for fault in faults:
        print("FAILED:", fault)
    return 1 if faults else 0


def judge_replay(world, report, gone, back, seed, what="Redis away"):
    intervals = report["intervals"]
    for each in intervals:
        each["end_s"] = each["start_s"] + INTERVAL_MS / 1000

    def latency(begin_s, end_s):
        chosen = sorted(each["latency_us"]["p50"] for each in intervals
                        if each["start_s"] >= begin_s and each["end_s"] <= end_s)
        return chosen[len(chosen) // 2]
    before, during = ratio(intervals, WARM_S, gone), ratio(intervals, gone, back)
    after = ratio(intervals, back, report["seconds"])
    print(f"seed {seed}, {world.describe()}: {what} for {back - gone:.1f} s of {report['seconds']:.0f}, "
          f"{report['requests']} requests, {report['failed_requests']} failed, {report['wrong_bytes']} wrong bytes")
    print(f"  present {before:.2%} before, {during:.2%} during, {after:.2%} after; median latency of a request (median "
          f"of intervals of {INTERVAL_MS} ms) {latency(WARM_S, gone):.0f} us before, {latency(gone, back):.0f} us "
          f"during; slowest interval's p99 {max(each['latency_us']['p99'] for each in intervals):.0f} us")
    faults = []
    if report["failed_requests"] or report["wrong_bytes"]:
        faults.append("failed requests or wrong bytes")
    if min(during, after) < before - MARGIN:
        faults.append(f"blocks present: {before:.2%} before, {during:.2%} during, {after:.2%} after")
    return faults


def zombie(world):
    """Node 0 stands still; a process from a copy of its directory takes its place; then it goes on."""
    world.nodes[0].send_signal(signal.SIGSTOP)
    copy = world.scratch / "node0-copy"
    copy.mkdir()
    shutil.copy(world.scratch / "node0" / "node.json", copy)
    place = world.start_node(0, directory=copy, at=NODES)
    own = f"tcp://{world.address(NODES)}:9400"

    def taken_over():
        cluster = world.cluster()
        return cluster is not None and any(own in node["addresses"] for node in cluster["nodes"])
    wait_for("the copy to take the place of node 0", taken_over)
    world.nodes[0].send_signal(signal.SIGCONT)
    try:
        code = world.nodes[0].wait(timeout=PATIENCE_S)
    except Exception:
        return ["the zombie goes on as if nothing had happened"]
    log = (world.scratch / "node0.log").read_text()
    print(f"  a zombie with an older incarnation: refused, it stopped by itself with exit status {code}")
    faults = []
    if code != 1 or "event=node_fenced" not in log:
        faults.append(f"the zombie ended with {code}")
    if not taken_over() or place.poll() is not None:
        faults.append("the zombie took the place of the newer process")
    return faults


if __name__ == "__main__":
    sys.exit(main())
