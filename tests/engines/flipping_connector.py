"""IncipitConnector with a fault: one bit of the first block of each load is flipped after its checksum was verified.

For the end-to-end test, which shows with it that wrong bytes would not go unnoticed.
"""

from incipit.vllm import IncipitConnector


class FlippingConnector(IncipitConnector):
    def register_kv_caches(self, kv_caches):
        super().register_kv_caches(kv_caches)
        loads = self._worker._loads
        load = loads._load

        def load_and_flip(job, *rest):
            hits = load(job, *rest)
            place = job.blocks[0]
            page = loads._memory.layers[place.group][0].pages[place.block_id]
            # The high bit of the first element's exponent: a value near 1 becomes a huge one.
            page[self._high_byte] ^= 0x40
            return hits

        self._high_byte = next(iter(kv_caches.values())).element_size() - 1
        loads._load = load_and_flip
