"""One session as the scheduler sees it: its series, viewports and orders, its credit and memory, and whose turn it is."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace

from engine.stream.credit import Credit
from engine.stream.demand import Demand, Order, Quality
from engine.stream.fairness import FairQueue
from engine.stream.grant import Drop, Grant
from engine.stream.holding import Holding
from engine.stream.orders import URGENCY_SEEN_MAX, Orders
from engine.stream.precedence import Choice, Outlook, clamped, distance, next_of
from engine.stream.supply import Supply

UNSEEN_COST = (
    8  # a byte that nobody looks at yet is charged like so many to its viewport, beside others that miss what they show
)
AT_ONCE_S = 1 / 60  # as long as a screen shows one picture
LOOKING_SPEED = 8.0  # positions per second: a hand that is slower looks at each, and is taken to rest at each
GRACE_S_MIN, GRACE_S_MAX = 0.04, 0.25  # a velocity is believed for two of its steps, within these
_ORDERS = object()  # the flow of the orders among those of the viewports


@dataclass(slots=True)
class _View:
    """A viewport: what it wants, since when, and which word of it that was."""

    key: Hashable
    demand: Demand
    at: float
    generation: int
    choice: Choice | None = None  # see there how long it stands
    begun: Choice | None = None  # the one before, if it was not finished

    def rests_at(self) -> float:
        """When it rests, if nothing more is heard of it."""
        speed = abs(self.demand.velocity)
        return self.at + (min(max(2.0 / speed, GRACE_S_MIN), GRACE_S_MAX) if speed else 0.0)


class Recipient:
    """Made by `Scheduler.join`. Pure: no socket, no clock; not for several threads.

    The door calls the methods of the first block as the client speaks, and those of the second as it sends; `next` is the
    scheduler's. All of them take O(1), or O(log n) in the number of orders or sessions, but `offer`, which reads the series once.

    Parameters
    ----------
    wake : called when there may be something to send.
    charge : called with bytes that turn out to be more, or (below 0) less, than were granted.
    in_flight_bytes_max : never more than this sent and not acknowledged.
    held_bytes_max : what the client has room for; None for all.

    Attributes
    ----------
    key : Hashable
    credit : Credit
        What is under way and what the line was measured to carry; to be read.
    """

    def __init__(
        self,
        key: Hashable,
        wake: Callable[[], None],
        charge: Callable[[float], None],
        in_flight_bytes_max: int,
        held_bytes_max: int | None,
    ) -> None:
        self.key = key
        self.credit = Credit(in_flight_bytes_max)
        self._wake, self._charge, self._held_max = wake, charge, held_bytes_max
        self._holdings: dict[Hashable, Holding] = {}
        self._views: dict[Hashable, _View] = {}
        self._orders = Orders()
        self._turns = FairQueue()
        self._turns.add(_ORDERS)
        self._generation = 0

    # what the client says

    def offer(self, series: Hashable, supply: Supply, held: Mapping[int, int] | None = None) -> None:
        """A series that viewports may look at; in place of one of that name, of which nothing counts as held any more.

        Parameters
        ----------
        held : position → bytes of the frame's stream that the client has from before (a lost connection, a cache).

        Raises
        ------
        ValueError : it cannot have them.
        """
        self._holdings[series] = Holding(series, supply, held)
        self._wake_all()

    def withdraw(self, series: Hashable) -> None:
        """No more of that series, whose bytes the client forgets; viewports over it wait. No harm when it is not there."""
        self._holdings.pop(series, None)
        self._wake_all()

    def look(self, viewport: Hashable, demand: Demand, now: float) -> int:
        """A viewport is opened, or has moved; decides what is next from the next decision on.

        Returns
        -------
        int : the generation that grants for it have from now on; they only grow.

        Raises
        ------
        ValueError : no such series, or a weight that is not above 0.
        """
        if demand.series not in self._holdings:
            raise ValueError("a viewport looks at a series that was not offered")
        if 0 < abs(demand.velocity) < LOOKING_SPEED:
            demand = replace(demand, velocity=0.0, direction=1 if demand.velocity > 0 else -1)
        self._turns.add(viewport, demand.weight)
        self._generation += 1
        before = self._views.get(viewport)
        begun = before.begun if before is not None and before.demand.series == demand.series else None
        self._views[viewport] = _View(viewport, demand, now, self._generation, begun=begun)
        self._wake_all()
        return self._generation

    def close(self, viewport: Hashable) -> None:
        """The viewport is gone. No harm when it was not there."""
        if self._views.pop(viewport, None) is not None:
            self._turns.remove(viewport)
            self._wake_all()  # what it kept in memory can be dropped for others

    def demand(self, viewport: Hashable) -> Demand | None:
        """What a viewport wants now; None when it is not there."""
        view = self._views.get(viewport)
        return None if view is None else view.demand

    def order(self, order: Order) -> None:
        """A body is wanted; one of the same key gets another priority.

        Raises
        ------
        ValueError : no bytes, or no urgency of 0 to 7.
        """
        self._orders.add(order)
        self._turns.wake(_ORDERS)
        self._wake()

    def cancel(self, key: Hashable) -> None:
        """The order is not wanted any more. No harm when it is over."""
        self._orders.cancel(key)

    def acknowledge(self, total: int, now: float) -> None:
        """The client has so many of the granted bytes in all since it joined: `Grant.size`, as settled, in their order.

        Raises
        ------
        ValueError : more than were granted.
        """
        self.credit.acknowledge(total, now)
        self._wake()

    def forget(self, series: Hashable, position: int, keep: int = 0) -> None:
        """The client gave up a frame's bytes from `keep` on. No harm when it had none, or when the series is gone."""
        holding = self._holdings.get(series)
        if holding is not None and 0 <= position < holding.supply.positions:
            holding.drop(position, max(keep, 0))
            self._wake_all()

    # what became of a grant

    def is_void(self, grant: Grant) -> bool:
        """Whether what a grant was for is not looked at any more: to be asked before the bytes are made or sent.

        Its viewport is gone or looks at another series, or has moved on from that frame. What is void is given back by
        `take_back`, or sent all the same: it is never granted a second time by itself.
        """
        view = self._views.get(grant.viewport)
        if grant.viewport is None:
            return False
        if view is None or view.demand.series != grant.series:
            return True
        return view.generation != grant.generation and view.demand.position != grant.position

    def settle(self, grant: Grant, size: int) -> None:
        """The bytes of a grant turned out to be `size`: a drawn picture was made, or a body is sent with its head."""
        self.credit.settle(size - grant.size)
        self._charge(size - grant.size)
        if size < grant.size:
            self._wake()  # there is room again, and nobody will answer what was not sent

    def take_back(self, grant: Grant) -> None:
        """The bytes of a grant were not sent and will not be. The last of its frame's grants first, if there are several."""
        self.settle(grant, 0)
        holding = self._holdings.get(grant.series)
        if grant.viewport is None or holding is None:
            return
        for position in range(grant.position, grant.position + grant.count):
            end = grant.end if grant.count == 1 else holding.supply.end(position, grant.level)
            if holding.held(position) == end:
                holding.drop(position, grant.first)
        self._wake_all()

    # what is next

    def next(self, now: float) -> Grant | None:
        """The next bytes, which count as sent; None when nothing is wanted, or when as much as the line holds is under way."""
        if not self.credit.is_open():
            return None
        while (key := self._turns.first()) is not None:
            grant = self._ordered() if key is _ORDERS else self._viewed(self._views[key], now)
            if grant is None:
                self._turns.sleep(key)
                continue
            if not self.credit.has_room(grant.size):
                return None  # a picture that cannot be cut waits for the answers to what is under way
            self._commit(key, grant)
            self.credit.send(grant.size, now)
            return grant
        self.credit.idle()
        return None

    def rests_at(self, now: float) -> float | None:
        """The first moment after `now` at which a viewport that says no more will want what only one at rest does."""
        moments = [view.rests_at() for view in self._views.values() if view.demand.quality is Quality.EXACT]
        return min((at for at in moments if at > now), default=None)

    def wake(self) -> None:
        """Time has passed that may have changed what is wanted."""
        self._wake_all()

    def _ordered(self) -> Grant | None:
        found = self._orders.first()
        if found is None:
            return None
        order, first = found
        end = min(order.end, first + self.credit.quantum)
        is_seen = order.urgency <= URGENCY_SEEN_MAX
        return Grant(self.key, None, 0, order.key, 0, 1, first, end, 0, end == order.end, is_seen, end - first)

    def _viewed(self, view: _View, now: float) -> Grant | None:
        holding = self._holdings.get(view.demand.series)
        if holding is None:
            return None
        supply, quantum = holding.supply, self.credit.quantum
        is_moving = view.demand.velocity != 0 and now < view.rests_at()
        if self._held_max is not None:
            return self._within_memory(view, holding, self._outlook(view, supply, now, is_moving), quantum)
        choice = view.choice
        if choice is None or choice.position not in holding.missing[choice.level]:
            choice = view.begun = view.choice = next_of(
                holding, view.demand, self._outlook(view, supply, now, is_moving)
            )
        return None if choice is None else self._cut(view, holding, choice, quantum)

    def _within_memory(self, view: _View, holding: Holding, outlook: Outlook, quantum: int) -> Grant | None:
        """As `_viewed`, for a client that drops what lies far for what lies nearer."""
        supply, room = holding.supply, self._room()
        if room < (supply.size(clamped(view.demand.position, supply.positions)) if supply.is_whole else quantum):
            farthest = self._farthest()
            if farthest is None:
                return None
            outlook.reach = min(outlook.reach, farthest[0] - 1)
        choice = next_of(holding, view.demand, outlook)
        if choice is None:
            return None
        grant = self._cut(view, holding, choice, quantum)
        if grant.size <= room:
            return grant
        drops = self._drops(grant.size - room, distance(view.demand, supply.positions, grant.position))
        return None if drops is None else replace(grant, drops=drops)

    def _cut(self, view: _View, holding: Holding, choice: Choice, quantum: int) -> Grant:
        """The chosen frame's next chunk, or a run of the coarse pack from it on."""
        supply, position = holding.supply, choice.position
        first, level = holding.held(position), holding.level(position)
        if supply.is_whole:
            level = self._drawn_level(supply, position, level, choice.level)
            first = supply.end(position, level - 1) if level else 0
        limit = supply.end(position, level)
        end = limit if supply.is_whole else min(limit, first + quantum)
        count, size = 1, end - first
        if choice.is_pack and not first and end == limit and level == supply.coarse and not supply.is_whole:
            position, count, size = self._run(holding, position, quantum)
            end = supply.end(position, level)
        return Grant(
            self.key, view.key, view.generation, view.demand.series, position, count, first, end, level, end == limit or count > 1,
            choice.is_seen, size,
        )  # fmt: skip

    def _drawn_level(self, supply: Supply, position: int, level: int, last: int) -> int:
        """Pictures stand alone: the coarser ones are left out where the one that is wanted arrives at once."""
        own = supply.end(position, last) - (supply.end(position, last - 1) if last else 0)
        return last if level < last and own <= self.credit.bandwidth * AT_ONCE_S else level

    def _run(self, holding: Holding, position: int, quantum: int) -> tuple[int, int, int]:
        """As many frames of the pack beside `position`, upwards and then downwards, as one chunk holds."""
        supply = holding.supply
        low, high, size = position, position + 1, supply.end(position, supply.coarse)
        while high < supply.positions and not holding.held(high) and size + supply.end(high, supply.coarse) <= quantum:
            size += supply.end(high, supply.coarse)
            high += 1
        while low > 0 and not holding.held(low - 1) and size + supply.end(low - 1, supply.coarse) <= quantum:
            low -= 1
            size += supply.end(low, supply.coarse)
        return low, high - low, size

    def _commit(self, key: Hashable, grant: Grant) -> None:
        if key is _ORDERS:
            found = self._orders.first()
            assert found is not None
            self._orders.take(found[0], grant.end)
        else:
            for drop in grant.drops:
                self._holdings[drop.series].drop(drop.position, drop.keep)
            holding = self._holdings[grant.series]
            holding.take(grant.position, grant.end)
            for position in range(grant.position + 1, grant.position + grant.count):
                holding.take(position, holding.supply.end(position, grant.level))
        self._turns.charge(key, grant.size if grant.is_seen else grant.size * UNSEEN_COST)

    def _outlook(self, view: _View, supply: Supply, now: float, is_moving: bool) -> Outlook:
        demand = view.demand
        reach = supply.positions if demand.reach is None else demand.reach
        credit = self.credit
        if not is_moving:
            return Outlook(
                0.0, demand.position, 0.0, credit.delay, credit.bandwidth / len(self._views), reach, view.begun
            )
        moving = sum(1 for other in self._views.values() if now < other.rests_at())
        passed = abs(demand.velocity) * (now - view.at)
        return Outlook(
            demand.velocity, demand.position, passed, credit.delay, credit.bandwidth / moving, reach, view.begun
        )

    # the client's memory

    def _room(self) -> int:
        """Bytes that the client has room for."""
        assert self._held_max is not None
        return self._held_max - sum(holding.size for holding in self._holdings.values())

    def _farthest(self) -> tuple[int, Holding, int] | None:
        """The held frame, its coarse picture aside, that lies farthest from all viewports; 2^62 positions when none looks at it."""
        best: tuple[int, Holding, int] | None = None
        for holding in self._holdings.values():
            for position in (holding.extra.at_or_after(0), holding.extra.at_or_before(holding.supply.positions - 1)):
                if position < 0:
                    continue
                apart = min(
                    (
                        distance(view.demand, holding.supply.positions, position)
                        for view in self._views.values()
                        if view.demand.series == holding.series
                    ),
                    default=1 << 62,
                )
                if best is None or apart > best[0]:
                    best = apart, holding, position
        return best

    def _drops(self, size: int, apart: int) -> tuple[Drop, ...] | None:
        """Frames farther than `apart` whose bytes make room for `size`; None when there are not enough."""
        drops: list[Drop] = []
        gone: list[tuple[Holding, int, int]] = []
        while size > 0:
            farthest = self._farthest()
            if farthest is None or farthest[0] <= apart:
                break
            _, holding, position = farthest
            held, keep = holding.held(position), holding.base(position)
            drops.append(Drop(holding.series, position, keep))
            gone.append((holding, position, held))
            holding.drop(position, keep)
            size -= held - keep
        for holding, position, held in gone:  # only `_commit` drops for good
            holding.take(position, held)
        return tuple(drops) if size <= 0 else None

    def _wake_all(self) -> None:
        for viewport, view in self._views.items():
            view.choice = None
            self._turns.wake(viewport)
        if len(self._orders):
            self._turns.wake(_ORDERS)
        if self.credit.is_open():  # else its client's next answer wakes it
            self._wake()
