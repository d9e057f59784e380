"""Fixtures of the package's tests: a private node, clients of it, and blocks with known bytes.

The binary is INCIPIT_BINARY, or build/release/incipit of this tree.
"""
from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess
import time

import numpy as np
import pytest

import incipit

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("INCIPIT_BINARY", ROOT / "build" / "release" / "incipit"))
START_TIMEOUT_S = 60
MODEL = "test-model"


class Node:
    """One `incipit serve` process with a RAM tier, on a free port."""

    def __init__(self, folder: pathlib.Path, shards: int = 2, ram: str = "256MiB",
                 arguments: tuple[str, ...] = (), listen: str = "127.0.0.1:0") -> None:
        ready, log = folder / "ready", folder / "log"
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--listen", listen, "--http", "none", "--shards", str(shards), "--ram", ram,
                 "--no-huge-pages", "--ready-file", ready, *arguments], stdout=out, stderr=out)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (ready.exists() and ready.read_text().endswith("\n")):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the node does not serve; its log:\n{log.read_text()}")
            time.sleep(0.01)
        self.address = ready.read_text().split("\n")[0]
        if not self.address.startswith("tcp://"):
            self.address = "tcp://" + self.address

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    if not BINARY.exists():
        pytest.exit(f"no node to test against: {BINARY} does not exist; build it or set INCIPIT_BINARY", returncode=2)
    started = Node(tmp_path_factory.mktemp("node"))
    yield started
    started.stop()


@pytest.fixture
def own_node(tmp_path):
    """A node that the test may stop."""
    started = Node(tmp_path, shards=1, ram="64MiB")
    yield started
    started.stop()


class TenantNode(Node):
    """A node with the tenant "alice". secrets: how its clients are named and proven, and seal what they store."""

    def __init__(self, folder: pathlib.Path) -> None:
        secret, sealing_key = folder / "alice.secret", folder / "sealing.key"
        entry = subprocess.run([BINARY, "tenant", "new", "alice", "--secret-file", secret], check=True,
                               capture_output=True, text=True).stdout
        tenants = folder / "tenants.toml"
        tenants.touch(mode=0o600)
        tenants.write_text(entry)
        subprocess.run([BINARY, "key", "new", sealing_key], check=True, capture_output=True)
        self.secrets = {"tenant": "alice", "secret_file": str(secret), "sealing_key_file": str(sealing_key)}
        super().__init__(folder, shards=1, ram="64MiB", arguments=("--tenants", str(tenants)))


@pytest.fixture
def tenant_node(tmp_path):
    started = TenantNode(tmp_path)
    yield started
    started.stop()


@pytest.fixture
def silent_server():
    """The address of a listener to which connections can be made and that never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(scope="session")
def layout():
    """Two groups: 4 layers of 16 tokens in blocks of 4,096 bytes, and a window in blocks of 1,024 bytes."""
    return incipit.Layout.custom("two-groups", [
        incipit.Group("kv", block_tokens=16, layers=4, bytes_per_entry=64),
        incipit.Group("window", "window", window_tokens=16, block_tokens=16, layers=2, bytes_per_entry=32)])


@pytest.fixture
def client(node, layout):
    with incipit.Client(node.address, MODEL, layout) as connected:
        yield connected


_key_count = 0


@pytest.fixture
def make_keys():
    """make_keys(count): keys of 32 bytes that no other test uses."""
    def make(count):
        global _key_count
        _key_count += count
        return [i.to_bytes(32, "big") for i in range(_key_count - count + 1, _key_count + 1)]
    return make


@pytest.fixture
def payload():
    """payload(nbytes, seed): an array of bytes that the seed alone decides."""
    return lambda nbytes, seed: np.random.default_rng(seed).integers(0, 256, nbytes, dtype=np.uint8)


@pytest.fixture
def stored(client, layout, make_keys, payload):
    """(keys, blocks' bytes) of four blocks of group 0 that the node holds, with the two last of group 1."""
    keys = make_keys(4)
    data = [payload(layout.groups[0].block_bytes, seed) for seed in range(4)]
    blocks = [incipit.Block(0, i * 16, keys[i], data[i]) for i in range(4)]
    blocks += [incipit.Block(1, i * 16, keys[i], payload(layout.groups[1].block_bytes, i)) for i in (2, 3)]
    assert client.store(blocks) == bytes(6)
    return keys, data


@pytest.fixture
def attach(node):
    """attach(pool, ...): a SGLang backend on the pool, closed after the test."""
    import sglang_pools  # not needed by the other tests
    made = []

    def make(*arguments, **named):
        made.append(sglang_pools.backend(node.address, *arguments, **named))
        return made[-1]
    yield make
    for storage in made:
        storage.close()
