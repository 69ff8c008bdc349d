"""What the outbox keeps: entries, their instances, the state of each peer; and these as bytes and back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class State(StrEnum):
    WAITING = "waiting"
    GIVEN_UP = "given-up"  # stays to be seen, until somebody says retry or cancel


class _Packed:
    __slots__ = ()

    def pack(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()  # type: ignore[call-overload]

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        values: dict[str, Any] = json.loads(data)
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(_Packed):
    """Instances of one study that are to go to one peer for one reason.

    Attributes
    ----------
    reason : ``rule NAME``, ``command line``, ``C-MOVE for AET``.
    next_ns : not sent before this time (Unix ns).
    attempts, first_failure_ns : failures in a row, without one instance being taken in between; since when.
    waiting, sent, failed : numbers of instances. Failed ones are not tried again by themselves.
    """

    id: int
    peer: str
    study_instance_uid: str
    reason: str
    priority: str
    created_ns: int
    next_ns: int
    state: str = State.WAITING
    attempts: int = 0
    first_failure_ns: int = 0
    last_error: str = ""
    waiting: int = 0
    sent: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Item(_Packed):
    """One instance of an entry.

    Attributes
    ----------
    number : its place within the entry; only `Outbox` makes them.
    error : why it failed, or why it was not taken the last time.
    """

    entry: int
    number: int
    series_instance_uid: str
    sop_instance_uid: str
    attempts: int = 0
    is_failed: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerState(_Packed):
    """How it goes with a peer as a whole.

    Attributes
    ----------
    failures, first_failure_ns : associations that could not be made, in a row; since when. `next_ns`: not called before.
    sent, sent_bytes, failed : since the outbox was made.
    """

    failures: int = 0
    first_failure_ns: int = 0
    next_ns: int = 0
    last_error: str = ""
    last_sent_ns: int = 0
    sent: int = 0
    sent_bytes: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTo(_Packed):
    """How far a forwarding rule has read the change feed: the number of a change, and when that was (Unix ns)."""

    sequence: int
    seen_ns: int = 0


class Result(StrEnum):
    """What became of one instance when it was sent."""

    SENT = "sent"
    LATER = "later"  # the peer could not take it now
    FAILED = "failed"  # the peer will not take it, or we cannot send it
    GONE = "gone"  # it is no longer in the archive


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of an item."""

    item: Item
    result: Result
    error: str = ""
    length: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be sent.

    Attributes
    ----------
    instances : Study, Series and SOP Instance UID of each.
    due_ns : not before (Unix ns); 0 is at once.
    quiet_ns : not before nothing of the study was added for so long.
    """

    peer: str
    instances: tuple[tuple[str, str, str], ...]
    reason: str
    priority: str = "medium"
    due_ns: int = 0
    quiet_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What an order has come to: instances that were added, and those that are waiting for this peer anyway."""

    added: int = 0
    already: int = 0
    entries: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSummary:
    """What is waiting for one peer.

    Attributes
    ----------
    entries, instances : that wait. `given_up`: entries that do no longer.
    oldest_ns : when the oldest of the waiting entries was made; 0 without one.
    """

    peer: str
    entries: int
    instances: int
    given_up: int
    failed_instances: int
    oldest_ns: int
    state: PeerState
