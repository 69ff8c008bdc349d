"""The records of grants that wait behind each other: read and put together on a thread, for a mapped page may wait for the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import EngineError
from engine.stream.framing import COMPLETE, NUMBER_MAX, SEEN, Record, head
from engine.stream.grant import Grant
from engine.stream.opened import OpenSeries
from engine.types import Buffer


@dataclass(frozen=True, slots=True, eq=False)
class SeriesKey:
    """A series as the scheduler knows it, by identity: one opening of what has this number."""

    number: int
    opening: int


def quick_messages(batch: Sequence[tuple[Grant, OpenSeries | None]], message_bytes: int) -> list[bytes] | None:
    """As `records_of`, of grants of one series whose pack is in the page cache; None where that is not so. Waits for nothing."""
    series = batch[0][1]
    if series is None or series.records is None:
        return None
    parts = []
    for grant, other in batch:
        if other is not series:
            return None
        assert isinstance(grant.series, SeriesKey)
        flags = (COMPLETE if grant.is_complete else 0) | (SEEN if grant.is_seen else 0)
        parts.append(
            (
                grant.series.number, grant.level, flags, grant.generation & NUMBER_MAX, grant.position, grant.count,
                grant.first, grant.end, drops_of(grant) if grant.drops else b"",
            )
        )  # fmt: skip
    return series.records.messages(parts, message_bytes)


def drops_of(grant: Grant) -> bytes:
    """What the client is to give up for the bytes of this grant. Of pictures it is told nothing: they are its own."""
    return b"".join(
        head(Record.DROP, drop.series.number, position=drop.position, detail=drop.keep)
        for drop in grant.drops
        if isinstance(drop.series, SeriesKey)
    )


def records_of(
    batch: Sequence[tuple[Grant, OpenSeries | None]], message_bytes: int
) -> tuple[list[bytes], list[tuple[Grant, EngineError | None]]]:
    """The records of grants, and the grants of which there are none: their series was closed, or cannot be read.

    Messages have no more than `message_bytes` of payload, or a single record.
    """
    messages: list[bytes] = []
    parts: list[Buffer] = []
    size = 0
    lost: list[tuple[Grant, EngineError | None]] = []
    for grant, series in batch:
        assert isinstance(grant.series, SeriesKey)
        number = grant.series.number
        if series is None:
            lost.append((grant, None))
            continue
        if grant.drops:
            parts.append(drops_of(grant))
        try:
            payload = [
                part
                for position in range(grant.position, grant.position + grant.count)
                for part in series.pieces.read_bytes(
                    position, grant.first, grant.end if grant.count == 1 else series.supply.end(position, grant.level)
                )
            ]
        except EngineError as error:
            lost.append((grant, error))
            continue
        if size and size + grant.size > message_bytes:
            messages.append(b"".join(parts))
            parts, size = [], 0
        size += grant.size
        flags = (COMPLETE if grant.is_complete else 0) | (SEEN if grant.is_seen else 0)
        kind, detail = (Record.CHUNK, grant.first) if grant.count == 1 else (Record.RUN, grant.count)
        parts.append(
            head(
                kind,
                number,
                level=grant.level,
                flags=flags,
                generation=grant.generation,
                position=grant.position,
                detail=detail,
                length=grant.size,
            )
        )
        parts += payload
    if parts:
        messages.append(b"".join(parts))
    return messages, lost
