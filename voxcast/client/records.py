"""Binary messages taken apart into records (docs/stream.md, "The session")."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from voxcast.client.errors import ProtocolError

_HEAD = struct.Struct("<BBHIIIII")


class Kind(IntEnum):
    """The first byte of a record; others may come, and are passed over."""

    CHUNK = 1
    RUN = 2
    DROP = 3
    SERIES = 4
    PICTURE = 5


COUNTED = (Kind.CHUNK, Kind.RUN, Kind.PICTURE)  # whose payload is acknowledged


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes
    ----------
    kind : a number of `Kind`, or one that this client does not know.
    payload : a view of the message.
    """

    kind: int
    level: int
    flags: int
    series: int
    generation: int
    position: int
    detail: int
    payload: memoryview


def records(message: bytes) -> Iterator[Record]:
    """The records of a message, in order.

    Raises
    ------
    ProtocolError : it ends inside a record.
    """
    view, at = memoryview(message), 0
    while at < len(view):
        if len(view) - at < _HEAD.size:
            raise ProtocolError("a message that ends inside the head of a record")
        kind, level, flags, series, generation, position, detail, length = _HEAD.unpack_from(view, at)
        at += _HEAD.size
        if len(view) - at < length:
            raise ProtocolError("a message that ends inside a record")
        yield Record(kind, level, flags, series, generation, position, detail, view[at : at + length])
        at += length
