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

BEHIND_RESTING, BEHIND_MOVING = 2.0, 4.0  # so many times further away is what lies behind
HORIZON_S = 0.5  # in motion, all that is reached within this is as good as certain
RESTING_HORIZON_S = 0.2  # at rest, only what an outset at full speed would need before the line keeps up
TYPICAL_SPEED = 100.0  # positions per second of a hand at rest that may be thrown next
PATIENCE_S = 0.1  # as long as a hand that steps from slice to slice rests before it goes on, at least
SLOW_SPEED = 40.0  # positions per second
SUSTAINED = 0.6  # of the bandwidth goes to what is shown in motion; the rest to what lies around
VOLUME_LEVEL = 2  # halvings: a volume is usable at a quarter of its sides
_VOLUME_ORDER = (0, 2, 1, 3)
assert len(_VOLUME_ORDER) == STRIDE


@dataclass(slots=True)
class Outlook:
    """What is known of the hand and of the line at one moment.

    Attributes
    ----------
    velocity : positions per second; 0 when the hand rests.
    start : where the hand was when it was heard of last.
    passed : positions that it will have passed since, between two in motion.
    delay : seconds until a byte sent now arrives, the age of the hand's own word added.
    bandwidth : bytes per second of this viewport's share; 0 when it is not known.
    reach : how far the farthest frame may be that is still wanted.
    begun : what was chosen last, before the viewport's last word: it is finished if it will be in time.
    """

    velocity: float
    start: int
    passed: float
    delay: float
    bandwidth: float
    reach: int
    begun: Choice | None = None


@dataclass(slots=True)
class Choice:
    """A frame whose next bytes are wanted most, up to a level, and whether it is one that is shown.

    It stands until those bytes are sent, unless a viewport speaks or something is forgotten: of what is missing, nothing comes
    nearer.
    """

    position: int
    level: int
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
    aims = _aims(supply, demand, outlook, last)
    speed = abs(outlook.velocity) or TYPICAL_SPEED
    sustained = _sustained(supply, outlook.bandwidth, speed, need)
    begun = outlook.begun if is_moving and _is_timely(holding, demand, outlook) else None
    for level in range((sustained if is_moving else need) + 1):
        if begun is not None and begun.level == level:
            return begun
        if aims[level] in missing[level]:
            shown = Choice(aims[level], level, True)
            return shown if is_moving else _coarse_first(holding, demand, outlook, aims, shown)
    search = _Search(holding, demand, outlook, aims)
    if supply.coarse >= 0 and missing[supply.coarse]:
        found, level = search.best(supply.coarse, supply.coarse)
        if found != NONE:
            return Choice(found, level, False, is_pack=True)
    if last > need and aims[last] in missing[last]:
        return Choice(aims[last], last, True)
    found, level = search.best(0, sustained, speed * (outlook.delay + (HORIZON_S if is_moving else RESTING_HORIZON_S)))
    if found == NONE and begun is not None and begun.level <= need:
        return begun
    if found == NONE:
        # At rest also what the line could bring just in time: a hand that jumps gives it none. Jumping over 8 Mbit/s 81 %
        # of the positions have a quarter of the sides in time with it, 48 % without (`benchmarks.scroll`).
        found, level = search.best(min(sustained + 1, need) if is_moving else 0, need)
    if found == NONE and last > need:
        found, level = search.best(need + 1, last)
    return Choice(found, level, False) if found != NONE else None


def _coarse_first(holding: Holding, demand: Demand, outlook: Outlook, aims: list[int], shown: Choice) -> Choice:
    """At rest: what is shown; but where that takes long to come, first a coarse picture of all that a throw would reach meanwhile.

    A hand that opens a series rests for a moment and is thrown: over 1.5 Mbit/s one whole slice takes a second.
    """
    coarse = holding.supply.coarse
    if coarse < 0 or shown.level <= coarse or not outlook.bandwidth or not holding.missing[coarse]:
        return shown
    left = holding.supply.end(shown.position, shown.level) - holding.held(shown.position)
    seconds = left / outlook.bandwidth
    if seconds <= PATIENCE_S:
        return shown
    search = _Search(holding, demand, outlook, aims)
    found, level = search.best(coarse, coarse, TYPICAL_SPEED * seconds)
    return shown if found == NONE else Choice(found, level, False, is_pack=True)


