"""PrefixHasher gives the keys that docs/prefix_keys.md specifies, from any kind of tokens."""
import array
import pathlib

import incipit
import numpy as np
import pytest
from incipit import PrefixHasher

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "golden" / "prefix_keys.txt"


def keys_of(tokens, **options):
    hasher = PrefixHasher(chunk_tokens=4, **options)
    hasher.append(tokens)
    return hasher.keys()


def test_every_kind_of_tokens_gives_the_same_keys():
    tokens = list(range(10))
    expected = keys_of(tokens)
    assert len(expected) == 2 and len(set(expected)) == 2 and len(expected[0]) == 32
    for form in (tuple(tokens), iter(tokens), array.array("i", tokens), array.array("q", tokens),
                 *(np.array(tokens, dtype=t) for t in (np.int32, np.uint32, np.int64, np.uint64))):
        assert keys_of(form) == expected
    hasher = PrefixHasher(chunk_tokens=4)
    for token in tokens:
        hasher.append([token])
    assert hasher.keys() == expected and hasher.tokens == 10 and len(hasher) == 2


def golden_keys():
    vectors = {}
    for line in GOLDEN.read_text().splitlines():
        if not line.startswith("#"):
            algorithm, case, _, key = line.split()
            vectors.setdefault((algorithm, case), []).append(bytes.fromhex(key))
    return vectors


@pytest.mark.parametrize("algorithm", ["sha256", "xxh3_128"])
def test_keys_are_those_of_the_golden_vectors(algorithm):
    tokens = [(i * 7919 + 13) % 129280 for i in range(256)]
    options = {"salt": {"salt": "tenant-7"}, "lora": {"lora_id": "adapter-3"}, "chunk_16": {"chunk_tokens": 16},
               "all": {"salt": b"tenant-7", "lora_id": b"adapter-3"}}
    checked = set()
    for (of_algorithm, case), expected in golden_keys().items():
        if of_algorithm != algorithm.replace("_", "-"):
            continue
        hasher = PrefixHasher(algorithm, **options.get(case, {}))
        if case in ("media", "all"):
            hasher.add_media(3, 10, "image-a")
            hasher.add_media(60, 100, "image-b")
        hasher.append(tokens)
        assert hasher.keys()[:len(expected)] == expected, case
        checked.add(case)
    assert checked >= {"plain", "chunk_16", "salt", "lora", "media", "all"}


def test_packed_keys_are_the_keys_one_after_the_other():
    hasher = PrefixHasher(chunk_tokens=2)
    hasher.append(range(9))
    packed = hasher.packed_keys()
    assert bytes(packed) == b"".join(hasher.keys()) and packed.key_bytes == hasher.key_bytes == 32
    assert bytes(hasher.packed_keys(3)) == hasher.keys()[3] and len(hasher.packed_keys(9)) == 0
    hasher.reset()
    assert hasher.keys() == [] and hasher.tokens == 0


def test_wrong_tokens_and_options_are_refused():
    hasher = PrefixHasher(chunk_tokens=4)
    for tokens, error, pattern in (
            ([1, -1], incipit.InvalidArgument, "token 1: .*found -1"),
            ([2**32], incipit.InvalidArgument, "found 4294967296"),
            (np.array([0, -5], np.int64), incipit.InvalidArgument, "token 1: expected 0 to 4294967295, found -5"),
            (np.zeros(4, np.float32), incipit.BufferMismatch, "found float32"),
            (np.zeros(8, np.int32)[::2], incipit.BufferMismatch, "C-contiguous"),
            (3, incipit.InvalidArgument, "found int")):
        with pytest.raises(error, match=pattern):
            hasher.append(tokens)
    assert hasher.tokens == 0
    for options in ({"chunk_tokens": 0}, {"algorithm": "md5"}, {"salt": 3}):
        with pytest.raises(incipit.InvalidArgument):
            PrefixHasher(**options)
    hasher.append(range(4))
    with pytest.raises(incipit.InvalidArgument):
        hasher.add_media(0, 1, b"late")
