"""What a viewport wants next: current before neighbours, coarse before fine, ahead of the travel before behind.

No list is sorted and none is kept. At each level the missing positions are a set that knows its nearest member on either side,
so the next piece is the best of two candidates a level, whatever the hand did since the last one.

**At rest**, a neighbour at distance d is visited soon with a chance of about 1/d, and each level, twice the pixels a side, is
worth as much as the one before but takes about four times the bytes. The most worth a byte is sent first: the least (1 + d) ×
bytes of the level. So what is fine lies close, what is coarse reaches far, and the same number of bytes goes to every doubling
of the distance.

**In motion**, bytes sent now are seen one round trip and their own length later; what the hand has passed by then is wasted. So
each level aims at the position that will be shown when it arrives: coarse levels near, fine ones further ahead. What the line
can sustain at this velocity comes before anything finer, and the distance at which a chance of 1/d begins is what is travelled
in half a second.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.stream.demand import Demand, Quality, Spread
from engine.stream.holding import Holding
from engine.stream.places import NONE, STRIDE
from engine.stream.supply import Supply

BEHIND_RESTING, BEHIND_MOVING = 2.0, 8.0  # so many times further away is what lies behind
HORIZON_S = 0.5  # in motion, all that is reached within this is as good as certain
SUSTAINED = 0.75  # of the bandwidth goes to what is shown in motion; the rest to what lies around
VOLUME_LEVEL = 2  # halvings: a volume is usable at a quarter of its sides
_VOLUME_ORDER = (0, 2, 1, 3)
assert len(_VOLUME_ORDER) == STRIDE


@dataclass(slots=True)
class Outlook:
    """What is known of the hand and of the line at one moment.

    Attributes
    ----------
    velocity : positions per second; 0 when the hand rests.
    position : where the hand is now, between two positions in motion.
    delay : seconds until a byte sent now arrives, the age of the hand's own word added.
    bandwidth : bytes per second of this viewport's share; 0 when it is not known.
    reach : how far the farthest frame may be that is still wanted.
    """

    velocity: float
    position: float
    delay: float
    bandwidth: float
    reach: int


@dataclass(slots=True)
class Choice:
    """A frame whose next bytes are wanted most, and whether it is one that is shown."""

    position: int
    is_seen: bool
    is_pack: bool = False


def distance(demand: Demand, positions: int, position: int) -> int:
    """Positions between a frame and the hand: none in a volume, the shorter way round in a loop."""
    if demand.spread is Spread.VOLUME:
        return 0
    apart = abs(position - clamped(demand.position, positions))
    return min(apart, positions - apart) if demand.is_loop else apart


def clamped(position: int, positions: int) -> int:
    """The position, or the series' end that lies nearest."""
    return min(max(position, 0), positions - 1)


def next_of(holding: Holding, demand: Demand, outlook: Outlook) -> Choice | None:
    """The frame whose next bytes are wanted most; None when all that is wanted now is held."""
    if outlook.reach < 0:
        return None
    is_volume = demand.spread is Spread.VOLUME
    return _in_volume(holding, demand, outlook) if is_volume else _around(holding, demand, outlook)


def levels_wanted(supply: Supply, demand: Demand, *, is_moving: bool) -> tuple[int, int]:
    """The level that the viewport's pixels need, and the one that is wanted in the end."""
    need = max(supply.coarse, 0)
    if demand.quality is not Quality.COARSE:
        need = max(need, supply.level_for(demand.width, demand.height))
    return need, supply.levels - 1 if demand.quality is Quality.EXACT and not is_moving else need


def _around(holding: Holding, demand: Demand, outlook: Outlook) -> Choice | None:
    supply, missing = holding.supply, holding.missing
    is_moving = outlook.velocity != 0
    need, last = levels_wanted(supply, demand, is_moving=is_moving)
    aims = _aims(supply, demand, outlook, need if is_moving else last)
    sustained = _sustained(supply, outlook, need) if is_moving else need
    for level in range(sustained + 1):
        if aims[level] in missing[level]:
            return Choice(aims[level], True)
    search = _Search(holding, demand, outlook, aims)
    if supply.coarse >= 0 and (found := search.best(supply.coarse, supply.coarse)) != NONE:
        return Choice(found, False, is_pack=True)
    if last > need and aims[last] in missing[last]:
        return Choice(aims[last], True)
    found = search.best(0, need)
    if found == NONE and last > need:
        found = search.best(need + 1, last)
    return Choice(found, False) if found != NONE else None


