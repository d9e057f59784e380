"""
Compiled half of incipit. Import what you need from the package itself.
"""

from collections.abc import Buffer, Iterable, Sequence
from typing import Any, Literal, SupportsIndex


class Group:
    """
    Layers of a model that share block size, entry size and hit rule. Immutable.

    A block holds block_tokens / tokens_per_entry entries for each of its layers (one entry for
    rule 'checkpoint'), each layer padded to layer_align_bytes, cut into `segments` equal pieces.
    """

    def __init__(self, name: str, rule: Literal['all', 'window', 'checkpoint'] = 'all', *, window_tokens: int = 0, block_tokens: int = 64, layers: int = 1, tokens_per_entry: int = 1, bytes_per_entry: int, layer_align_bytes: int = 1, segments: int = 0) -> None:
        """
        segments=0 means one per layer. InvalidArgument names the field that is out of range and what is allowed.
        """

    @property
    def name(self) -> str:
        """Unique in its layout."""

    @property
    def rule(self) -> str:
        """Which blocks a restore needs: 'all', 'window' or 'checkpoint'."""

    @property
    def window_tokens(self) -> int:
        """Length of the window; 0 unless rule is 'window'."""

    @property
    def block_tokens(self) -> int:
        """Tokens that one block covers."""

    @property
    def layers(self) -> int:
        """Layers in one block."""

    @property
    def tokens_per_entry(self) -> int:
        """Tokens that one entry covers."""

    @property
    def bytes_per_entry(self) -> int:
        """Bytes of one entry of one layer."""

    @property
    def layer_align_bytes(self) -> int:
        """A layer's bytes are padded to a multiple of it."""

    @property
    def segment_count(self) -> int:
        """Separately readable pieces of a block."""

    @property
    def segment_bytes(self) -> int:
        """Bytes of one segment."""

    @property
    def block_bytes(self) -> int:
        """Bytes of a whole block: segment_count * segment_bytes."""

    def __eq__(self, arg: Group, /) -> bool:
        """Whether all fields are equal."""

    def __repr__(self) -> str: ...

class Layout:
    """
    What a model's KV cache looks like: its groups. Part of every block's identity. Immutable.

    Made by Layout.named() or Layout.custom().
    """

    @staticmethod
    def named(name: str, block_tokens: int = 0) -> Layout:
        """
        A layout that is shipped. block_tokens=0 takes its usual block size.

        InvalidArgument: the name is not known (the message lists those that are), or the block size does
        not suit.
        """

    @staticmethod
    def names() -> list[str]:
        """Names of the layouts that are shipped."""

    @staticmethod
    def custom(name: str, groups: Sequence[Group]) -> Layout:
        """
        A layout of one to 16 groups. The name is part of its fingerprint.

        InvalidArgument: no or too many groups, two of one name.
        """

    @property
    def name(self) -> str:
        """Its name, part of the fingerprint."""

    @property
    def groups(self) -> list[Group]:
        """The groups, in the order that group indices mean."""

    @property
    def restore_step_tokens(self) -> int:
        """Tokens between two lengths at which all groups can be restored."""

    @property
    def bytes_per_token(self) -> float:
        """Bytes a token takes in the groups that grow with context."""

    def encode(self) -> bytes:
        """Canonical bytes: two layouts are the same exactly if these are."""

    def fingerprint(self) -> bytes:
        """SHA-256 of encode(): 32 bytes."""

    def __eq__(self, arg: Layout, /) -> bool:
        """Whether name and groups are equal."""

    def __repr__(self) -> str: ...

class PackedKeys:
    """
    Keys of one length, one after the other in a buffer: what match() takes without making an
    object of every key. A view: it pins the buffer, whose bytes must not change during a call.
    """

    def __init__(self, buffer: Buffer | object, key_bytes: int) -> None:
        """
        buffer: C-contiguous, count * key_bytes bytes. key_bytes: 1 to 64.

        InvalidArgument: key_bytes. BufferMismatch: not contiguous, or not a whole number of keys.
        """

    @property
    def key_bytes(self) -> int:
        """Bytes of one key."""

    def __len__(self) -> int:
        """How many keys."""

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        """
        One key as bytes, or PackedKeys that share the buffer for a slice of step 1.
        """

    def __bytes__(self) -> bytes:
        """A copy of all keys, one after the other."""

    def __repr__(self) -> str: ...

