"""What the scheduler decided: the next bytes, for whom, and what the client gives up for them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drop:
    """The client forgets a frame's bytes from `keep` on: told before the bytes that take their place."""

    series: Hashable
    position: int
    keep: int


@dataclass(slots=True, unsafe_hash=True)
class Grant:
    """Bytes to be sent now, in the order of the grants.

    Nobody changes one; it is not frozen, for that takes 3.3 µs to make instead of 0.9, thousands of times a second.

    Attributes
    ----------
    session : Hashable
        Whom they are for.
    viewport : Hashable
        The viewport that they are for, or None for an order.
    generation : int
        Of that viewport when it was decided; see `Recipient.is_void`.
    series, position
        The frame; for an order the series is its key and the position is 0.
    count : int
        Frames from `position` on, upwards. More than one only in the coarse pack: each is sent from its first byte to the end
        of `level`, one behind the other.
    first, end : int
        Bytes of the frame's stream; of the first one when there are several.
    level : int
        The level of the ladder that they belong to: a chunk never passes a level's end. 0 for an order.
    is_complete : bool
        The level is complete with them; of an order, the body is.
    is_seen : bool
        The frame is what the viewport shows when they arrive, as far as can be known; not a neighbour.
    size : int
        All bytes, of all `count` frames; an estimate when the supply is drawn (`Recipient.settle` corrects it).
    drops : tuple of Drop
        Must reach the client first.
    """

    session: Hashable
    viewport: Hashable
    generation: int
    series: Hashable
    position: int
    count: int
    first: int
    end: int
    level: int
    is_complete: bool
    is_seen: bool
    size: int
    drops: tuple[Drop, ...] = ()
