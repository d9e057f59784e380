"""The client for asyncio."""
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ._core import Layout, LoadResult, Match, NativeClient, NodeInfo
from .errors import ClosedError, UnsupportedDevice, WrongLoopError
from .options import dtype_name, one_address
from .staging import StagedBlocks, any_on_gpu

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from .options import ClientOptions

_Blocks = Iterable[tuple[int, int, bytes, Any]]


class AsyncClient:
    """Client whose calls are awaited. `async with AsyncClient(...) as client:` connects and closes.

    Belongs to the event loop that uses it first; any other raises WrongLoopError. Not for several threads.

    Cancelling an await gives up the answer, not the call: its buffers are held, and a load may still write to its
    destinations, until the native call has ended. wait_idle() waits for that.
    """

    def __init__(self, address: str | Sequence[str], model: str, layout: Layout, *, dtype: object = None,
                 **options: Unpack[ClientOptions]) -> None:
        """As Client. Nothing is connected before open()."""
        self._arguments = (one_address(address), model, layout)
        self._options = dict(options, dtype=dtype_name(dtype))
        self._native: NativeClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}  # by token
        self._idle: asyncio.Event | None = None
        self._closed = False

    async def open(self) -> None:
        """Connects, on a thread of the loop's executor. Unavailable: no node answers. May be called again."""
        loop = self._bind()
        if self._closed:
            raise ClosedError("the client is closed")
        if self._native is not None:
            return
        native = await loop.run_in_executor(None, lambda: NativeClient(*self._arguments, **self._options))
        if self._native is not None or self._closed:  # opened or closed meanwhile
            native.close()
            return
        self._native = native
        self._idle = asyncio.Event()
        self._idle.set()
        loop.add_reader(native.event_fd(), self._drain)

    async def close(self) -> None:
        """Ends outstanding calls as expired and disconnects. May be called again."""
        loop = self._bind()
        self._closed = True
        native = self._native
        if native is None or native.closed:
            return
        loop.remove_reader(native.event_fd())
        # The thread that serves the completions ends in here, so it must not be this one that waits for it.
        await loop.run_in_executor(None, native.close)
        self._drain()

    async def match(self, groups: Sequence[Any], **options: int) -> Match:
        """As NativeClient.match(). If the await is cancelled, lease and claim are given back."""
        return await self._finish(self._ready().submit_match(groups, **options))

    async def wait(self, groups: Sequence[Any], **options: int) -> Match:
        """As NativeClient.wait(). If the await is cancelled, a claim is given back."""
        return await self._finish(self._ready().submit_wait(groups, **options))

    async def load(self, blocks: _Blocks, **options: Any) -> LoadResult:
        """As NativeClient.load(), and also into CUDA tensors."""
        native, blocks = self._ready(), list(blocks)
        try:
            token = native.submit_load(blocks, **options)
        except UnsupportedDevice:
            if not any_on_gpu(blocks):
                raise
            staged = StagedBlocks(blocks)
            result = await self._finish(native.submit_load(staged.blocks, **options))
            staged.deliver(result.status)
            return result
        return await self._finish(token)

    async def store(self, blocks: _Blocks, **options: Any) -> bytes:
        """As NativeClient.store(), and also from CUDA tensors."""
        native, blocks = self._ready(), list(blocks)
        try:
            token = native.submit_store(blocks, **options)
        except UnsupportedDevice:
            if not any_on_gpu(blocks):
                raise
            staged = StagedBlocks(blocks)
            staged.fetch()
            token = native.submit_store(staged.blocks, **options)
        return await self._finish(token)

    async def offer(self, names: Iterable[Any], **options: int) -> bytes:
        """As NativeClient.offer()."""
        return await self._finish(self._ready().submit_offer(names, **options))

    async def touch(self, names: Iterable[Any], **options: int) -> bytes:
        """As NativeClient.touch()."""
        return await self._finish(self._ready().submit_touch(names, **options))

    async def remove(self, names: Iterable[Any], **options: int) -> bytes:
        """As NativeClient.remove()."""
        return await self._finish(self._ready().submit_remove(names, **options))

    async def stats(self) -> dict[int, dict[str, int]]:
        """As NativeClient.stats(), on a thread of the loop's executor."""
        native = self._ready()
        return await self._bind().run_in_executor(None, native.stats)

    def counters(self) -> dict[str, int]:
        """As NativeClient.counters()."""
        return self._ready().counters()

    def node(self) -> NodeInfo:
        """As NativeClient.node()."""
        return self._ready().node()

    def nodes(self) -> list[NodeInfo]:
        """As NativeClient.nodes()."""
        return self._ready().nodes()

    def new_stamp(self) -> int:
        """As NativeClient.new_stamp()."""
        return self._ready().new_stamp()

    async def wait_idle(self) -> None:
        """Returns when no native call is outstanding: no buffer of a call, cancelled or not, is used any more."""
        self._ready()
        assert self._idle is not None
        await self._idle.wait()

    @property
    def in_flight(self) -> int:
        """Calls that have not ended, cancelled ones included."""
        return 0 if self._native is None else self._native.in_flight

    async def __aenter__(self) -> Self:
        """Connects."""
        await self.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Closes."""
        await self.close()

    def _bind(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise WrongLoopError(f"the client belongs to the event loop {self._loop!r}, this is {loop!r}")
        return loop

    def _ready(self) -> NativeClient:
        self._bind()
        if self._native is None:
            raise ClosedError("the client is closed" if self._closed else "the client is not open: await open() first")
        return self._native

    def _finish(self, token: int) -> Awaitable[Any]:
        assert self._loop is not None and self._idle is not None
        self._idle.clear()
        future = self._waiting[token] = self._loop.create_future()
        return future

    def _drain(self) -> None:
        assert self._native is not None and self._idle is not None
        for token, result, error in self._native.drain_completions():
            future = self._waiting.pop(token, None)
            if future is None or future.done():
                continue  # Cancelled. A match gives its lease back as it is forgotten here.
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)
        if not self._waiting:
            self._idle.set()