class Region:
    """
    A whole buffer, pinned once, whose pieces blocks are gathered from or scattered to.

    An engine has one tensor a layer and a block is one slice of each: give the block a list of
    (region, offset_bytes, length_bytes), in the order of the block's bytes. Every piece is checked
    against the region's bounds.
    """

    def __init__(self, buffer: Buffer | object) -> None:
        """
        buffer: C-contiguous host memory of any type. Read-only buffers can be stored from, not loaded into.

        BufferMismatch: no buffer, or not contiguous. UnsupportedDevice: memory of a GPU.
        """

    @property
    def nbytes(self) -> int:
        """Bytes of the buffer."""

    @property
    def readonly(self) -> bool:
        """Whether blocks cannot be loaded into it."""

    @property
    def dtype(self) -> str:
        """Name of the type of its elements, as 'bfloat16'."""

    def __repr__(self) -> str: ...

class SharedMemory:
    """
    Memory that a node on this host reads and writes directly over unix://, as a writable buffer.

    Blocks whose buffers lie in it (numpy.frombuffer(memory, ...), torch.frombuffer, memoryview,
    Region) are copied once, by the node. On other lanes it is memory like any other. It has no
    name in the file system, and is given back with the last view of it.
    """

    def __init__(self, nbytes: int) -> None:
        """
        nbytes: rounded up to whole pages; zeroed.

        InvalidArgument: 0 bytes, or more than the system gives.
        """

    @property
    def nbytes(self) -> int:
        """Bytes of the memory."""

    def __repr__(self) -> str: ...

class PrefixHasher:
    """
    Block keys for engines that have none: a hash chain over token chunks, so that equal keys mean
    equal openings. One hasher for one prompt; reuse it with reset(). Any thread.
    """

    def __init__(self, algorithm: Literal['sha256', 'xxh3_128'] = 'sha256', *, chunk_tokens: int = 64, salt: bytes | str = b'', lora_id: bytes | str = b'') -> None:
        """
        sha256 gives keys of 32 bytes; xxh3_128 of 16, for clients that trust each other. salt: of the tenant or
        request. lora_id: of the adapter.

        InvalidArgument: unknown algorithm, chunk_tokens of 0 or over 65536.
        """

    def add_media(self, first_token: int, token_count: int, content_id: bytes | str) -> None:
        """
        Announces an image or clip whose placeholder tokens are appended later.

        InvalidArgument: spans must ascend, must not overlap and must not have begun.
        """

    def append(self, tokens: Buffer | Sequence[int] | object) -> None:
        """
        Token ids of 0 to 2**32 - 1: an int32, uint32, int64 or uint64 buffer or a sequence of integers. Keys do
        not depend on how tokens are cut into calls.

        InvalidArgument: a token out of range. BufferMismatch: another element type, not contiguous.
        """

    def reset(self) -> None:
        """Forgets tokens, keys and media; keeps options and memory."""

    def keys(self) -> list[bytes]:
        """
        One key per complete chunk so far. Key i names tokens 0 to (i + 1) * chunk_tokens.
        """

    def packed_keys(self, first: int = 0) -> PackedKeys:
        """A packed copy of the keys from key `first` on."""

    def __len__(self) -> int:
        """How many keys there are."""

    @property
    def tokens(self) -> int:
        """Tokens appended so far, those of an incomplete chunk included."""

    @property
    def key_bytes(self) -> int:
        """Bytes of one key."""

    @property
    def chunk_tokens(self) -> int:
        """Tokens that one key adds."""

