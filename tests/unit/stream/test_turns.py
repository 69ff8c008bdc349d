"""Bodies take turns as RFC 9218 section 10 has it, whoever of their clients does not read or goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from itertools import groupby
from typing import Any

import pytest

from engine.stream import turns as module
from engine.stream.dispatch import Dispatcher
from engine.stream.turns import Turn, Turns

SIZE = 300_000


async def send(name: str, turn: Turn, size: int, log: list[tuple[str, int]]) -> None:
    """As a door does it; the socket takes everything a turn of the loop later."""
    try:
        while size:
            piece = min(size, await turn.wait())
            await asyncio.sleep(0)
            turn.took(piece)
            log.append((name, piece))
            size -= piece
    finally:
        turn.close()


def run(work: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work

    asyncio.run(bounded())


def order_of(log: list[tuple[str, int]]) -> list[str]:
    return [name for name, _ in groupby(name for name, _ in log)]


@pytest.mark.parametrize("is_incremental", [False, True])
def test_the_more_urgent_goes_first_though_it_came_later(is_incremental: bool) -> None:
    async def steps() -> None:
        turns, log = Turns(Dispatcher()), []  # type: ignore[var-annotated]
        late = turns.begin("a", SIZE, 5, is_incremental=is_incremental)
        soon = turns.begin("a", SIZE, 1, is_incremental=is_incremental)
        assert turns.is_busy("a")
        assert not turns.is_busy("b")
        await asyncio.gather(send("late", late, SIZE, log), send("soon", soon, SIZE, log))
        assert order_of(log) == ["soon", "late"]
        assert sum(size for _, size in log) == 2 * SIZE
        assert not turns.is_busy("a")

    run(steps())


def test_equal_ones_share_if_they_are_incremental_and_go_one_by_one_if_not() -> None:
    async def steps() -> None:
        for is_incremental in (True, False):
            turns, log = Turns(Dispatcher()), []  # type: ignore[var-annotated]
            both = [turns.begin("a", SIZE, is_incremental=is_incremental) for _ in range(2)]
            await asyncio.gather(*(send(str(n), one, SIZE, log) for n, one in enumerate(both)))
            if is_incremental:
                assert len(order_of(log)) > 4
            else:
                assert order_of(log) == ["0", "1"]

    run(steps())


def test_one_that_is_not_read_holds_up_nobody_and_comes_back() -> None:
    async def steps() -> None:
        turns, log = Turns(Dispatcher()), []  # type: ignore[var-annotated]
        stuck, other = turns.begin("a", SIZE, 0), turns.begin("a", SIZE, 5)
        given = await stuck.wait()
        waiting = asyncio.create_task(other.wait())
        await asyncio.sleep(0.05)
        assert not waiting.done()  # the line is full of the other's
        stuck.stand_aside()
        await waiting
        await send("other", other, SIZE, log)
        stuck.took(given)
        await send("stuck", stuck, SIZE - given, log)
        assert order_of(log) == ["other", "stuck"]

    run(steps())


def test_one_that_leaves_gives_back_its_place() -> None:
    async def steps() -> None:
        turns, log = Turns(Dispatcher()), []  # type: ignore[var-annotated]
        gone, other = turns.begin("a", SIZE, 0), turns.begin("a", SIZE, 5)
        await gone.wait()
        gone.close()
        gone.close()
        await send("other", other, SIZE, log)
        assert not turns.is_busy("a")

    run(steps())


def test_nobody_waits_for_ever_behind_more_urgent_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.1)

    async def steps() -> None:
        turns, log = Turns(Dispatcher()), []  # type: ignore[var-annotated]
        last = turns.begin("a", 10_000, 7)

        async def endless() -> None:
            while True:
                await send("urgent", turns.begin("a", SIZE, 0), SIZE, log)

        others = [asyncio.create_task(endless()) for _ in range(2)]
        await send("last", last, 10_000, log)
        for one in others:
            one.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        assert log[-1][0] == "last"
        assert not turns.is_busy("a")

    run(steps())


def test_clients_that_want_nothing_are_forgotten_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REMEMBERED_MAX", 3)

    async def steps() -> None:
        turns = Turns(Dispatcher())
        kept = turns.begin("kept", SIZE)
        for n in range(20):
            await send("x", turns.begin(str(n), 10, 3), 10, [])
        assert set(turns._clients) == {"kept", "17", "18", "19"}
        await send("kept", kept, SIZE, [])

    run(steps())
