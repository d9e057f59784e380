"""Every wrong use has its type of exception and says what was expected and what was found."""
import incipit
import numpy as np
import pytest
from incipit import BufferMismatch, InvalidArgument

KEY = bytes(32)
SIZE = 4096


def check(error, pattern, call, *arguments, **options):
    with pytest.raises(error, match=pattern) as caught:
        call(*arguments, **options)
    assert isinstance(caught.value, incipit.IncipitError)


@pytest.mark.parametrize("buffer, pattern", [
    (np.zeros(SIZE - 1, np.uint8), r"block 0: buffer: expected 4096 bytes .*found 4095"),
    (np.zeros(SIZE + 64, np.uint8), "found 4160"),
    (np.zeros((64, 128), np.uint8)[:, ::2], r"expected C-contiguous memory, found shape \(64, 64\)"),
    (np.asfortranarray(np.zeros((64, 64), np.uint8)), "C-contiguous"),
    (bytes(SIZE), "expected a writable one, found a read-only bytes"),
    (np.broadcast_to(np.uint8(0), SIZE), "read-only"),
    (42, "buffer protocol or DLPack, found int"),
    ([], "expected at least one piece"),
])
def test_unfit_destinations_are_refused(client, buffer, pattern):
    check(BufferMismatch, pattern, client.load, [(0, 0, KEY, buffer)])


@pytest.mark.parametrize("block, pattern", [
    ((2, 0, KEY, b""), r"group: expected 0 to 1 \(layout two-groups\), found 2"),
    ((-1, 0, KEY, b""), "group: expected an integer of 0 to 65535, found -1"),
    ((0, 1 << 32, KEY, b""), "depth_tokens: expected an integer of 0 to 4294967295, found 4294967296"),
    ((0, "0", KEY, b""), "depth_tokens: .*found str"),
    ((0, 0, b"", b""), "key: expected 1 to 64 bytes, found 0"),
    ((0, 0, bytes(65), b""), "key: expected 1 to 64 bytes, found 65"),
    ((0, 0, "key", b""), "key: expected bytes, found str"),
    ((0, 0, KEY), r"expected a tuple \(group, depth_tokens, key, buffer\), found tuple"),
    (None, "found NoneType"),
    ((0, 0, KEY, [(b"", 0, 1)]), r"piece 0: expected a tuple \(Region, offset_bytes, length_bytes\)"),
])
def test_malformed_blocks_are_refused(client, block, pattern):
    check(InvalidArgument, "store: block 0: .*" + pattern, client.store, [block])


def test_pieces_are_checked_against_their_region(client):
    region = incipit.Region(bytearray(SIZE))
    for offset, length in ((1, SIZE), (SIZE + 1, 0), (2**63, 2**63), (0, 2**64 - 1)):
        check(BufferMismatch, "the region has 4096 bytes", client.load, [(0, 0, KEY, [(region, offset, length)])])
    check(BufferMismatch, "expected 4096 bytes", client.load, [(0, 0, KEY, [(region, 0, SIZE - 1)])])
    check(BufferMismatch, "read-only", client.load, [(0, 0, KEY, [(incipit.Region(bytes(SIZE)), 0, SIZE)])])
    check(BufferMismatch, "C-contiguous", incipit.Region, np.zeros((8, 8))[:, ::2])


def test_segment_ranges_are_checked(client):
    block = [(0, 0, KEY, bytearray(SIZE))]
    check(InvalidArgument, "first_segment: expected 0 to 3", client.load, block, first_segment=4)
    check(InvalidArgument, "segment_count: expected at least 1", client.load, block, segment_count=0)
    check(BufferMismatch, "expected 1024 bytes", client.load, block, segment_count=1)