class Match:
    """
    What the node holds of a prompt, the lease that keeps it there, and who computes the rest.

    A context manager: leaving it or the end of the object lets the node forget lease and claim.
    """

    def presence(self, group: int) -> bytes:
        """
        One byte for each key asked for in `group`: 0 miss, 1 RAM, 2 NVMe (see Presence).

        InvalidArgument: the layout has no such group.
        """

    @property
    def restorable_tokens(self) -> list[int]:
        """
        Every length at which all groups' hit rules are met, ascending. Made anew on each access.
        """

    @property
    def longest_tokens(self) -> int:
        """The longest of them; 0 if nothing can be restored."""

    @property
    def ram_bytes(self) -> int:
        """To load from RAM for longest_tokens."""

    @property
    def nvme_bytes(self) -> int:
        """To load from NVMe for longest_tokens."""

    @property
    def lease_ms(self) -> int:
        """How long the node keeps the blocks; 0 = no lease."""

    @property
    def leased(self) -> bool:
        """Whether a lease is held that has not been released."""

    @property
    def complete(self) -> bool:
        """
        False: a shard did not answer in time, and its blocks are reported as misses.
        """

    @property
    def worth_loading(self) -> bool:
        """
        Whether loading is predicted to be faster than computing; True without a prefill rate.
        """

    @property
    def load_time_us(self) -> int:
        """Predicted for longest_tokens."""

    @property
    def recompute_time_us(self) -> int:
        """Of longest_tokens at the client's prefill rate."""

    @property
    def claimed(self) -> bool:
        """
        Whether what is missing was claimed: this worker should compute it, others may wait for it.
        """

    @property
    def computing(self) -> bool:
        """
        Whether another worker, which is alive, computes what is missing: wait() for it, or compute it too.
        """

    @property
    def claim_ms(self) -> int:
        """How long the claim holds unless it is renewed."""

    @property
    def computing_ms(self) -> int:
        """For how long the other has been at it."""

    def renew(self) -> None:
        """Prolongs the claim by what was asked for, from now. Never blocks."""

    def release_claim(self) -> None:
        """
        Gives the claim up, so that a worker that waits can take it. Never blocks.
        """

    def release(self) -> None:
        """Gives the lease back; does nothing if there is none. Never blocks."""

    def __enter__(self) -> Match:
        """The match."""

    def __exit__(self, *exc_info: object) -> None:
        """Releases lease and claim."""

    def __repr__(self) -> str: ...

class LoadResult:
    """
    What became of the blocks of a load. Whatever is not a hit is a miss, and its destination's
    bytes are unspecified.
    """

    @property
    def status(self) -> bytes:
        """One byte for each block, a BlockStatus: 0 is a verified hit."""

    @property
    def tiers(self) -> bytes:
        """One byte for each block, a Presence: where a hit came from."""

    @property
    def hits(self) -> int:
        """How many blocks were loaded."""

    @property
    def loaded_bytes(self) -> int:
        """Bytes of hits."""

    def __repr__(self) -> str: ...

class NodeInfo:
    """What the node said of itself."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""

    @property
    def address(self) -> str:
        """Where it is."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def node_id(self) -> int:
        """Stays the same over restarts if the node keeps its state."""

    @property
    def incarnation(self) -> int:
        """Differs after each start of the node."""

    @property
    def shard_count(self) -> int:
        """Shards of the node; 0 before the first connection."""

    def __repr__(self) -> str: ...

