"""What is stored comes back, by every kind of buffer and key."""
import array
import ctypes

import incipit
import numpy as np
import pytest
from incipit import Block, BlockStatus, Presence


def test_stored_blocks_are_matched_and_loaded(client, layout, stored):
    keys, data = stored
    match = client.match([keys, keys])
    assert match.presence(0) == bytes([Presence.RAM] * 4)
    assert match.presence(1) == bytes([Presence.MISS] * 2 + [Presence.RAM] * 2)
    assert match.restorable_tokens == [48, 64] and match.longest_tokens == 64
    assert match.ram_bytes == 4 * layout.groups[0].block_bytes + layout.groups[1].block_bytes
    assert match.nvme_bytes == 0 and match.complete and match.worth_loading
    into = np.zeros((4, layout.groups[0].block_bytes), dtype=np.uint8)
    result = client.load([Block(0, i * 16, keys[i], into[i]) for i in range(4)])
    assert result.status == bytes(4) and result.tiers == bytes([Presence.RAM] * 4)
    assert result.hits == 4 and result.loaded_bytes == into.nbytes
    assert np.array_equal(into, np.stack(data))


@pytest.mark.parametrize("make", [
    lambda data: data.tobytes(), lambda data: bytearray(data.tobytes()), lambda data: memoryview(data.tobytes()),
    lambda data: array.array("I", data.tobytes()), lambda data: data.view(np.float16).reshape(16, -1),
    lambda data: (ctypes.c_uint8 * data.nbytes).from_buffer_copy(data)])
def test_any_contiguous_buffer_can_be_stored(client, layout, make_keys, payload, make):
    (key,) = make_keys(1)
    data = payload(layout.groups[0].block_bytes, 7)
    assert client.store([(0, 0, key, make(data))]) == bytes([BlockStatus.OK])
    into = bytearray(data.nbytes)
    assert client.load([(0, 0, key, into)]).hits == 1
    assert into == data.tobytes()


def test_missing_blocks_are_misses(client, layout, make_keys):
    keys = make_keys(2)
    result = client.load([(0, 0, keys[0], bytearray(layout.groups[0].block_bytes))])
    assert result.status == bytes([BlockStatus.MISS]) and result.hits == 0
    match = client.match([keys])
    assert match.presence(0) == bytes(2) and match.restorable_tokens == [] and match.longest_tokens == 0


def test_all_forms_of_keys_find_the_same(client, stored):
    keys, _ = stored
    packed = incipit.PackedKeys(b"".join(keys), 32)
    matrix = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(4, 32)
    for form in (keys, tuple(keys), iter(keys), packed, packed[0:4], matrix):
        assert client.match([form]).presence(0) == bytes([1] * 4)
    assert client.match([packed[1:3]]).presence(0) == bytes([1] * 2)
    assert client.match([keys[:2] + [b"short"]]).presence(0) == bytes([1, 1, 0])
    assert [packed[i] for i in (0, 3, -1)] == [keys[0], keys[3], keys[3]] and len(packed) == 4


def test_layer_ranges_load_their_segments_only(client, layout, stored):
    keys, data = stored
    segment = layout.groups[0].segment_bytes
    into = np.zeros(2 * segment, dtype=np.uint8)
    assert client.load([(0, 0, keys[0], into)], first_segment=1, segment_count=2).hits == 1
    assert np.array_equal(into, data[0][segment:3 * segment])
    tail = np.zeros(segment, dtype=np.uint8)
    assert client.load([(0, 16, keys[1], tail)], first_segment=3).hits == 1
    assert np.array_equal(tail, data[1][3 * segment:])


def test_regions_scatter_and_gather_layers(client, layout, make_keys, payload):
    group, (key,) = layout.groups[0], make_keys(1)
    layer_bytes = group.block_bytes // group.layers
    # One "tensor" a layer, with eight slots each; the block is slot 5 of all of them.
    cache = [payload(8 * layer_bytes, layer).reshape(8, layer_bytes) for layer in range(group.layers)]
    regions = [incipit.Region(tensor) for tensor in cache]
    pieces = [(region, 5 * layer_bytes, layer_bytes) for region in regions]
    assert client.store([(0, 0, key, pieces)]) == bytes([BlockStatus.OK])
    whole = np.empty(group.block_bytes, dtype=np.uint8)
    assert client.load([(0, 0, key, incipit.Region(whole))]).hits == 1
    assert np.array_equal(whole, np.concatenate([tensor[5] for tensor in cache]))
    before = [tensor.copy() for tensor in cache]
    assert client.load([(0, 0, key, [(region, 2 * layer_bytes, layer_bytes) for region in regions])]).hits == 1
    for tensor, old in zip(cache, before):
        assert np.array_equal(tensor[2], old[5])
        assert np.array_equal(np.delete(tensor, 2, axis=0), np.delete(old, 2, axis=0))


