"""A client that takes every grant as it comes, and says so when one of the scheduler's promises is broken."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence

from engine.stream.grant import Grant
from engine.stream.recipient import Recipient
from engine.stream.supply import Supply

CT_SHARES = (0.0025, 0.006, 0.017, 0.06, 0.24, 1.0)


def ct(positions: int, size: int = 170_000, side: int = 512) -> Supply:
    """A CT like real ones: each slice some bytes more or less, levels of the usual shares."""
    ends = []
    for position in range(positions):
        own = size + (position * 7919 % 20_001) - 10_000
        ends.append([max(1, int(own * share)) for share in CT_SHARES])
    return Supply.of(ends, side, side)


class Client:
    """Holds what was sent to it. Bytes are acknowledged when `arrive` is called."""

    def __init__(self, recipient: Recipient) -> None:
        self.recipient = recipient
        self.supplies: dict[Hashable, Supply] = {}
        self.held: dict[tuple[Hashable, int], int] = {}
        self.bodies: dict[Hashable, int] = {}
        self.grants: list[Grant] = []
        self.under_way: deque[int] = deque()
        self.acknowledged = 0
        self.dropped = 0

    def offer(self, series: Hashable, supply: Supply, held: dict[int, int] | None = None) -> None:
        self.supplies[series] = supply
        for key in [key for key in self.held if key[0] == series]:
            del self.held[key]
        self.held.update({(series, position): end for position, end in (held or {}).items()})
        self.recipient.offer(series, supply, held)

    def take(self, grant: Grant) -> None:
        self.grants.append(grant)
        self.under_way.append(grant.size)
        for drop in grant.drops:
            had = self.held[drop.series, drop.position]
            assert drop.keep < had, "what the client has not got cannot be dropped"
            self.held[drop.series, drop.position] = drop.keep
            self.dropped += had - drop.keep
        if grant.viewport is None:
            assert grant.first == self.bodies.get(grant.series, grant.first)
            self.bodies[grant.series] = grant.end
            return
        supply, size = self.supplies[grant.series], 0
        for position in range(grant.position, grant.position + grant.count):
            end = grant.end if position == grant.position else supply.end(position, grant.level)
            have = self.held.get((grant.series, position), 0)
            assert grant.first == have < end, "every byte once, in order"
            level_begins = supply.end(position, grant.level - 1) if grant.level else 0
            assert level_begins <= have
            assert end <= supply.end(position, grant.level), "within its level"
            self.held[grant.series, position] = end
            size += end - have
        assert size == grant.size
        last = grant.position + grant.count - 1
        assert grant.is_complete == (self.held[grant.series, last] == supply.end(last, grant.level)), (
            "a chunk says truly whether the level is complete"
        )

    def arrive(self, now: float, chunks: int | None = None) -> None:
        """The next chunks under way (all of them) have arrived, and the client says so."""
        for _ in range(len(self.under_way) if chunks is None else min(chunks, len(self.under_way))):
            self.acknowledged += self.under_way.popleft()
        self.recipient.acknowledge(self.acknowledged, now)

    def level(self, series: Hashable, position: int) -> int:
        return self.supplies[series].level_of(position, self.held.get((series, position), 0))

    def has_all(self, series: Hashable, positions: Sequence[int] | None = None) -> bool:
        supply = self.supplies[series]
        return all(
            self.held.get((series, position), 0) == supply.size(position)
            for position in (positions if positions is not None else range(supply.positions))
        )

    @property
    def bytes_held(self) -> int:
        return sum(self.held.values())
