"""Options of plugins, read from an engine's configuration: checked at once, with errors that name them."""
from __future__ import annotations

import dataclasses
import math
import re
import typing
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

MAX_MS = 3_600_000  # of any time
MAX_TENANT_BYTES = 128
# Of what is lossless: a plugin does not change what an engine computes.
_CODECS = ("", "bf16-lossless", "bf16-lossless-fast", "fp8-lossless")
_BF16_STEP_BYTES, _FP8_ROW_BYTES = 64, 656  # of rows that they take: docs/coded_segments.md
# A host's name or address, where that of IPv6 is in brackets, and a port.
_ADDRESS = re.compile(r"(?:tcp|ucx)://(?:[^\s:/\[\]]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})")
_SCHEME = "cluster://"
MAX_SEEDS = 64
# A socket's path from the root, or behind @ an abstract name.
_SOCKET = re.compile(r"unix://([/@][^\0]+)")
MAX_SOCKET_BYTES = 107  # the kernel takes no more

OptionsType = TypeVar("OptionsType")


class OptionsError(ValueError):
    """The engine's configuration cannot work with this plugin. Raised only while the engine starts."""


def read_options(cls: type[OptionsType], given: Mapping[str, Any], source: str, plugin: str,
                 ignored: Collection[str] = ()) -> OptionsType:
    """An instance of the dataclass `cls`, whose fields are the options.

    source: the engine's name for `given`. ignored: keys of `given` that are not the plugin's.
    OptionsError: an unknown option, or a value of another type.
    """
    types = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    values = {name: value for name, value in given.items() if name not in ignored}
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise OptionsError(f"{source} has no option {', '.join(map(repr, unknown))}; "
                           f"options of {plugin} are {', '.join(sorted(names))}")
    return cls(**{name: _checked_type(name, value, types[name]) for name, value in values.items()})


def _checked_type(name: str, value: Any, wanted: type) -> Any:
    # bool is an int to Python, and a JSON number without a fraction is an int: neither may pass for the other.
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
        raise OptionsError(f'"{name}" must be {wanted.__name__}, not {type(value).__name__} ({value!r})')
    return value


def check_address(address: str, source: str) -> None:
    """The engine starts without a node, so nobody else would say that there can never be one."""
    if not address:
        raise OptionsError(f'{source} needs "address", such as "tcp://127.0.0.1:9400"')
    if address.startswith(_SCHEME):
        return _check_seeds(address)
    if not _is_node(address):
        raise OptionsError('"address" must be "tcp://host:port", "ucx://host:port", "unix:///path/of/socket" or '
                           f'"unix://@name", the latter two up to {MAX_SOCKET_BYTES} bytes, or of a cluster '
                           f'"cluster://host:port,host:port", not {address!r}')


def _is_node(address: str) -> bool:
    matched, socket = _ADDRESS.fullmatch(address), _SOCKET.fullmatch(address)
    if socket:
        return len(socket[1].encode(errors="replace")) <= MAX_SOCKET_BYTES
    return matched is not None and 1 <= int(matched[1]) <= 65535


def _check_seeds(address: str) -> None:
    """Some nodes of a cluster, over tcp or each with the same lane in front."""
    seeds = [seed if "://" in seed else "tcp://" + seed for seed in address.removeprefix(_SCHEME).split(",")]
    lanes = {seed.split("://")[0] for seed in seeds}
    if len(seeds) > MAX_SEEDS or len(lanes) > 1 or not all(map(_is_node, seeds)):
        raise OptionsError(f'"address" of a cluster must name 1 to {MAX_SEEDS} of its nodes, all on one lane, as '
                           f'"cluster://host:port,host:port" or "cluster://ucx://host:port", not {address!r}')


def check_tenant(tenant: str) -> None:
    count = len(tenant.encode(errors="replace"))
    if not 1 <= count <= MAX_TENANT_BYTES:
        raise OptionsError(f'"tenant" must have 1 to {MAX_TENANT_BYTES} bytes, not {count}')


def check_codec(codec: str) -> None:
    if codec not in _CODECS:
        raise OptionsError(f'"codec" must be empty or one of {", ".join(_CODECS[1:])}, not {codec!r}')


def codec_for(codec: str, layout: Any) -> str:
    """The codec, or none if no group of the layout has rows of its kind: such blocks are stored as they are."""
    def takes(group: Any) -> bool:
        if codec == "fp8-lossless":
            return group.bytes_per_entry == _FP8_ROW_BYTES and group.segment_bytes % _FP8_ROW_BYTES == 0
        return group.bytes_per_entry % _BF16_STEP_BYTES == 0
    return codec if codec and any(takes(group) for group in layout.groups) else ""


def check_range(options: Any, least: int, most: int, *names: str) -> None:
    for name in names:
        if not least <= getattr(options, name) <= most:
            raise OptionsError(f'"{name}" must be {least} to {most}, not {getattr(options, name)}')


def check_not_negative(options: Any, *names: str) -> None:
    for name in names:
        if not (getattr(options, name) >= 0 and math.isfinite(getattr(options, name))):
            raise OptionsError(f'"{name}" must be 0 or more, not {getattr(options, name)}')
