"""Drives a plugin as LMCache's adapter does: submits from any thread, polls and drains on one of its own."""
from __future__ import annotations

import itertools
import pathlib
import random
import select
import signal
import subprocess
import threading
import time

import conftest

from incipit.lmcache import IncipitConnector

TIMEOUT_S = 60  # for what must come; only a defect makes a test wait for it


_chunks = itertools.count(1)


def next_chunk() -> int:
    """A chunk that no other test uses."""
    return next(_chunks)


def contents(count: int, nbytes: int, seed: object = 0) -> list[bytes]:
    """Bytes that count, size and seed decide."""
    return [random.Random(f"{seed}/{i}").randbytes(nbytes) for i in range(count)]


def buffers(count: int, nbytes: int) -> list[bytearray]:
    return [bytearray(nbytes) for _ in range(count)]


def key_string(chunk: int, model: str = "deepseek", rank: int = 0, group: int = 0, salt: str = "") -> str:
    """A key in the form of LMCache's adapter."""
    key = f"{model}@{rank:08x}@{group:x}@{chunk.to_bytes(32, 'big').hex()}"
    return f"{key}@{salt}" if salt else key


def new_keys(count: int, **fields) -> list[str]:
    """Key strings of chunks that no other test uses."""
    return [key_string(next_chunk(), **fields) for _ in range(count)]


class Driver:
    """One plugin and the thread that takes its completions. A context manager."""

    def __init__(self, address: str, **parameters) -> None:
        self.plugin = IncipitConnector(address=address, **parameters)
        self._arrived = threading.Condition()
        self._completions: dict[int, tuple] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._demux)
        self._thread.start()

    def _demux(self) -> None:
        poller = select.poll()
        poller.register(self.plugin.event_fd(), select.POLLIN)
        while not self._stop.is_set():
            if not poller.poll(20):
                continue
            completions = self.plugin.drain_completions()
            with self._arrived:
                self._completions.update((completion[0], completion) for completion in completions)
                self._arrived.notify_all()

    def wait(self, future_id: int) -> tuple[bool, str, list[bool]]:
        """(ok, error, flags) of an operation."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: future_id in self._completions, TIMEOUT_S), "no completion"
            completion = self._completions.pop(future_id)
        assert len(completion) == 4
        return completion[1:]

    def get(self, keys, buffers):
        return self.wait(self.plugin.submit_batch_get(keys, buffers))

    def set(self, keys, buffers):
        return self.wait(self.plugin.submit_batch_set(keys, buffers))

    def exists(self, keys):
        return self.wait(self.plugin.submit_batch_exists(keys))

    def delete(self, keys):
        return self.wait(self.plugin.submit_batch_delete(keys))

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.plugin.close()

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class NodeAt:
    """A node on an address where another was."""

    def __init__(self, address: str, folder: pathlib.Path) -> None:
        ready = folder / "ready-again"
        self.process = subprocess.Popen(
            [conftest.BINARY, "serve", "--listen", address.removeprefix("tcp://"), "--http", "none", "--shards", "1",
             "--ram", "64MiB", "--no-huge-pages", "--ready-file", ready], stdout=subprocess.DEVNULL)
        deadline_s = time.monotonic() + conftest.START_TIMEOUT_S
        while not (ready.exists() and ready.read_text().endswith("\n")):
            assert self.process.poll() is None and time.monotonic() < deadline_s, "the node does not serve"
            time.sleep(0.01)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