def test_offer_touch_and_remove_say_what_became_of_blocks(client, stored, make_keys):
    keys, _ = stored
    (absent,) = make_keys(1)
    names = [incipit.BlockName(0, 0, keys[0]), (0, 16, absent)]
    assert client.offer(names) == bytes([BlockStatus.PRESENT, BlockStatus.WANTED])
    assert client.touch(names, next_use_ms=1000) == bytes([BlockStatus.OK, BlockStatus.MISS])
    assert client.remove(names) == bytes([BlockStatus.OK, BlockStatus.MISS])
    assert client.match([keys[:1]]).presence(0) == b"\0"


def test_second_store_of_a_block_changes_nothing(client, layout, stored, payload):
    keys, data = stored
    other = payload(layout.groups[0].block_bytes, 99)
    assert client.store([(0, 0, keys[0], data[0])]) == bytes([BlockStatus.PRESENT])
    assert client.store([(0, 0, keys[0], other)], offer_first=False) == bytes([BlockStatus.CONFLICT])
    into = np.empty_like(other)
    client.load([(0, 0, keys[0], into)])
    assert np.array_equal(into, data[0])


def test_leases_are_released_once(client, stored):
    keys, _ = stored
    with client.match([keys], lease_ms=60_000) as match:
        assert match.leased and 0 < match.lease_ms <= 60_000
    assert not match.leased
    match.release()
    assert not client.match([keys]).leased


def test_lease_may_outlive_the_client(node, layout, stored):
    keys, _ = stored
    with incipit.Client(node.address, "test-model", layout) as other:
        match = other.match([keys], lease_ms=60_000)
    assert match.leased
    match.release()
    assert match.presence(0) == bytes([1] * 4)


def test_node_stats_and_counters_tell_of_the_calls(client, stored):
    counters = client.counters()
    assert counters["stores"] == 1 and counters["blocks_stored"] == 6 and counters["protocol_errors"] == 0
    assert set(client.stats()) == {0, 1} and client.stats()[0]["received_bytes_total"] > 0
    assert client.node().connected and client.node().shard_count == 2
    assert client.new_stamp() < client.new_stamp()


def test_torch_tensors_travel_in_every_dtype(client, layout, make_keys):
    torch = pytest.importorskip("torch", reason="torch is not installed: set INCIPIT_WITH_TORCH=1 to test with it")
    group = layout.groups[0]
    for dtype, (key,) in zip((torch.bfloat16, torch.float32, torch.uint8), (make_keys(1) for _ in range(3))):
        raw = torch.randint(0, 256, (group.block_bytes,), dtype=torch.uint8)
        tensor = raw.view(dtype).reshape(4, -1)
        assert client.store([(0, 0, key, tensor)]) == bytes([BlockStatus.OK])
        into = torch.zeros_like(tensor)
        assert client.load([(0, 0, key, into)]).hits == 1
        assert torch.equal(into.view(-1).view(torch.uint8), raw)
    region = incipit.Region(into)
    assert region.nbytes == group.block_bytes and region.dtype == "uint8" and not region.readonly
    with pytest.raises(incipit.BufferMismatch, match="detached"):
        client.store([(0, 0, key, torch.zeros(1024, requires_grad=True))])
    with pytest.raises(incipit.BufferMismatch, match="C-contiguous"):
        client.load([(0, 0, key, torch.zeros(64, 32, dtype=torch.bfloat16).t())])


def test_sealed_blocks_come_back_with_their_key_only(node, layout, make_keys, payload, tmp_path):
    (key,) = make_keys(1)
    data = payload(layout.groups[0].block_bytes, 3)
    secret = bytes(range(32))
    key_file = tmp_path / "sealing.key"
    key_file.write_text(secret.hex() + "\n")
    key_file.chmod(0o600)
    with incipit.Client(node.address, "sealed", layout, sealing_key=secret) as writer:
        assert writer.store([Block(0, 0, key, data)]) == bytes([BlockStatus.OK])
    into = np.zeros_like(data)
    with incipit.Client(node.address, "sealed", layout, sealing_key_file=str(key_file)) as reader:
        assert reader.load([Block(0, 0, key, into)]).hits == 1
        assert reader.counters()["forged_segments"] == 0
    assert np.array_equal(into, data)
    with incipit.Client(node.address, "sealed", layout) as other:
        assert other.load([Block(0, 0, key, into)]).hits == 0
    # Coded and then sealed: read by all who have the key, in fewer bytes.
    (coded_key,) = make_keys(1)
    latents = np.full_like(data, 0x3f)
    with incipit.Client(node.address, "sealed", layout, sealing_key=secret, codec="bf16-lossless") as writer:
        assert writer.store([Block(0, 0, coded_key, latents)]) == bytes([BlockStatus.OK])
        assert writer.counters()["coded_stored_bytes"] < latents.nbytes
    with incipit.Client(node.address, "sealed", layout, sealing_key=secret) as reader:
        assert reader.load([Block(0, 0, coded_key, into)]).hits == 1
        assert reader.counters()["decoded_raw_bytes"] == latents.nbytes
    assert np.array_equal(into, latents)
    with pytest.raises(incipit.InvalidArgument, match="31 bytes, expected 32"):
        incipit.Client(node.address, "sealed", layout, sealing_key=secret[:31])
