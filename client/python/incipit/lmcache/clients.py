"""Native clients of the node: one for each size of object, opened as sizes come up."""

from __future__ import annotations

import incipit

from ..engines.options import codec_for
from ..engines.warnings import Warnings
from .calls import Calls
from .config import Options
from .keys import model_name
from .layouts import directory_layout, object_layout

MAX_OBJECT_SIZES = 16  # a client is a thread, a ring and a connection to each shard


class Clients:
    """Under the connector's lock. Calls closes what is opened here."""

    def __init__(self, options: Options, calls: Calls, warnings: Warnings) -> None:
        """No node needs to be there. incipit.Refused: the kernel has no io_uring."""
        self._options = options
        self._calls = calls
        self._warnings = warnings
        self._by_bytes: dict[int, incipit.NativeClient] = {}
        self.directory = self._open(directory_layout())

    def of_size(self, object_bytes: int) -> incipit.NativeClient | None:
        """The client for objects of this size. None, and a warning: no such object can be stored."""
        client = self._by_bytes.get(object_bytes)
        if client is not None:
            return client
        layout = object_layout(object_bytes)
        if layout is None:
            self._warnings.warn("size", "objects of %d bytes cannot be stored", object_bytes)
            return None
        if len(self._by_bytes) >= MAX_OBJECT_SIZES:
            self._warnings.warn(
                "sizes", "over %d sizes of objects; those of %d bytes are left out", MAX_OBJECT_SIZES,
                object_bytes,
            )
            return None
        try:
            client = self._by_bytes[object_bytes] = self._open(layout)
        except incipit.IncipitError as error:  # such as no descriptors left
            self._warnings.warn("open", "no client for objects of %d bytes: %s", object_bytes, error)
        return client

    def _open(self, layout: incipit.Layout) -> incipit.NativeClient:
        client = incipit.NativeClient(
            self._options.address,
            model_name(self._options.namespace),
            layout,
            tenant=self._options.tenant,
            secret_file=self._options.secret_file,
            sealing_key_file=self._options.sealing_key_file,
            codec=codec_for(self._options.codec, layout),
            client_name="lmcache",
            connect_lazily=True,  # LMCache must start, and go on, without a node
            default_deadline_ms=self._options.load_deadline_ms,
        )
        self._calls.add(client)
        return client
