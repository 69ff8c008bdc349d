"""Frames that the hand comes to are asked for when something was missed, and never otherwise."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from renditions import SERIES, STUDY, Made, ct

from engine.archive.renditions.asking import Asking
from engine.stream import travel
from engine.stream.demand import Demand
from engine.stream.opened import OpenedSeries, OpenSeries
from engine.stream.supply import Supply
from engine.stream.travel import Travel

COUNT, SIZE = 400, 100_000


class Pieces:
    """Notes what is asked for; all of it has to come from the disk, until it is said to be in memory."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.is_cold, self.may_go = True, threading.Event()
        self.may_go.set()

    def will_need(self, position: int) -> bool:
        assert self.may_go.wait(10)
        self.asked.append(position)
        return self.is_cold


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> OpenSeries:
    made = Made.of(tmp_path_factory.mktemp("travel") / "archive", ct(1))
    made.make()
    return OpenedSeries(made.archive, made.shelf, Asking(None)).open(STUDY, SERIES)


def converse(packed: OpenSeries, talk: Callable[[Travel, OpenSeries, Pieces], Awaitable[None]]) -> None:
    pieces = Pieces()
    series = replace(packed, pieces=pieces, supply=Supply.of([(SIZE,)] * COUNT, 512, 512))  # type: ignore[arg-type]

    async def run() -> None:
        with ThreadPoolExecutor(2) as pool:
            await talk(Travel(pool), series, pieces)

    asyncio.run(run())


async def asked(pieces: Pieces, count: int) -> None:
    async with asyncio.timeout(10):
        while len(pieces.asked) < count:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
    assert len(pieces.asked) == count


def demand(position: int, velocity: float = 0.0, direction: int = 1) -> Demand:
    return Demand(series=1, position=position, velocity=velocity, direction=direction)


def test_nothing_is_asked_while_nothing_was_missed(packed: OpenSeries) -> None:
    async def talk(travel: Travel, series: OpenSeries, pieces: Pieces) -> None:
        for position in range(COUNT):
            travel.moved(series, demand(position, 100))
        await asyncio.sleep(0.05)
        assert not pieces.asked

    converse(packed, talk)


def test_what_the_hand_comes_to_within_a_second_is_asked_for_once(packed: OpenSeries) -> None:
    async def talk(travel: Travel, series: OpenSeries, pieces: Pieces) -> None:
        travel.missed(series, demand(90, 40), 100)
        await asked(pieces, 40)
        assert pieces.asked == list(range(100, 140))
        travel.missed(series, demand(91, 40), 101)
        travel.moved(series, demand(102, 40))
        await asked(pieces, 40)
        travel.moved(series, demand(110, 40))
        await asked(pieces, 50)
        assert pieces.asked[40:] == list(range(140, 150))

    converse(packed, talk)


def test_backwards_and_at_the_end(packed: OpenSeries) -> None:
    async def talk(travel: Travel, series: OpenSeries, pieces: Pieces) -> None:
        travel.missed(series, demand(5, -60), 5)
        await asked(pieces, 6)
        assert pieces.asked == [5, 4, 3, 2, 1, 0]
        travel.missed(series, demand(300, direction=-1), 300)
        await asked(pieces, 6 + travel_frames())
        travel.missed(series, None, 200)  # its viewport is gone
        await asked(pieces, 6 + travel_frames())

    converse(packed, talk)


def travel_frames() -> int:
    return travel.FRAMES_MIN


def test_so_many_bytes_in_one_go(packed: OpenSeries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(travel, "BYTES_MAX", 10 * SIZE)

    async def talk(travel: Travel, series: OpenSeries, pieces: Pieces) -> None:
        travel.missed(series, demand(0, 100), 0)
        await asked(pieces, 10)

    converse(packed, talk)


def test_a_series_is_asked_for_by_one_at_a_time(packed: OpenSeries) -> None:
    async def talk(travel: Travel, series: OpenSeries, pieces: Pieces) -> None:
        pieces.may_go.clear()
        for position in (0, 100, 200):
            travel.missed(series, demand(position, 20), position)
        pieces.may_go.set()
        await asked(pieces, 20)

    converse(packed, talk)


def test_so_many_series_at_once(packed: OpenSeries) -> None:
    async def talk(travel: Travel, series: OpenSeries, pieces: Pieces) -> None:
        pieces.may_go.clear()
        several = [replace(series) for _ in range(9)]
        for one in several:
            travel.missed(one, demand(0, 20), 0)
        pieces.may_go.set()
        await asked(pieces, 4 * 20)

    converse(packed, talk)


def test_nobody_looks_any_more_when_all_is_in_memory_for_a_while(
    packed: OpenSeries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(travel, "COLD_S", 0.1)

    async def talk(travel: Travel, series: OpenSeries, pieces: Pieces) -> None:
        pieces.is_cold = False
        travel.missed(series, demand(0, 20), 0)
        await asked(pieces, 20)
        await asyncio.sleep(0.15)
        travel.moved(series, demand(200, 20))
        travel.moved(series, demand(300, 20))
        await asked(pieces, 20)

    converse(packed, talk)


def test_a_pack_that_cannot_be_read_is_said(packed: OpenSeries, caplog: pytest.LogCaptureFixture) -> None:
    async def talk(travel: Travel, series: OpenSeries, pieces: Pieces) -> None:
        def broken(position: int) -> bool:
            raise OSError(5, "a bad sector")

        pieces.will_need = broken  # type: ignore[method-assign]
        travel.missed(series, demand(0, 20), 0)
        async with asyncio.timeout(10):
            while not caplog.records:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)
        assert "a bad sector" in caplog.text

    converse(packed, talk)
