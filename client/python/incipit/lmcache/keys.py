"""Keys of objects: digests of LMCache's key strings.

A key string is `model@rank@group@hash`, followed by `@salt` where the request had one. It may exceed the tier's 64
bytes, and cutting it would drop the salt and so give one tenant another's objects. Its SHA-256 covers every field.
Lengths are framed and each use has a domain of its own, so that no two inputs are hashed as the same bytes.
"""

from __future__ import annotations

import hashlib

FIELD_SEPARATOR = "@"
KEY_FIELDS = (4, 5)  # without and with a salt

OBJECT_DOMAIN = b"incipit.lmcache.object.1"
SIZE_DOMAIN = b"incipit.lmcache.size.1"
NAMESPACE_DOMAIN = b"incipit.lmcache.namespace.1"


def object_key(key: str) -> bytes:
    """32 bytes that name the object of LMCache's key string."""
    return _digest(OBJECT_DOMAIN, _encoded(key))


def size_key(scope: str, slot: int) -> bytes:
    """32 bytes that name entry `slot` of the directory of sizes of a scope."""
    return _digest(SIZE_DOMAIN, _encoded(scope), slot.to_bytes(4, "little"))


def model_name(namespace: str) -> str:
    """The tier's model name, at most 128 bytes of printable ASCII. LMCache's model is part of the object's key."""
    return f"lmcache@{_digest(NAMESPACE_DOMAIN, _encoded(namespace)).hex()}" if namespace else "lmcache"


def scope_of(key: str) -> str:
    """Model and group of a key string: objects of one scope are of one size, or of very few.

    Not the rank: most ranks' slices are as large as the others'. Empty for a string of another form, so that all of
    these share one scope.
    """
    fields = key.split(FIELD_SEPARATOR)
    return f"{fields[0]}{FIELD_SEPARATOR}{fields[2]}" if len(fields) in KEY_FIELDS else ""


def _encoded(text: str) -> bytes:
    # A salt comes from a request and may hold what is not valid Unicode; that must not end in an exception.
    return text.encode("utf-8", "surrogatepass")


def _digest(*parts: bytes) -> bytes:
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(len(part).to_bytes(8, "little"))
        hashed.update(part)
    return hashed.digest()
