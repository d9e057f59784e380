"""Exceptions of this package. Messages say what was wrong, where, what was expected and what was found."""


class IncipitError(Exception):
    """Anything that this package raises."""


class InvalidArgument(IncipitError, ValueError):
    """A mistake of the caller: an option, a group, a depth, a key."""


class BufferMismatch(InvalidArgument):
    """A buffer of the wrong size, shape or dtype, not C-contiguous, or read-only where bytes are to land."""


class UnsupportedDevice(IncipitError, TypeError):
    """A buffer on a device from which this call cannot move bytes."""


class Unavailable(IncipitError, ConnectionError):
    """No node, or no shard concerned, could be reached. Only connecting, store() and stats() raise it."""


class Refused(IncipitError):
    """The node or the kernel refuses: protocol versions that do not meet, no io_uring, no more descriptors."""


class ClosedError(IncipitError):
    """The client is closed, or not open yet."""


class ForkedError(IncipitError):
    """The client was made by the parent of this process. Connect anew in the child."""


class WrongLoopError(IncipitError, RuntimeError):
    """An AsyncClient belongs to the event loop that used it first, and this is another."""
