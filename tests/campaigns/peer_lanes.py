#!/usr/bin/env python3
"""Over which lane nodes take blocks from each other and give them away, and what becomes of blocks there.

usage: peer_lanes.py BINARY [--namespaced]   (run_peer_lanes)
INCIPIT_CAMPAIGN_COUNT blocks of 256 KiB (default 240). Every block that comes back is compared. Which lane was taken is
told by both ends: incipit_lane_bytes_total of who was asked, incipit_peer_lane_bytes_total of who asked.
"""
import json
import random
import signal
import subprocess
import sys

from cluster_world import World, settings, wait_for

LAYOUT = ["--layout", "custom:4x4096", "--block-tokens", "16"]
BLOCK_BYTES = 4 * 4096 * 16


class Lanes:
    """One cluster whose nodes all have the ucx lane, and are told which one to take."""

    def __init__(self, world, lane, blocks, seed):
        self.world, self.lane, self.blocks, self.seed = world, lane, blocks, seed
        self.faults = []
        # UCX's tcp takes the first address of a device, whichever was asked for.
        place = ["{address}:0", "--ucx-devices", "eth0"] if world.namespaced else ["127.0.0.1:0"]
        world.more_arguments = ["--listen-ucx", *place, "--peer-lane", lane, "--warm-seconds", "600"]
        self.tokens = world.scratch / f"tokens-{lane}"
        choice = random.Random(seed)
        self.tokens.write_text(" ".join(str(choice.randrange(100_000)) for _ in range(blocks * 16)))

    def fault(self, text):
        print("  FAILED:", text)
        self.faults.append(text)

    def client(self, verb, *more):
        command = [self.world.binary, verb, "--cluster", self.world.seeds(), "--tokens", str(self.tokens), "--random",
                   str(self.seed), "--timeout-ms", "20000", "--json", *LAYOUT, *more]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ended(self, process):
        out, err = process.communicate()
        try:
            return json.loads(out)
        except json.JSONDecodeError:
            raise AssertionError(f"{process.args}: {out}{err}") from None

    def get(self, what, least=None):
        report = self.ended(self.client("get"))
        print(f"  {what}: {report['hits']} of {report['blocks']} blocks, {report['wrong_bytes']} wrong bytes, "
              f"{report['seconds']:.2f} s")
        if report["wrong_bytes"]:
            self.fault(f"{what}: wrong bytes")
        if report["hits"] < (self.blocks if least is None else least):
            self.fault(f"{what}: blocks are missing: {report['missed']}")
        return report

    def value(self, number, name, **labels):
        """Sum over shards."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(value for series, value in self.world.metrics(number).items()
                   if series.startswith(f"incipit_{name}{{") and all(each in series for each in wanted))

    def expect_lane(self, who, bytes_by_lane, moved_blocks):
        lane = "tcp" if self.lane == "tcp" else "ucx"
        other = "ucx" if lane == "tcp" else "tcp"
        least = moved_blocks * BLOCK_BYTES
        print(f"  {who}: {bytes_by_lane[lane] / 1e6:.1f} MB over {lane}, {bytes_by_lane[other] / 1e6:.1f} MB over "
              f"{other}, of blocks {least / 1e6:.1f} MB")
        if not moved_blocks or bytes_by_lane[lane] < least:
            self.fault(f"{who}: its blocks did not go over {lane}")
        return bytes_by_lane[other]

    def lane_bytes(self, number, metric, direction):
        return {lane: self.value(number, metric, lane=lane, direction=direction) for lane in ("tcp", "ucx")}

    def join(self, number, olds):
        before = {old: self.lane_bytes(old, "lane_bytes_total", "sent") for old in olds}
        self.world.start_node(number)
        self.world.wait_for_serving(len(self.world.nodes))
        self.get(f"node {number} joined")
        taken = self.value(number, "peer_blocks_total", what="taken")
        asked = self.lane_bytes(number, "peer_lane_bytes_total", "received")
        if self.expect_lane(f"node {number}, who asked", asked, taken) and self.lane != "auto":
            self.fault(f"node {number} asked over another lane too")
        sent = {"tcp": 0, "ucx": 0}
        for old in olds:
            after = self.lane_bytes(old, "lane_bytes_total", "sent")
            for lane in sent:
                sent[lane] += after[lane] - before[old][lane]
        self.expect_lane("those who were asked", sent, taken)  # over tcp they serve the client too

    def drain(self, number, mixed=False):
        """`mixed`: some of its next owners can be reached over tcp only."""
        others = [each for each in self.world.nodes if each != number]
        before = {each: self.lane_bytes(each, "lane_bytes_total", "received") for each in others}
        command = [self.world.binary, "drain", self.world.seed(number), "--cluster",
                   ",".join(self.world.seed(each) for each in others), "--json", "--timeout", "60", "--exit"]
        done = subprocess.run(command, capture_output=True, text=True)
        last = json.loads(done.stdout.splitlines()[-1])
        received = {"tcp": 0, "ucx": 0}
        for each in others:
            after = self.lane_bytes(each, "lane_bytes_total", "received")
            for lane in received:
                received[lane] += after[lane] - before[each][lane]
        lost = last["lost"]["blocks"] + last["remaining"]["blocks"]
        if done.returncode != 0 or last["state"] != "left" or lost:
            self.fault(f"drain of node {number}: {json.dumps(last)} {done.stderr}")
        what = f"node {number} drained, {last['moved']['blocks']} blocks moved, {lost} lost"
        if not mixed:
            self.expect_lane(what, received, last["moved"]["blocks"])
        else:
            print(f"  {what}: {received['tcp'] / 1e6:.1f} MB over tcp, {received['ucx'] / 1e6:.1f} MB over ucx")
            if min(received.values()) < BLOCK_BYTES:
                self.fault(f"{what}: not over both lanes")
        self.world.nodes.pop(number).wait(timeout=60)
        self.world.wait_for_serving(len(others))
        self.get("after the drain")

    def disturb(self, joining, victim, how):
        """Something happens to one of those who are asked, after some of its blocks were taken over."""
        self.world.start_node(joining)
        self.world.wait_for_serving(len(self.world.nodes))
        loading = self.client("get")
        wait_for("blocks on their way",
                 lambda: self.value(joining, "peer_blocks_total", what="wanted") > 0 or loading.poll() is not None)
        self.world.nodes[victim].send_signal(how)
        report = self.ended(loading)
        name = signal.Signals(how).name
        print(f"  {name} of node {victim} while node {joining} takes blocks over: {report['hits']} of "
              f"{report['blocks']}, {report['wrong_bytes']} wrong bytes, {report['seconds']:.2f} s")
        if report["wrong_bytes"]:
            self.fault(f"{name}: wrong bytes")
        for number, process in self.world.nodes.items():
            if number != victim and process.poll() is not None:
                self.fault(f"{name} of node {victim} ended node {number}")

    def mislead(self, number):
        """A node that says to have the lane at a place where nobody is."""
        self.world.more_arguments += ["--advertise", "ucx={address}:9?devices=lo"]
        self.world.start_node(number)
        self.world.wait_for_serving(len(self.world.nodes))
        self.get(f"node {number} joined, whose ucx address is wrong")  # it can ask, and takes blocks over
        drained = next(each for each in sorted(self.world.nodes) if each != number)
        self.drain(drained, mixed=True)
        said = [line for line in (self.world.scratch / f"node{drained}.log").read_text(errors="replace").splitlines()
                if "event=peer_lane_left" in line]
        print("  it said:", said[0] if said else "nothing")
        if not said:
            self.fault(f"node {drained} does not say that it left the lane")


def run(binary, scratch, namespaced, lane, blocks, seed):
    print(f"--peer-lane {lane}, {blocks} blocks:")
    scratch = scratch / lane
    scratch.mkdir()
    with World(binary, scratch, namespaced, ram="256MiB", nvme_bytes="512MiB") as world:
        lanes = Lanes(world, lane, blocks, seed)
        world.start_cluster(2)
        stored = lanes.ended(lanes.client("put"))
        if not stored["ok"]:
            lanes.fault(f"put: {stored}")
        lanes.get("stored")
        lanes.join(2, olds=[0, 1])
        lanes.drain(0)
        if lane == "auto":
            lanes.mislead(3)
        else:
            lanes.disturb(3, victim=1, how=signal.SIGSTOP)
            world.nodes[1].send_signal(signal.SIGCONT)
            wait_for("all blocks are there again", lambda: lanes.ended(lanes.client("get"))["hits"] == blocks)
            lanes.disturb(4, victim=2, how=signal.SIGKILL)
            world.nodes.pop(2)
        return lanes.faults


def main():
    binary, namespaced = sys.argv[1], "--namespaced" in sys.argv
    seed, count, scratch = settings()
    faults = []
    for lane in ("ucx", "tcp", "auto"):
        faults += run(binary, scratch, namespaced, lane, int(count or 240), seed)
    for fault in faults:
        print("FAILED:", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
