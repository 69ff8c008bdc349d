"""A session's words and messages, without a socket: what is said last counts, and in the order in which it was said."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import Awaitable, Callable, Sequence
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
from engine.stream import outgoing
from engine.stream.dispatch import Dispatcher
from engine.stream.frames import FrameService
from engine.stream.framing import HEAD, Record
from engine.stream.opened import OpenedSeries
from engine.stream.pictures import Pictures
from engine.stream.readiness import Readiness
from engine.stream.recipient import Recipient
from engine.stream.session import Session
from engine.stream.travel import Travel


class Wire:
    """A carrier that keeps what it was given."""

    def __init__(self) -> None:
        self.binary: list[bytes] = []
        self.is_taking = True
        self.put_count = self.sent_count = 0
        self.texts: list[dict[str, Any]] = []

    async def send(self, message: bytes | str) -> None:
        if isinstance(message, str):
            self.texts.append(json.loads(message))
        else:
            await asyncio.sleep(0.001)
            self.binary.append(message)
            self.sent_count += 1

    def has_room(self) -> bool:
        return self.is_taking

    def put(self, messages: Sequence[bytes]) -> None:
        assert self.is_taking
        self.binary += messages
        self.put_count += len(messages)

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
            session = Session(
                wire, Dispatcher(), series, readiness, pictures, Travel(pool), limits or made.limits, pool, pool, pool
            )
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


def got_whole(wire: Wire, made: Made) -> bool:
    """Whether all frames are there; every chunk begins where the one before has ended."""
    held = {place: b"" for place in range(len(made.pieces()))}
    for message in wire.binary[1:]:
        at = 0
        while at < len(message):
            kind, level, _, _, _, position, detail, length = HEAD.unpack_from(message, at)
            payload, at = message[at + HEAD.size : at + HEAD.size + length], at + HEAD.size + length
            if kind == Record.CHUNK:
                assert detail == len(held[position])
                held[position] += payload
            else:
                for other in range(position, position + detail):
                    end = made.pieces().frames[other].ends[level]
                    held[other], payload = payload[:end], payload[end:]
    return all(held[place] == bytes(made.pieces().read(place)) for place in held)


@pytest.mark.parametrize("way", ["put", "sent", "both"])
def test_the_order_is_the_same_whether_it_goes_at_once_or_waits(made: Made, way: str) -> None:
    async def talk(session: Session, wire: Wire) -> None:
        wire.is_taking = way != "sent"
        say(session, type="look", viewport=1, series=1, position=3)
        got = 0
        async with asyncio.timeout(10):
            while not got_whole(wire, made):
                await asyncio.sleep(0.002)
                if way == "both":
                    wire.is_taking = not wire.is_taking
                payload = sum(map(len, wire.binary[1:])) - HEAD.size * (len(wire.pieces) - 1)
                if payload > got:
                    got = payload
                    say(session, type="got", bytes=got)
        assert (wire.put_count > 0) == (way != "sent")
        assert (wire.sent_count > 1) == (way != "put"), "the table is always sent"

    converse(made, talk)


def test_what_is_not_in_memory_is_read_on_a_thread_and_what_comes_behind_it_waits(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several looks the pages are missing now and then: nothing comes twice, or before what was decided before it."""
    calls = 0

    def sometimes(*all: Any) -> list[bytes] | None:
        nonlocal calls
        calls += 1
        return None if calls % 3 else quick_messages(*all)

    quick_messages = outgoing.quick_messages
    monkeypatch.setattr(outgoing, "quick_messages", sometimes)

    async def talk(session: Session, wire: Wire) -> None:
        got = number = 0
        async with asyncio.timeout(10):
            while not got_whole(wire, made):
                number += 1
                say(session, type="look", viewport=1, series=1, position=number % 12)
                await asyncio.sleep(0.002)
                payload = sum(map(len, wire.binary[1:])) - HEAD.size * (len(wire.pieces) - 1)
                if payload > got:
                    got = payload
                    say(session, type="got", bytes=got)
        assert calls >= 3, "both ways were gone"

    converse(made, talk)


def test_a_series_that_cannot_be_opened_for_whatever_reason_is_answered(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise OSError(24, "Too many open files")

    async def talk(session: Session, wire: Wire) -> None:
        monkeypatch.setattr(made.archive, "series", broken)
        say(session, type="open", series=2, study=STUDY, seriesInstanceUID=SERIES)
        await until(lambda: any(text["type"] == "error" for text in wire.texts))
        (told,) = [text for text in wire.texts if text["type"] == "error"]
        assert (told["series"], told["error"]) == (2, "InternalError")
        assert "files" not in told["detail"], "what a disk says is for the log"
        monkeypatch.undo()
        say(session, type="open", series=2, study=STUDY, seriesInstanceUID=SERIES)
        await until(lambda: wire.pieces.count((4, 0)) == 2)

    converse(made, talk)


def test_a_session_that_has_ended_holds_no_series_whoever_holds_the_session(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.stream.opened._SERIES_KEPT", 0)
    held: list[weakref.ref[Any]] = []
    opening = OpenedSeries.open

    def opened(*of: Any) -> Any:
        found = opening(*of)
        held.append(weakref.ref(found))
        return found

    monkeypatch.setattr(OpenedSeries, "open", opened)

    async def talk(session: Session, wire: Wire) -> None:
        say(session, type="look", viewport=1, series=1, position=3)
        await until(lambda: len(wire.binary) > 1)
        assert held[0]() is not None
        session.close()
        await until(lambda: held[0]() is None)

    gc.disable()
    try:
        converse(made, talk)
    finally:
        gc.enable()
