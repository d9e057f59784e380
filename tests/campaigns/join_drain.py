#!/usr/bin/env python3
"""A sixth node joins a cluster of five under a replay; then one is drained, a third killed while it drains.

usage: join_drain.py BINARY [--namespaced]   (run_join_drain)
INCIPIT_CAMPAIGN_COUNT rounds of a join and a drain (default 1), INCIPIT_STEP_S apart (default 6), over
INCIPIT_DOCUMENTS openings (default 120). Judged in every half second are the bytes, the requests, the blocks that were
there ("present") and what of a prompt could be used, its leading run.
"""
import json
import os
import random
import subprocess
import sys
import time

from cluster_world import World, finish_replay, ratio, settings, write_trace

NODES = 5
INTERVAL_MS = 500
JOIN_MARGIN, DRAIN_MARGIN = 0.03, 0.02  # points that a ratio may fall below its level before
PARTS = {"present": ("present_blocks", "blocks"), "leading runs": ("hit_tokens", "input_tokens")}


def metric(world, number, name, label=""):
    import urllib.request
    with urllib.request.urlopen(f"http://{world.address(number)}:9401/metrics", timeout=5) as page:
        return sum(float(line.rsplit(" ", 1)[1]) for line in page.read().decode().splitlines()
                   if line.startswith("incipit_" + name) and label in line)


class Run:
    """The clock of a replay, and what was done when."""

    def __init__(self, world, trace):
        self.world = world
        self.begin = time.monotonic()
        self.replay = world.replay(trace, INTERVAL_MS)
        self.events = []  # (what, margin, from, until)

    def now(self):
        return time.monotonic() - self.begin

    def until(self, at_s):
        time.sleep(max(0, at_s - self.now()))

    def join(self, number, step_s):
        began = self.now()
        self.world.start_node(number)
        self.until(began + step_s)
        self.events.append((f"node {number} joined", JOIN_MARGIN, began, self.now()))
        taken, asked, found, trouble = (metric(self.world, number, *which) for which in (
            ("peer_blocks_total", "taken"), ("peer_keys_total", "asked"), ("peer_keys_total", "found"),
            ("peer_trouble_total",)))
        print(f"  node {number} joined: {taken:.0f} blocks taken over, {asked:.0f} keys asked for, {found:.0f} found, "
              f"trouble {trouble:.0f}")

    def command(self, number, *more):
        others = [each for each in sorted(self.world.nodes) if each != number]
        seeds = ",".join(f"tcp://{self.world.address(each)}:9400" for each in others)
        node = f"tcp://{self.world.address(number)}:9400"
        return [self.world.binary, "drain", node, "--cluster", seeds, "--json", *more]

    def drain(self, number, step_s):
        began = self.now()
        done = subprocess.run(self.command(number, "--exit", "--timeout", "60"), capture_output=True, text=True)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        last = lines[-1] if lines else {}
        took = self.now() - began
        code = self.world.nodes[number].wait(timeout=60)
        self.until(began + step_s)
        self.events.append((f"node {number} drained", DRAIN_MARGIN, began, self.now()))
        self.world.nodes.pop(number)
        print(f"  node {number} drained in {took:.1f} s: {json.dumps(last)}")
        if done.returncode != 0 or code != 0 or last.get("state") != "left":
            return [f"drain of node {number}: exit status {done.returncode}, of the node {code}: {done.stderr}"]
        lost = last["lost"]["blocks"] + last["remaining"]["blocks"]
        return [f"drain of node {number}: {lost} blocks lost"] if lost else []

    def kill_while_draining(self, number, step_s):
        """At a pace at which it is about half done, then."""
        blocks = metric(self.world, number, "ram_requested_bytes")
        process = subprocess.Popen(self.command(number, "--timeout", "60", "--bandwidth", str(int(blocks / 4))),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(2)
        self.world.kill_node(number)
        out, _ = process.communicate()
        lines = [json.loads(line) for line in out.splitlines() if '"state"' in line]
        last = lines[-1] if lines else {"total": {"blocks": 1}, "remaining": {"blocks": 1}}
        share = last["remaining"]["blocks"] / max(1, last["total"]["blocks"])
        killed = self.now()
        self.until(killed + step_s)
        self.world.nodes.pop(number)
        print(f"  node {number} killed while it drained, {share:.0%} of its blocks not given: {json.dumps(last)}")
        return killed, share


def main():
    binary, namespaced = sys.argv[1], "--namespaced" in sys.argv
    seed, count, scratch = settings()
    rounds = int(count or 1)
    step_s = float(os.environ.get("INCIPIT_STEP_S", "6"))
    documents = int(os.environ.get("INCIPIT_DOCUMENTS", "120"))
    choice = random.Random(seed)
    warm_s = 2 + documents / 30
    seconds = warm_s + 4 + rounds * 2 * (step_s + 1) + step_s + 4
    trace = scratch / "trace.jsonl"
    write_trace(trace, seed, seconds, documents=documents, warm_s=warm_s - 2)
    faults = []
    with World(binary, scratch, namespaced) as world:
        world.start_cluster(NODES)
        run = Run(world, trace)
        run.until(warm_s + 3)
        for each in range(rounds):
            run.join(NODES + each, step_s)
            faults += run.drain(choice.choice(sorted(world.nodes)), step_s)
            world.wait_for_serving(NODES)
        before_kill = run.now()
        victim = choice.choice(sorted(world.nodes))
        killed, share = run.kill_while_draining(victim, step_s)
        report = finish_replay(run.replay)
    return judge(world, report, run.events, (before_kill, killed, share), warm_s, seed, faults)


def judge(world, report, events, kill, warm_s, seed, faults):
    intervals = report["intervals"]
    for each in intervals:
        each["end_s"] = each["start_s"] + INTERVAL_MS / 1000
    print(f"seed {seed}, {world.describe()}: {report['seconds']:.0f} s, {report['requests']} requests, "
          f"{report['failed_requests']} failed, {report['wrong_bytes']} wrong bytes")
    if report["failed_requests"] or report["wrong_bytes"]:
        faults.append("failed requests or wrong bytes")
    for name, columns in PARTS.items():
        for what, margin, begin_s, end_s in events:
            before = ratio(intervals, begin_s - 2.5, begin_s, *columns)
            chosen = [each for each in intervals if each["start_s"] >= begin_s and each["end_s"] <= end_s]
            lowest = min(each[columns[0]] / each[columns[1]] for each in chosen if each[columns[1]])
            at_end = ratio(intervals, end_s - 2, end_s, *columns)
            print(f"  {what}, {begin_s:.1f} to {end_s:.1f} s: {name} {before:.2%} before, {lowest:.2%} in the worst "
                  f"half second (allowed {before - margin:.2%}), {at_end:.2%} at the end")
            if lowest < before - margin:
                faults.append(f"{what}: {name} fell from {before:.2%} to {lowest:.2%}")
    before_kill, killed, share = kill
    before = ratio(intervals, before_kill - 2.5, before_kill)
    after = ratio(intervals, killed, killed + 3)
    allowed = before - share / NODES - DRAIN_MARGIN
    print(f"  killed while draining: present {before:.2%} before, {after:.2%} in 3 s after (allowed {allowed:.2%})")
    if after < allowed:
        faults.append(f"a node that was killed while it drained cost {before - after:.2%}")
    for fault in faults:
        print("FAILED:", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
