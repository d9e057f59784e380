"""Native calls in flight, and the descriptor that says when to take their completions."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from typing import Any

import incipit

from .log import logger

# Called with (result, error), one of the two None, under the connector's lock. May submit more calls.
Handler = Callable[[Any, BaseException | None], None]


class Calls:
    """Joins the clients' eventfds in one epoll descriptor: LMCache polls one, and no thread of ours is needed.

    Under the connector's lock.
    """

    def __init__(self) -> None:
        self._handlers: dict[tuple[int, int], Handler] = {}  # by the client's eventfd and token
        self._clients: dict[int, incipit.NativeClient] = {}  # by eventfd
        self._open()

    def _open(self) -> None:
        self._poll = select.epoll()
        # For completions that no native call stands behind.
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll.register(self._wake_fd, select.EPOLLIN)

    def fileno(self) -> int:
        """Readable while there is something to drain(); -1 after close(). Poll it; neither read nor close it."""
        return -1 if self._poll.closed else self._poll.fileno()

    def add(self, client: incipit.NativeClient) -> None:
        """From now on `client` can be submitted to; close() closes it."""
        fd = client.event_fd()
        self._clients[fd] = client
        self._poll.register(fd, select.EPOLLIN)

    def submit(self, client: incipit.NativeClient, call: str, argument: object, handler: Handler,
               **options: Any) -> None:
        """client.submit_<call>(argument, **options); `handler` gets its end. Raises what the call raises."""
        token = getattr(client, f"submit_{call}")(argument, **options)
        self._handlers[client.event_fd(), token] = handler

    def wake(self) -> None:
        """Makes the descriptor readable until the next drain()."""
        if not self._poll.closed:
            os.eventfd_write(self._wake_fd, 1)

    def drain(self) -> None:
        """Hands every native completion there is to its handler. Never blocks."""
        if self._poll.closed:
            return
        for fd, _ in self._poll.poll(0):
            if fd == self._wake_fd:
                os.eventfd_read(fd)
            else:
                self._drain_client(fd, self._clients[fd])

    def _drain_client(self, fd: int, client: incipit.NativeClient) -> None:
        for token, result, error in client.drain_completions():
            handler = self._handlers.pop((fd, token), None)
            try:
                if handler is not None:
                    handler(result, error)
            except Exception:
                logger.exception("incipit: a completion could not be used")

    def close(self) -> None:
        """Ends all native calls, hands on their ends, and closes. No buffer of a call is used after it."""
        if self._poll.closed:
            return
        for fd, client in self._clients.items():
            self._poll.unregister(fd)
            client.close()
        for fd, client in self._clients.items():
            self._drain_client(fd, client)
        self._clients = {}
        self._handlers = {}
        self._close_descriptors()

    def abandon(self) -> None:
        """In a forked child: the clients and the epoll instance are the parent's, and are left as they are."""
        if self._poll.closed:
            return
        self._clients = {}
        self._handlers = {}
        self._close_descriptors()  # of this process; the parent keeps its own
        self._open()

    def _close_descriptors(self) -> None:
        self._poll.close()
        os.close(self._wake_fd)