def _aims(supply: Supply, demand: Demand, outlook: Outlook, last: int) -> list[int]:
    """Of each level, the position that is shown when it arrives."""
    positions = supply.positions
    if outlook.velocity == 0:
        return [clamped(demand.position, positions)] * (last + 1)
    speed, way = abs(outlook.velocity), 1 if outlook.velocity > 0 else -1
    # A frame that would come in the second half of its time is too late for a quick hand; a slow one may stay with it.
    early = min(0.5, speed / SLOW_SPEED)
    aims = []
    for level in range(last + 1):
        transit = supply.steps[level] / outlook.bandwidth if outlook.bandwidth else 0.0
        aim = outlook.start + way * int(outlook.passed + speed * (outlook.delay + transit) + early)
        aims.append(aim % positions if demand.is_loop else clamped(aim, positions))
    return aims


def _is_timely(holding: Holding, demand: Demand, outlook: Outlook) -> bool:
    """Whether what was begun is still missing, and will be there before the hand has passed it."""
    begun = outlook.begun
    if begun is None or begun.position not in holding.missing[begun.level] or not outlook.bandwidth:
        return False
    left = holding.supply.end(begun.position, begun.level) - holding.held(begun.position)
    arrival = outlook.passed + abs(outlook.velocity) * (outlook.delay + left / outlook.bandwidth)
    ahead = (begun.position - outlook.start) * (1 if outlook.velocity > 0 else -1) - arrival
    if demand.is_loop:
        half = holding.supply.positions / 2
        ahead = (ahead + half) % (2 * half) - half
    return ahead >= -0.5


def _sustained(supply: Supply, bandwidth: float, speed: float, need: int) -> int:
    """The finest level that every position can get as the hand comes by at this speed."""
    level = need
    while bandwidth and level > 0 and supply.totals[level] * speed > SUSTAINED * bandwidth:
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
        self._reach = outlook.reach if outlook.reach < holding.supply.positions else None

    def best(self, first: int, last: int, within: float = float("inf")) -> tuple[int, int]:
        """The position and level of the most worth a byte among these levels; `NONE` when they are complete, so far away."""
        best, at, least = NONE, NONE, float("inf")
        supply, horizon, is_loop = self._holding.supply, self._horizon, self._demand.is_loop
        up, down = (1.0, self._behind) if self._is_up else (self._behind, 1.0)
        for level in range(first, last + 1):
            missing, step = self._holding.missing[level], supply.steps[level]
            if not missing:
                continue
            if step * horizon >= least:
                break  # steps never fall: no finer level can be better
            aim = self._aims[level]
            above, below = missing.at_or_after(aim), missing.at_or_before(aim - 1)
            if is_loop:
                # The way round is as good as the way straight on.
                above = missing.at_or_after(0) if above == NONE else above
                below = missing.at_or_before(supply.positions - 1) if below == NONE else below
            if above != NONE and self._is_within(above):
                apart = (above - aim) % supply.positions if is_loop else above - aim
                cost = (horizon + up * apart) * step
                if up * apart <= within and cost < least:
                    best, at, least = above, level, cost
            if below != NONE and self._is_within(below):
                apart = (aim - below) % supply.positions if is_loop else aim - below
                cost = (horizon + down * apart) * step
                is_first = cost < least or (cost == least and at == level and not self._is_up)
                if down * apart <= within and is_first:
                    best, at, least = below, level, cost
        return best, at

    def _is_within(self, position: int) -> bool:
        return self._reach is None or distance(self._demand, self._holding.supply.positions, position) <= self._reach


def _in_volume(holding: Holding, demand: Demand, outlook: Outlook) -> Choice | None:
    """The coarse pack; every fourth slice at a quarter of its sides, then every slice; then finer, level by level."""
    supply = holding.supply
    _, last = levels_wanted(supply, demand, is_moving=outlook.velocity != 0)
    if supply.coarse >= 0 and (found := holding.missing[supply.coarse].at_or_after(0)) != NONE:
        return Choice(found, supply.coarse, False, is_pack=True)
    usable = min(max(supply.levels - 1 - VOLUME_LEVEL, 0), last)
    for level in range(usable, last + 1):
        for residue in _VOLUME_ORDER:
            if (found := holding.missing[level].first_of(residue)) != NONE:
                return Choice(found, level, level == usable)
    return None