class NativeClient:
    """
    The client without staging or asyncio: blocking calls, and submit_*() with completions over an
    eventfd. Any thread. Blocking calls release the GIL; keys and buffers are held until they end.
    """

    def __init__(self, address: str, model: str, layout: Layout, *, tenant: str = 'default', secret_file: str = '', namespace_owner: str = '', client_name: str = '', connect_lazily: bool = False, connect_timeout_ms: int = 2000, default_deadline_ms: int = 2000, max_inflight_bytes: int = 67108864, prefill_tokens_per_s: float = 0.0, busy_retries: int = 4, dtype: str | None = None, sealing_key_file: str = '', sealing_key: bytes | None = None, codec: str = '', codec_threads: int = 0, replicas: int = 1) -> None:
        """
        Connects to the node at `address`, "tcp://host:port" of any of its shards, or to a cluster by some of its nodes,
        "cluster://host:port,host:port".

        secret_file: with the tenant's secret, where the node has tenants. namespace_owner: tenant whose blocks are
        used, if it grants that; '' = the client's own.
        connect_lazily: do not wait for a node; calls miss until there is one. max_inflight_bytes: payload asked
        for and not yet received, per shard. prefill_tokens_per_s: of the engine; what is slower to load than to
        compute is then a miss. dtype: name that buffers' elements must have unless they are uint8.
        sealing_key_file, sealing_key: blocks are encrypted with the key in this file, or these 32 bytes, and no
        others are accepted.
        codec: how blocks are stored: '' as they are, 'bf16-lossless', 'bf16-lossless-fast', 'fp8-lossless', or
        'fp8', which is lossy and whose blocks only clients with it see. Whatever is stored losslessly every client
        reads. With a sealing key coded, then sealed. codec_threads: that code and decode; 0 = half the processors, 1
        to 4; of one or two the client's own thread codes too.
        replicas: in a cluster, how many nodes get each block that is stored.

        InvalidArgument: an option. Unavailable: no node answers. Refused: versions do not meet, no
        io_uring, or the credentials do not count there.
        """

    def match(self, groups: Sequence[PackedKeys | Sequence[bytes] | object], *, stamp_ns: int = 0, lease_ms: int = 0, deadline_ms: int = 0, claim_ms: int = 0) -> Match:
        """
        Which blocks of a prompt the node holds, and at which lengths it can be restored.

        groups: for each group of the layout its keys in chain order: PackedKeys, a uint8 array of shape (count,
        key_bytes), or a sequence of bytes of 1 to 64 each. lease_ms: pins what is found for so long; 0 = not at
        all. claim_ms: announces for so long that this worker computes what is missing, unless another has: see
        Match.claimed and Match.computing. A node that cannot be reached holds nothing: no error, complete is
        False.

        InvalidArgument: too many groups, a key's type or length. BufferMismatch: an array's shape or type.
        """

    def wait(self, groups: Sequence[PackedKeys | Sequence[bytes] | object], *, have_tokens: int = 0, step_tokens: int = 0, claim_ms: int = 0, deadline_ms: int = 0) -> Match:
        """
        A match that waits for what another worker computes. It ends when more than have_tokens can be restored
        (at least step_tokens more, if there is more to come), when the other gave up and this worker has the
        claim, when nobody computes what is missing, or at the deadline. No lease. Errors as match().
        """

    def load(self, blocks: Iterable[tuple[int, int, bytes, object]], *, first_segment: int = 0, segment_count: int | None = None, stamp_ns: int = 0, deadline_ms: int = 0, recompute_tokens: int = 0) -> LoadResult:
        """
        Reads blocks into their buffers.

        blocks: (group, depth_tokens, key, buffer). A buffer is C-contiguous writable host memory, a Region, or a
        sequence of (Region, offset_bytes, length_bytes), of exactly the bytes of the segments asked for. Damage,
        refusals, a dead node and the deadline are misses, never errors.

        InvalidArgument: group, key, segment range. BufferMismatch: size, dtype, order, writability.
        UnsupportedDevice: memory of a GPU.
        """

    def store(self, blocks: Iterable[tuple[int, int, bytes, object]], *, stamp_ns: int = 0, deadline_ms: int = 0, offer_first: bool = True) -> bytes:
        """
        Writes whole blocks; the buffers must not change meanwhile. One byte for each, a BlockStatus.

        offer_first: ask which blocks are wanted, send only those. Unavailable: no shard concerned could be
        reached. Other errors as load().
        """

    def offer(self, names: Iterable[tuple[int, int, bytes] | tuple[int, int, bytes, object]], *, stamp_ns: int = 0, deadline_ms: int = 0) -> bytes:
        """
        Which blocks the node wants stored: WANTED, PRESENT or why not, one byte for each.

        names: (group, depth_tokens, key), or whole blocks. InvalidArgument: group or key.
        """

    def touch(self, names: Iterable[tuple[int, int, bytes] | tuple[int, int, bytes, object]], *, stamp_ns: int = 0, ttl_ms: int = 0, next_use_ms: int = 0, deadline_ms: int = 0) -> bytes:
        """
        Marks blocks as used, with hints of when they are next (0 = none). One BlockStatus byte for each.
        """

    def remove(self, names: Iterable[tuple[int, int, bytes] | tuple[int, int, bytes, object]], *, deadline_ms: int = 0) -> bytes:
        """
        Removes blocks from all tiers. One BlockStatus byte for each: OK, MISS or why not.
        """

    def submit_match(self, groups: Sequence[PackedKeys | Sequence[bytes] | object], *, stamp_ns: int = 0, lease_ms: int = 0, deadline_ms: int = 0, claim_ms: int = 0) -> int:
        """
        Starts match() and gives the token that its completion will carry. Errors of arguments are raised here.
        """

    def submit_wait(self, groups: Sequence[PackedKeys | Sequence[bytes] | object], *, have_tokens: int = 0, step_tokens: int = 0, claim_ms: int = 0, deadline_ms: int = 0) -> int:
        """Starts wait()."""

    def submit_load(self, blocks: Iterable[tuple[int, int, bytes, object]], *, first_segment: int = 0, segment_count: int | None = None, stamp_ns: int = 0, deadline_ms: int = 0, recompute_tokens: int = 0) -> int:
        """
        Starts load(). The buffers are written to until its completion has been taken.
        """

    def submit_store(self, blocks: Iterable[tuple[int, int, bytes, object]], *, stamp_ns: int = 0, deadline_ms: int = 0, offer_first: bool = True) -> int:
        """
        Starts store(). The buffers must not change until its completion has been taken.
        """

    def submit_offer(self, names: Iterable[tuple[int, int, bytes] | tuple[int, int, bytes, object]], *, stamp_ns: int = 0, deadline_ms: int = 0) -> int:
        """Starts offer()."""

    def submit_touch(self, names: Iterable[tuple[int, int, bytes] | tuple[int, int, bytes, object]], *, stamp_ns: int = 0, ttl_ms: int = 0, next_use_ms: int = 0, deadline_ms: int = 0) -> int:
        """Starts touch()."""

    def submit_remove(self, names: Iterable[tuple[int, int, bytes] | tuple[int, int, bytes, object]], *, deadline_ms: int = 0) -> int:
        """Starts remove()."""

    def event_fd(self) -> int:
        """
        Descriptor of an eventfd that is readable while completions wait to be taken. Poll it; do not close it.
        """

    def drain_completions(self) -> list[tuple[int, Match | LoadResult | bytes | None, BaseException | None]]:
        """
        Takes all completions, oldest first: (token, result, error), one of the two None. Never blocks; also
        after close().
        """

    @property
    def in_flight(self) -> int:
        """Submitted calls whose completions have not been taken."""

    def stats(self) -> dict[int, dict[str, int]]:
        """
        Metrics of the node by shard; of a cluster, by the shards of all nodes, numbered one after the other.
        Unavailable: no shard answered.
        """

    def counters(self) -> dict[str, int]:
        """
        What this client has seen since it was made, as matches, bytes_loaded, expired_calls.
        """

    def node(self) -> NodeInfo:
        """What the node said of itself; of a cluster, all its nodes in one."""

    def nodes(self) -> list[NodeInfo]:
        """Of a cluster its nodes that serve; else the node."""

    def new_stamp(self) -> int:
        """
        Wall-clock nanoseconds, strictly ascending: one for all calls of one request of the engine.
        """

    @property
    def layout(self) -> Layout:
        """The layout."""

    @property
    def address(self) -> str:
        """The address."""

    @property
    def closed(self) -> bool:
        """Whether close() was called."""

    def close(self) -> None:
        """
        Ends submitted calls as expired (their completions can still be taken), waits for blocking calls of other
        threads, which end by their deadlines, and disconnects. May be called again.
        """
