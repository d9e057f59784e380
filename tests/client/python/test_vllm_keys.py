"""Keys of blocks are vLLM's block hashes: they cover what the hashes cover, and are the same in every process."""
from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
import vllm_stand_in

from incipit.vllm.keys import block_key, block_keys, count_blocks

HASHES = [bytes([index]) * 4 for index in range(10)]


def test_every_hash_names_a_block_of_its_length():
    assert block_keys(HASHES, 1000, 16, 16) == HASHES
    assert block_keys(HASHES, 47, 16, 16) == HASHES[:2]
    assert [block_key(HASHES, index, 16, 16) for index in range(10)] == HASHES
    assert count_blocks(10, 16, 16) == 10


def test_last_hash_in_a_longer_block_names_it():
    assert block_keys(HASHES, 1000, 16, 64) == [HASHES[3], HASHES[7]]
    assert block_keys(HASHES, 127, 16, 64) == [HASHES[3]]
    assert [block_key(HASHES, index, 16, 64) for index in range(2)] == [HASHES[3], HASHES[7]]
    assert count_blocks(10, 16, 64) == 2


def test_no_tokens_have_no_keys():
    assert block_keys([], 0, 16, 16) == block_keys([], 64, 16, 16) == block_keys(HASHES, 15, 16, 16) == []
    assert count_blocks(0, 16, 64) == 0


HASHING = """
    import sys
    from vllm.lora.request import LoRARequest
    from vllm.multimodal.inputs import MultiModalFeatureSpec, PlaceholderRange
    from vllm.sampling_params import SamplingParams
    from vllm.utils.hashing import get_hash_fn_by_name
    from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
    from vllm.v1.request import Request
    from incipit.vllm.keys import block_keys

    def image(identifier):
        return MultiModalFeatureSpec(data=None, modality="image", identifier=identifier,
                                     mm_position=PlaceholderRange(offset=4, length=8))

    def keys(algorithm="sha256", **fields):
        function = get_hash_fn_by_name(algorithm)
        init_none_hash(function)
        request = Request("request", list(range(70)), SamplingParams(max_tokens=1), None,
                          block_hasher=get_request_block_hasher(16, function), **fields)
        found = block_keys(request.block_hashes, 70, 16, 16)
        assert len(found) == 4 and all(type(key) is bytes and len(key) <= 64 for key in found)
        return found

    VARIANTS = {
        "plain": {},
        "salted": {"cache_salt": "one"},
        "salted otherwise": {"cache_salt": "two"},
        "adapter": {"lora_request": LoRARequest("adapter", 1, "/nowhere")},
        "other adapter": {"lora_request": LoRARequest("other", 2, "/nowhere")},
        "image": {"mm_features": [image("cat")]},
        "other image": {"mm_features": [image("dog")]},
    }
"""


@pytest.fixture(scope="module")
def hashing():
    vllm_stand_in.need_vllm()
    space = {}
    exec(textwrap.dedent(HASHING), space)
    return space


def test_salt_adapter_and_media_are_in_the_keys(hashing):
    found = {name: hashing["keys"](**fields) for name, fields in hashing["VARIANTS"].items()}
    for index in range(4):
        assert len({keys[index] for keys in found.values()}) == len(found)
    again = {name: hashing["keys"](**fields) for name, fields in hashing["VARIANTS"].items()}
    assert again == found


def test_processes_agree_on_keys_of_sha256(hashing):
    """Though strings hash differently in each of them."""
    script = textwrap.dedent(HASHING) + "\nfor each in VARIANTS.values(): print(*(key.hex() for key in keys(**each)))"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=900, env=environment)
    assert ran.returncode == 0, ran.stderr
    if "PYTHONHASHSEED" not in os.environ:
        expected = [[key.hex() for key in hashing["keys"](**fields)] for fields in hashing["VARIANTS"].values()]
        assert [line.split() for line in ran.stdout.splitlines() if line] == expected


def test_hashes_that_differ_between_processes_are_warned_of(hashing, caplog):
    import logging
    import types

    from incipit.vllm import connector

    connector.logger.addHandler(caplog.handler)  # vLLM's own logger passes nothing on
    for algorithm in ("sha256", "sha256_cbor", "xxhash", "xxhash_cbor"):
        caplog.clear()
        with caplog.at_level(logging.WARNING, connector.logger.name):
            connector._warn_of_settings(types.SimpleNamespace(
                kv_transfer_config=types.SimpleNamespace(kv_load_failure_policy="recompute"),
                cache_config=types.SimpleNamespace(prefix_caching_hash_algo=algorithm),
            ))
        assert ("PYTHONHASHSEED" in caplog.text) == algorithm.startswith("xxhash"), algorithm
    connector.logger.removeHandler(caplog.handler)
