"""A session's words and messages, without a socket: what is said last counts, and in the order in which it was said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from renditions import SERIES, STUDY, Made, ct

from engine.archive.renditions.asking import Asking
from engine.errors import InvalidParameter
from engine.executors import Executors
from engine.limits import Limits
from engine.stream.dispatch import Dispatcher
from engine.stream.frames import FrameService
from engine.stream.framing import HEAD, Record
from engine.stream.opened import OpenedSeries
from engine.stream.pictures import Pictures
from engine.stream.readiness import Readiness
from engine.stream.recipient import Recipient
from engine.stream.session import Session


class Wire:
    """A carrier that keeps what it was given."""

    def __init__(self) -> None:
        self.binary: list[bytes] = []
        self.texts: list[dict[str, Any]] = []

    async def send(self, message: bytes | str) -> None:
        if isinstance(message, str):
            self.texts.append(json.loads(message))
        else:
            self.binary.append(message)

    @property
    def pieces(self) -> list[tuple[int, int]]:
        """Kind and position of each record, in order."""
        found = []
        for message in self.binary:
            at = 0
            while at < len(message):
                kind, _, _, _, _, position, _, length = HEAD.unpack_from(message, at)
                found.append((kind, position))
                at += HEAD.size + length
        return found


@pytest.fixture
def made(tmp_path: Path) -> Made:
    own = Made.of(tmp_path / "archive", *(ct(number) for number in range(1, 13)))
    own.make()
    return own


def converse(made: Made, talk: Callable[[Session, Wire], Awaitable[None]], limits: Limits | None = None) -> None:
    async def run() -> None:
        wire = Wire()
        series = OpenedSeries(made.archive, made.shelf, Asking(None))
        executors = Executors(1)
        with ThreadPoolExecutor(1) as pool:
            readiness = Readiness(series, pool)
            frames = FrameService(made.archive, executors, made.limits, made.metrics)
            pictures = Pictures(made.archive, frames)
            session = Session(wire, Dispatcher(), series, readiness, pictures, limits or made.limits, pool, pool)
            writing = asyncio.create_task(session.write())
            try:
                say(session, type="hello")
                say(session, type="open", series=1, study=STUDY, seriesInstanceUID=SERIES)
                await until(lambda: bool(wire.binary))
                await talk(session, wire)
            finally:
                writing.cancel()
                session.close()
                readiness.close()
                executors.close()

    asyncio.run(run())


def say(session: Session, **word: Any) -> None:
    session.heard(json.dumps(word))


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)


def test_of_the_words_before_a_decision_the_last_one_counts(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []
    look = Recipient.look
    monkeypatch.setattr(Recipient, "look", lambda *all: heard.append(all[2].position) or look(*all))

    async def talk(session: Session, wire: Wire) -> None:
        for position in (2, 9, 4, 7):
            say(session, type="look", viewport=1, series=1, position=position)
        await until(lambda: len(wire.binary) > 1)
        assert heard == [7]
        assert wire.pieces[1][1] == 7

    converse(made, talk)


def test_words_keep_their_order(made: Made) -> None:
    async def talk(session: Session, wire: Wire) -> None:
        say(session, type="look", viewport=1, series=1, position=3)
        say(session, type="close", viewport=1)
        say(session, type="ping", value=5)
        await until(lambda: wire.texts[-1].get("value") == 5)
        await asyncio.sleep(0.05)
        assert wire.pieces == [(Record.SERIES, 0)], "it was closed after it had looked"
        say(session, type="close", viewport=1)
        say(session, type="look", viewport=1, series=1, position=3)
        await until(lambda: len(wire.pieces) > 1)

    converse(made, talk)


def test_viewports_are_counted_before_a_decision_too(made: Made) -> None:
    async def talk(session: Session, wire: Wire) -> None:
        say(session, type="look", viewport=1, series=1)
        say(session, type="look", viewport=2, series=1)
        say(session, type="look", viewport=2, series=1, position=1)
        with pytest.raises(InvalidParameter, match="viewport"):
            say(session, type="look", viewport=3, series=1)

    converse(made, talk, replace(made.limits, stream_viewports_max=2))


def test_a_session_that_is_gone_looks_no_more(made: Made) -> None:
    async def talk(session: Session, wire: Wire) -> None:
        say(session, type="look", viewport=1, series=1, position=3)
        session.close()
        await asyncio.sleep(0.05)
        assert wire.pieces == [(Record.SERIES, 0)]

    converse(made, talk)


def test_what_may_be_under_way_is_several_messages(made: Made) -> None:
    async def talk(session: Session, wire: Wire) -> None:
        say(session, type="look", viewport=1, series=1, position=3)
        await asyncio.sleep(0.2)
        sizes = [len(message) for message in wire.binary[1:]]
        assert len(sizes) >= 4
        assert max(sizes) <= 0.3 * sum(sizes)

    converse(made, talk)
