"""Stores the two blocks of a short prompt, then finds and loads them as another worker would.

Usage: python3 store_and_load.py tcp://host:port
"""
import sys

import numpy as np

import incipit


def main(address: str) -> int:
    layout = incipit.Layout.named("deepseek-v3-bf16")
    group = layout.groups[0]

    # The prompt: two blocks of tokens. Their keys are hashes of all tokens up to each block's end.
    tokens = [i * 7919 for i in range(2 * group.block_tokens)]
    hasher = incipit.PrefixHasher(chunk_tokens=group.block_tokens, salt="tenant-7")
    hasher.append(tokens)
    keys = hasher.keys()

    # What an engine computed: one array a layer; a block is one slice of each.
    layer_bytes = group.block_bytes // group.layers
    cache = [np.full((len(keys), layer_bytes), layer, dtype=np.uint8) for layer in range(group.layers)]
    loaded = [np.zeros_like(array) for array in cache]

    def blocks(arrays: list[np.ndarray]) -> list[incipit.Block]:
        regions = [incipit.Region(array) for array in arrays]  # pinned once, however many blocks there are
        return [incipit.Block(0, i * group.block_tokens, key, [(region, i * layer_bytes, layer_bytes)
                                                               for region in regions])
                for i, key in enumerate(keys)]

    with incipit.Client(address, "example-model", layout) as client:
        stamp_ns = client.new_stamp()  # one for all calls of a request
        status = client.store(blocks(cache), stamp_ns=stamp_ns)
        print("stored:", ", ".join(incipit.BlockStatus(each).name for each in status))

        with client.match([hasher.packed_keys()], stamp_ns=stamp_ns, lease_ms=5000) as match:
            print(f"{match.longest_tokens} of {len(tokens)} tokens can be restored")
            result = client.load(blocks(loaded), stamp_ns=stamp_ns)

    same = result.hits == len(keys) and all(np.array_equal(a, b) for a, b in zip(loaded, cache))
    print(f"{result.hits} blocks loaded, {'all bytes right' if same else 'WRONG'}")
    return 0 if same else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
