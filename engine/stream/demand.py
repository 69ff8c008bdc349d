"""What somebody looks at and wants next: a viewport over a series, or one body asked for by its address (RFC 9218)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum


class Quality(Enum):
    """How far a viewport's frames are wanted."""

    COARSE = "coarse"  # the coarse pack only; the coarsest level where there is none
    FITTING = "fitting"  # what the viewport's pixels need, and never more
    EXACT = "exact"  # what the pixels need while it moves, and all when it rests


class Spread(Enum):
    """In what order a viewport's frames are wanted."""

    AROUND = "around"  # from the position outwards: a stack that is scrolled through
    VOLUME = "volume"  # all alike, every fourth first: a volume that is cut across its slices


@dataclass(slots=True, unsafe_hash=True, kw_only=True)
class Demand:
    """A viewport as it is now. A new one replaces the one before as a whole, and nobody changes one (not frozen: see `Grant`).

    Attributes
    ----------
    series : Hashable
        A supply that the session has. Another window of pictures drawn by the server is another supply.
    position : int
        0-based; taken into the series when it is outside.
    width, height : int
        Device pixels on which a whole frame would be shown: more than the viewport's when it is zoomed in.
    velocity : float
        Positions per second, negative towards 0. 0: the hand rests. A velocity is believed for two of its own steps (40 to
        250 ms): a viewport that says no more then rests.
    direction : int
        -1 or 1: where the travel went, for a viewport at rest; a velocity has its own sign.
    reach : int or None
        No frame further from the position than this; None for the whole series.
    is_loop : bool
        The last position is followed by the first (cine).
    weight : float
        Its share of the session's bytes beside other viewports; above 0.
    """

    series: Hashable
    position: int = 0
    width: int = 1 << 30
    height: int = 1 << 30
    velocity: float = 0.0
    direction: int = 1
    quality: Quality = Quality.EXACT
    spread: Spread = Spread.AROUND
    reach: int | None = None
    is_loop: bool = False
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One body that is wanted as a whole, or from some byte on: a frame over plain HTTP.

    Attributes
    ----------
    key : Hashable
        The caller's name of it; comes back in the grants.
    first, end : int
        Its bytes.
    urgency : int
        RFC 9218 section 4.1: 0 to 7, less is sooner, 3 unless told.
    is_incremental : bool
        RFC 9218 section 4.2: takes turns with others of its urgency, a chunk at a time; else one after the other as they came.
    """

    key: Hashable
    end: int
    first: int = 0
    urgency: int = 3
    is_incremental: bool = False
