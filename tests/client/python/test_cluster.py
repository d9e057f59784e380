"""The package on a cluster of three nodes with a map from a file."""
from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import time

import numpy as np
import pytest
from conftest import MODEL, Node

import incipit

BLOCKS = 90
BLOCK_TOKENS = 16
NODES = 3


class Cluster:
    """Three `incipit serve` processes, one shard each, that share one map."""

    def __init__(self, folder) -> None:
        listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(NODES)]
        self.addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]
        for listener in listeners:
            listener.close()
        cluster_map = folder / "map.json"
        cluster_map.write_text(json.dumps({
            "format": "incipit-cluster-map", "version": 1, "placement_seed": "00112233445566778899aabbccddeeff",
            "nodes": [{"id": f"{number + 1:016x}", "shards": 1, "addresses": [f"tcp://{address}"]}
                      for number, address in enumerate(self.addresses)]}))
        self.nodes = []
        for number, address in enumerate(self.addresses):
            own = folder / f"node{number}"
            own.mkdir()
            self.nodes.append(Node(own, shards=1, ram="64MiB", arguments=(
                "--membership", f"static:{cluster_map}", "--node-name", f"node{number}"), listen=address))
        self.address = "cluster://" + ",".join(self.addresses)

    def stop(self) -> None:
        for node in self.nodes:
            node.process.send_signal(signal.SIGCONT)
            node.stop()


@pytest.fixture
def cluster(tmp_path):
    started = Cluster(tmp_path)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def simple_layout():
    return incipit.Layout.custom("simple", [incipit.Group("kv", block_tokens=BLOCK_TOKENS, layers=4,
                                                          bytes_per_entry=64)])


def key(number: int) -> bytes:
    return number.to_bytes(8, "little") * 4


def payload(number: int, nbytes: int = 4096) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, nbytes, dtype=np.uint8)


def keys() -> list[bytes]:
    return [key(number) for number in range(BLOCKS)]


def named(buffers) -> list[tuple[int, int, bytes, np.ndarray]]:
    return [(0, number * BLOCK_TOKENS, key(number), buffer) for number, buffer in enumerate(buffers)]


def store_all(client) -> None:
    statuses = client.store(named([payload(number) for number in range(BLOCKS)]), deadline_ms=20_000)
    assert set(statuses) == {incipit.BlockStatus.OK}


def check_hits(statuses, buffers) -> list[bool]:
    hits = [status == incipit.BlockStatus.OK for status in statuses]
    for number, hit in enumerate(hits):
        assert not hit or np.array_equal(buffers[number], payload(number)), f"wrong bytes in block {number}"
    return hits


def load_all(client, deadline_ms: int = 20_000) -> list[bool]:
    buffers = [np.zeros(4096, np.uint8) for _ in range(BLOCKS)]
    return check_hits(client.load(named(buffers), deadline_ms=deadline_ms).status, buffers)


def test_blocks_go_to_all_nodes_and_come_back(cluster, simple_layout):
    with incipit.Client(cluster.address, MODEL, simple_layout, connect_timeout_ms=20_000) as client:
        store_all(client)
        with client.match([keys()], lease_ms=1000, deadline_ms=20_000) as match:
            assert match.longest_tokens == BLOCKS * BLOCK_TOKENS
            assert match.complete and match.lease_ms > 0
            assert all(load_all(client))
        assert [node.address for node in client.nodes()] == [f"tcp://{address}" for address in cluster.addresses]
        stored = [values["blocks"] for values in client.stats().values()]
        assert len(stored) == NODES and sum(stored) == BLOCKS and min(stored) > BLOCKS / 10
    with incipit.Client([cluster.addresses[2]], MODEL, simple_layout, connect_timeout_ms=20_000) as client:
        assert all(load_all(client)), "any node gives the map"


