"""Loads a prompt block by block with asyncio, as many at a time as an engine likes, and works meanwhile.

Usage: python3 asyncio_load.py tcp://host:port
"""
import asyncio
import sys

import incipit

BLOCKS = 8


async def restore(client: incipit.AsyncClient, group: incipit.Group, keys: list[bytes],
                  buffers: list[bytearray]) -> int:
    """Number of leading blocks that are there; layer 0 first, so that computing could begin with it."""
    first = [bytearray(group.segment_bytes) for _ in keys]
    for blocks, count in ((first, 1), (buffers, None)):
        loads = await asyncio.gather(*(
            client.load([incipit.Block(0, i * group.block_tokens, key, blocks[i])], segment_count=count)
            for i, key in enumerate(keys)))
    hits = [result.hits for result in loads]
    return hits.index(0) if 0 in hits else len(hits)


async def main(address: str) -> int:
    layout = incipit.Layout.custom("example", [incipit.Group("kv", layers=8, bytes_per_entry=256)])
    group = layout.groups[0]
    hasher = incipit.PrefixHasher(chunk_tokens=group.block_tokens)
    hasher.append(range(BLOCKS * group.block_tokens))
    keys = hasher.keys()

    async with incipit.AsyncClient(address, "example-model", layout, default_deadline_ms=1000) as client:
        computed = [bytes([i + 1]) * group.block_bytes for i in range(BLOCKS)]
        status = await client.store([incipit.Block(0, i * group.block_tokens, key, computed[i])
                                     for i, key in enumerate(keys)])
        print("stored:", ", ".join(incipit.BlockStatus(each).name for each in status))

        buffers = [bytearray(group.block_bytes) for _ in keys]
        with await client.match([keys], lease_ms=5000) as match:
            count = match.longest_tokens // group.block_tokens
            task = asyncio.create_task(restore(client, group, keys[:count], buffers))
            turns = 0
            while not task.done():  # the event loop is free while bytes travel
                turns += 1
                await asyncio.sleep(0)
        restored = await task

    same = restored == BLOCKS and [bytes(buffer) for buffer in buffers] == computed
    print(f"{restored} blocks loaded in {turns} turns of the loop, {'all bytes right' if same else 'WRONG'}")
    return 0 if same else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(sys.argv[1])))