def _aims(supply: Supply, demand: Demand, outlook: Outlook, last: int) -> list[int]:
    """Of each level, the position that is shown when it arrives."""
    positions = supply.positions
    if outlook.velocity == 0:
        return [clamped(demand.position, positions)] * (last + 1)
    aims = []
    for level in range(last + 1):
        transit = supply.steps[level] / outlook.bandwidth if outlook.bandwidth else 0.0
        aim = int(outlook.position + outlook.velocity * (outlook.delay + transit) + 0.5)
        aims.append(aim % positions if demand.is_loop else clamped(aim, positions))
    return aims


def _sustained(supply: Supply, outlook: Outlook, need: int) -> int:
    """The finest level that every position can get at this velocity."""
    if not outlook.bandwidth:
        return need
    level = need
    while level > 0 and supply.totals[level] * abs(outlook.velocity) > SUSTAINED * outlook.bandwidth:
        level -= 1
    return level


class _Search:
    """The nearest missing frames on both sides of the aims."""

    __slots__ = ("_aims", "_behind", "_demand", "_holding", "_horizon", "_is_up", "_reach")

    def __init__(self, holding: Holding, demand: Demand, outlook: Outlook, aims: list[int]) -> None:
        self._holding, self._demand, self._aims = holding, demand, aims
        is_moving = outlook.velocity != 0
        self._is_up = outlook.velocity > 0 if is_moving else demand.direction >= 0
        self._behind = BEHIND_MOVING if is_moving else BEHIND_RESTING
        self._horizon = 1.0 + abs(outlook.velocity) * HORIZON_S
        self._reach = outlook.reach

    def best(self, first: int, last: int) -> int:
        """The position of the most worth a byte among these levels; `NONE` when they are complete."""
        best, least = NONE, float("inf")
        steps, behind, horizon = self._holding.supply.steps, self._behind, self._horizon
        for level in range(first, last + 1):
            missing = self._holding.missing[level]
            if not missing:
                continue
            aim, step = self._aims[level], steps[level]
            if step * horizon >= least:
                break  # steps never fall: no finer level can be better
            ahead, back = missing.at_or_after(aim), missing.at_or_before(aim - 1)
            if self._demand.is_loop:
                ahead, back = self._round(level, ahead, back)
            if not self._is_up:
                ahead, back = (aim, back) if ahead == aim else (back, ahead)
            for found, factor, way in ((ahead, 1.0, 1), (back, behind, -1)):
                if found == NONE or self._apart(found) > self._reach:
                    continue
                cost = (horizon + factor * self._from(aim, found, way)) * step
                if cost < least:
                    best, least = found, cost
        return best

    def _round(self, level: int, ahead: int, back: int) -> tuple[int, int]:
        missing = self._holding.missing[level]
        if ahead == NONE:
            ahead = missing.at_or_after(0)
        if back == NONE:
            back = missing.at_or_before(self._holding.supply.positions - 1)
        return ahead, back

    def _apart(self, position: int) -> int:
        return distance(self._demand, self._holding.supply.positions, position)

    def _from(self, aim: int, position: int, way: int) -> int:
        apart = position - aim if self._is_up else aim - position
        return apart * way % self._holding.supply.positions if self._demand.is_loop else abs(apart)


def _in_volume(holding: Holding, demand: Demand, outlook: Outlook) -> Choice | None:
    """The coarse pack; every fourth slice at a quarter of its sides, then every slice; then finer, level by level."""
    supply = holding.supply
    _, last = levels_wanted(supply, demand, is_moving=outlook.velocity != 0)
    if supply.coarse >= 0 and (found := holding.missing[supply.coarse].at_or_after(0)) != NONE:
        return Choice(found, False, is_pack=True)
    usable = min(max(supply.levels - 1 - VOLUME_LEVEL, 0), last)
    for level in range(usable, last + 1):
        for residue in _VOLUME_ORDER:
            if (found := holding.missing[level].first_of(residue)) != NONE:
                return Choice(found, level == usable)
    return None