@pytest.mark.parametrize("groups, error, pattern", [
    ([[], [], []], InvalidArgument, "at most 2 key lists"),
    ([[b""]], InvalidArgument, "key 0: key: expected 1 to 64 bytes"),
    ([[KEY, "x"]], InvalidArgument, "key 1: key: expected bytes, found str"),
    ([np.zeros((2, 65), np.uint8)], InvalidArgument, "1 to 64 bytes, found 65"),
    ([np.zeros(64, np.uint8)], BufferMismatch, r"uint8 of shape \(count, key_bytes\)"),
    ([np.zeros((2, 8), np.int32)], BufferMismatch, "found int32"),
    ([np.zeros((4, 64), np.uint8)[:, ::2]], BufferMismatch, "C-contiguous"),
    ([7], InvalidArgument, "group 0: expected PackedKeys, .*found int"),
    ([KEY], BufferMismatch, "dimensions"),
])
def test_malformed_keys_are_refused(client, groups, error, pattern):
    check(error, pattern, client.match, groups)


def test_packed_keys_are_whole_keys():
    check(BufferMismatch, "multiple of 32 bytes, found 33", incipit.PackedKeys, bytes(33), 32)
    check(InvalidArgument, "1 to 64 bytes, found 0", incipit.PackedKeys, b"", 0)
    check(InvalidArgument, "step 1", incipit.PackedKeys(bytes(64), 32).__getitem__, slice(0, 2, 2))
    with pytest.raises(IndexError):
        incipit.PackedKeys(bytes(64), 32)[2]


def test_dtype_of_the_client_is_insisted_on(node, layout, stored):
    keys, data = stored
    with incipit.Client(node.address, "test-model", layout, dtype=np.float16) as typed:
        check(BufferMismatch, "expected elements of float16 .*found float32", typed.load,
              [(0, 0, keys[0], np.zeros(SIZE // 4, np.float32))])
        check(BufferMismatch, "found int16", typed.store,
              [(0, 0, keys[0], [(incipit.Region(np.zeros(SIZE // 2, np.int16)), 0, SIZE)])])
        into = np.zeros(SIZE // 2, np.float16)
        assert typed.load([(0, 0, keys[0], into), (0, 16, keys[1], bytearray(SIZE))]).hits == 2
        assert np.array_equal(into.view(np.uint8), data[0])
    check(InvalidArgument, "element type, as 'bfloat16', found 'quux'", incipit.Client, node.address, "m", layout,
          dtype="quux")


def test_layouts_name_what_is_wrong():
    check(InvalidArgument, "deepseek-v3-bf16", incipit.Layout.named, "no-such-model")
    check(InvalidArgument, "multiples of 128", incipit.Layout.named, "deepseek-v4-flash", 100)
    check(InvalidArgument, "expected 'all', 'window' or 'checkpoint', found 'some'", incipit.Group, "g", "some",
          bytes_per_entry=1)
    check(InvalidArgument, "window_tokens is 0", incipit.Group, "g", "window", bytes_per_entry=1)
    check(InvalidArgument, "groups", incipit.Layout.custom, "empty", [])


def test_nobody_at_the_address_is_unavailable(layout, silent_server):
    check(incipit.Unavailable, "tcp://", incipit.Client, silent_server, "m", layout, connect_timeout_ms=50)
    check(InvalidArgument, "model", incipit.Client, silent_server, "", layout)
    assert issubclass(incipit.Unavailable, ConnectionError) and issubclass(InvalidArgument, ValueError)


def test_dead_node_costs_hits_but_stores_are_unavailable(layout, silent_server):
    with incipit.Client(silent_server, "m", layout, connect_lazily=True, default_deadline_ms=50) as lazy:
        match = lazy.match([[KEY]], lease_ms=1000)
        assert match.presence(0) == b"\0" and not match.complete and not match.leased
        result = lazy.load([(0, 0, KEY, bytearray(SIZE))])
        assert result.status == bytes([incipit.BlockStatus.EXPIRED])
        check(incipit.Unavailable, ".", lazy.store, [(0, 0, KEY, bytes(SIZE))])
        check(incipit.Unavailable, ".", lazy.stats)


def test_closed_client_says_so(node, layout):
    client = incipit.Client(node.address, "test-model", layout)
    client.close()
    client.close()
    assert client.closed
    for call in (lambda: client.match([[KEY]]), lambda: client.store([(0, 0, KEY, bytes(SIZE))]), client.stats,
                 client.counters, client.node, client.new_stamp, lambda: client.submit_match([[KEY]])):
        check(incipit.ClosedError, "the client is closed", call)