def test_asyncio(cluster, simple_layout):
    async def run() -> None:
        async with incipit.AsyncClient(cluster.addresses[:2], MODEL, simple_layout,
                                       connect_timeout_ms=20_000) as client:
            blocks = named([payload(number) for number in range(BLOCKS)])
            assert set(await client.store(blocks, deadline_ms=20_000)) == {incipit.BlockStatus.OK}
            buffers = [np.zeros(4096, np.uint8) for _ in range(BLOCKS)]
            loaded = await client.load(named(buffers), deadline_ms=20_000)
            assert all(check_hits(loaded.status, buffers))
            assert len(client.nodes()) == NODES
    asyncio.run(run())


def test_one_of_many_workers_claims(cluster, simple_layout):
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(incipit.Client(cluster.address, MODEL, simple_layout,
                                                            connect_timeout_ms=20_000)) for _ in range(2))
        ahead = first.match([keys()], claim_ms=30_000, deadline_ms=20_000)
        assert ahead.claimed
        behind = second.match([keys()], claim_ms=30_000, deadline_ms=20_000)
        assert behind.computing
        store_all(first)
        whole = BLOCKS * BLOCK_TOKENS
        waited = second.wait([keys()], have_tokens=0, step_tokens=whole, deadline_ms=20_000)
        assert waited.longest_tokens == whole
        assert all(load_all(second))


def test_a_killed_and_a_frozen_node_cost_their_blocks_only(cluster, simple_layout):
    with incipit.Client(cluster.address, MODEL, simple_layout, connect_timeout_ms=20_000) as client:
        store_all(client)
        cluster.nodes[1].process.kill()
        cluster.nodes[1].process.wait()
        cluster.nodes[2].process.send_signal(signal.SIGSTOP)
        deadline_ms = 3000
        for _ in range(4):
            began = time.monotonic()
            hits = load_all(client, deadline_ms)
            assert BLOCKS / 10 < sum(hits) < BLOCKS, "the blocks of the node that is left, and no others"
            assert time.monotonic() - began < deadline_ms / 1000 + 20, "it ends, however busy the machine"
        match = client.match([keys()], deadline_ms=deadline_ms)
        assert not match.complete
        cluster.nodes[2].process.send_signal(signal.SIGCONT)
        until = time.monotonic() + 60
        while sum(load_all(client)) <= sum(hits):
            assert time.monotonic() < until, "the node that goes on was not asked again"


def test_replicas_outlive_a_node(cluster, simple_layout):
    with incipit.Client(cluster.address, MODEL, simple_layout, connect_timeout_ms=20_000, replicas=2) as client:
        store_all(client)
        assert sum(values["blocks"] for values in client.stats().values()) == 2 * BLOCKS
        cluster.nodes[0].process.kill()
        cluster.nodes[0].process.wait()
        assert all(load_all(client))
        match = client.match([keys()], deadline_ms=20_000)
        assert match.longest_tokens == BLOCKS * BLOCK_TOKENS
        assert client.counters()["copy_hits"] > 0


def test_errors_are_typed(cluster, simple_layout):
    with pytest.raises(incipit.InvalidArgument, match="seeds"):
        incipit.Client("cluster://", MODEL, simple_layout)
    with pytest.raises(incipit.InvalidArgument, match="lane"):
        incipit.Client(["tcp://127.0.0.1:1", "ucx://127.0.0.1:2"], MODEL, simple_layout)
    with pytest.raises(incipit.InvalidArgument, match="replicas"):
        incipit.Client(cluster.address, MODEL, simple_layout, replicas=9)
    with pytest.raises(incipit.Unavailable, match="none gave the cluster's map"):
        incipit.Client("cluster://127.0.0.1:1", MODEL, simple_layout, connect_timeout_ms=300)


def test_a_node_in_no_cluster_says_so(node, simple_layout):
    with pytest.raises(incipit.Unavailable, match="--membership"):
        incipit.Client([node.address], MODEL, simple_layout, connect_timeout_ms=500)


def test_sealed_and_coded_blocks(cluster, simple_layout):
    sealed, coded = {"sealing_key": bytes(range(32))}, {"codec": "bf16-lossless"}
    for model, options in (("sealed", sealed), ("coded", coded), ("both", {**sealed, **coded})):
        with incipit.Client(cluster.address, model, simple_layout, connect_timeout_ms=20_000,
                            **options) as client:
            store_all(client)
            assert all(load_all(client))
