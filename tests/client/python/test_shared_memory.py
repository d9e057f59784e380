"""Memory that the node of this host reads and writes itself."""
import gc

import incipit
import numpy as np
import pytest
from conftest import MODEL, Node


@pytest.fixture(scope="module")
def socket_path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unix-node")
    path = folder / "node.sock"
    node = Node(folder, arguments=("--listen-unix", str(path)))
    yield path
    node.stop()
    assert not path.exists()


def test_is_a_writable_buffer_of_whole_pages():
    memory = incipit.SharedMemory(5000)
    assert memory.nbytes == 8192
    view = memoryview(memory)
    assert view.nbytes == 8192 and not view.readonly and bytes(view[:16]) == bytes(16)
    view[0] = 7
    assert np.frombuffer(memory, np.uint8)[0] == 7
    assert "8192" in repr(memory)


def test_views_keep_the_memory():
    array = np.frombuffer(incipit.SharedMemory(4096), np.uint8)
    gc.collect()
    array[:] = 3
    assert array.sum() == 3 * 4096


def test_no_bytes_are_refused():
    with pytest.raises(incipit.InvalidArgument):
        incipit.SharedMemory(0)


@pytest.mark.parametrize("shared", [True, False])
def test_blocks_come_back_over_the_unix_lane(socket_path, shared):
    layout = incipit.Layout.named("deepseek-v4.1-flash")
    group_bytes = layout.groups[0].block_bytes
    pool = incipit.SharedMemory(20 * group_bytes) if shared else bytearray(20 * group_bytes)
    array = np.frombuffer(pool, np.uint8)
    keys = [bytes([i, int(shared)] * 16) for i in range(10)]
    with incipit.Client(f"unix://{socket_path}", MODEL, layout) as client:
        stored, loaded = array[:10 * group_bytes], array[10 * group_bytes:20 * group_bytes]
        stored[:] = np.random.default_rng(1).integers(0, 256, stored.size, np.uint8)
        part = [slice(i * group_bytes, (i + 1) * group_bytes) for i in range(10)]
        client.store([incipit.Block(0, 0, key, stored[where]) for key, where in zip(keys, part)])
        result = client.load([incipit.Block(0, 0, key, loaded[where]) for key, where in zip(keys, part)])
        assert result.hits == 10
        assert np.array_equal(stored, loaded)
