#!/usr/bin/env python3
"""A tenant with a quota of a whole cluster stores far more than it over three nodes, beside one that stored before and
has no quota; then a fourth node joins, and it goes on.

usage: cluster_quota.py BINARY [--namespaced]   (run_cluster_quota)
INCIPIT_CAMPAIGN_COUNT: MiB that the tenant stores in each of both steps (default 160; all nodes have 144). What it
holds on all nodes together is looked at all the while.
"""
import json
import sys
import threading
import time

from cluster_world import BLOCK_TOKENS, World, finish_replay, settings, wait_for

NODES = 3
MIB = 1 << 20
RAM_QUOTA, NVME_QUOTA = 18 * MIB, 30 * MIB
BLOCK_BYTES = BLOCK_TOKENS * 32
PROMPT_BLOCKS, PROMPT_EVERY_MS = 32, 25
QUIET_BLOCKS = 1024
LOOK_S = 0.1
SECRET_DIGITS = 32


def write_credentials(directory, ram_quota, nvme_quota):
    """The tenants' file of the nodes. The greedy tenant has quotas, the quiet one none."""
    lines = []
    quotas = f"cluster_ram_quota_bytes = {ram_quota}\ncluster_nvme_quota_bytes = {nvme_quota}"
    for number, (name, roles, more) in enumerate((
            ("greedy", '"read", "write"', quotas), ("quiet", '"read", "write"', ""), ("nodes", '"peer"', ""),
            ("ops", '"admin"', ""))):
        secret = directory / f"{name}.secret"
        secret.write_text(f"{number + 1}" * SECRET_DIGITS + "\n")
        secret.chmod(0o600)
        lines.append(f'[[tenant]]\nname = "{name}"\nsecret_file = "{name}.secret"\nroles = [{roles}]\n{more}\n')
    file = directory / "tenants.toml"
    file.write_text("\n".join(lines))
    file.chmod(0o600)
    return file


def write_prompts(path, first_block, blocks):
    """Prompts of PROMPT_BLOCKS blocks each, that share none."""
    with open(path, "w") as out:
        for number, first in enumerate(range(first_block, first_block + blocks, PROMPT_BLOCKS)):
            ids = list(range(first, min(first + PROMPT_BLOCKS, first_block + blocks)))
            print(json.dumps({"timestamp": number * PROMPT_EVERY_MS, "input_length": len(ids) * BLOCK_TOKENS,
                              "output_length": 1, "hash_ids": ids}), file=out)
    return path


class Watch(threading.Thread):
    """Looks at what the greedy tenant holds on all nodes, again and again."""

    def __init__(self, cluster):
        super().__init__()
        self.cluster, self.ended, self.most, self.looks = cluster, threading.Event(), {}, 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()

    def run(self):
        while not self.ended.wait(LOOK_S):
            held = self.cluster.held()
            self.most = {tier: max(self.most.get(tier, 0), held[tier]) for tier in held}
            self.looks += 1


class Cluster:
    def __init__(self, world):
        self.world = world

    def tenant(self, number, name, tenant="greedy"):
        return self.world.metrics(number).get(f'incipit_tenant_{name}{{tenant="{tenant}"}}', 0.0)

    def held(self):
        sums = {"ram": 0.0, "nvme": 0.0}
        for number in self.world.nodes:
            metrics = self.world.metrics(number)
            for tier in sums:
                sums[tier] += metrics.get(f'incipit_tenant_{tier}_bytes{{tenant="greedy"}}', 0.0)
        return sums

    def replay(self, tenant, trace):
        report = finish_replay(self.world.replay(trace, 500, more=self.world.as_tenant(tenant)))
        if report["failed_requests"] or report["wrong_bytes"]:
            raise AssertionError(f"{tenant}: {report['failed_requests']} failed requests, "
                                 f"{report['wrong_bytes']} wrong bytes")
        return report

    def quiet_lost(self, trace):
        """Blocks of the quiet tenant that are gone. Looking for them stores them again."""
        return sum(each["blocks"] - each["present_blocks"] for each in self.replay("quiet", trace)["intervals"])

    def step(self, what, trace, allowed):
        """The greedy tenant stores; what was wrong. `allowed`: over its quotas meanwhile, a share of them."""
        faults = []
        with Watch(self) as watch:
            self.replay("greedy", trace)
        at_end, nodes = self.held(), len(self.world.nodes)
        for tier, quota in (("ram", RAM_QUOTA), ("nvme", NVME_QUOTA)):
            most = quota * (1 + allowed) + nodes * BLOCK_BYTES  # a block may be on its way at each
            print(f"  {what}: {tier} {watch.most[tier] / MIB:.2f} MiB at most in {watch.looks} looks (allowed "
                  f"{most / MIB:.2f}), {at_end[tier] / MIB:.2f} at the end, quota {quota / MIB:.0f}")
            if watch.most[tier] > most or at_end[tier] > quota:
                faults.append(f"{what}: {tier} over the quota")
            if at_end[tier] < 0.85 * quota:
                faults.append(f"{what}: of its quota of {tier} the tenant could use {at_end[tier] / quota:.0%} only")
        refused = sum(self.tenant(number, "refused_for_quota_total") for number in self.world.nodes)
        print(f"  {what}: {refused:.0f} blocks answered busy so far: all that a node gives was in use")
        return faults

    def shares_are(self, nodes):
        return all(self.tenant(number, "ram_quota_bytes") == RAM_QUOTA // nodes and
                   self.tenant(number, "cluster_ram_quota_bytes") == RAM_QUOTA for number in self.world.nodes)


def main():
    binary, namespaced = sys.argv[1], "--namespaced" in sys.argv
    _, count, scratch = settings()
    blocks = int(count or 160) * MIB // BLOCK_BYTES
    tenants = write_credentials(scratch, RAM_QUOTA, NVME_QUOTA)
    quiet = write_prompts(scratch / "quiet.jsonl", 1 << 40, QUIET_BLOCKS)
    with World(binary, scratch, namespaced, ram="16MiB", nvme_bytes="32MiB") as world:
        world.credentials = scratch
        world.more_arguments = ["--tenants", str(tenants), "--peer-tenant", "nodes", "--peer-secret-file",
                                str(scratch / "nodes.secret")]
        cluster = Cluster(world)
        world.start_cluster(NODES)
        print(f"{NODES} nodes ({world.describe()}), quotas of {RAM_QUOTA // MIB} MiB RAM, {NVME_QUOTA // MIB} MiB NVMe")
        wait_for("shares of three nodes", lambda: cluster.shares_are(NODES))
        cluster.replay("quiet", quiet)
        faults = cluster.step("three nodes", write_prompts(scratch / "first.jsonl", 0, blocks), 0)
        lost = cluster.quiet_lost(quiet)
        world.start_node(NODES)
        world.wait_for_serving(NODES + 1)
        wait_for("shares of four nodes", lambda: cluster.shares_are(NODES + 1))
        # What the three have above their new shares goes as the tenant stores there. A disk may hold that up while
        # the fourth, which has room, takes what is its own.
        faults += cluster.step("a fourth joined", write_prompts(scratch / "second.jsonl", blocks, blocks),
                               1 / (NODES + 1))
        lost_at_end = cluster.quiet_lost(quiet)
        print(f"  of {QUIET_BLOCKS} blocks of the other tenant {lost} and {lost_at_end} were lost")
        if lost or lost_at_end:
            faults.append("the other tenant lost blocks")
    for fault in faults:
        print("FAILED:", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    began = time.monotonic()
    status = main()
    print(f"  {time.monotonic() - began:.1f} s")
    sys.exit(status)
