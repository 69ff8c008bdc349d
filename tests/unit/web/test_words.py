"""Words of a client keep their order, whether they are heard as they come or by the task: real sockets, a session that notes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from engine.errors import InvalidParameter
from engine.web.words import Listener, WordSocket


class Noting:
    """A session that notes what it hears, and by which way."""

    def __init__(self) -> None:
        self.words: list[tuple[str, str]] = []
        self.is_hearing = True
        self.may_hear = asyncio.Event()
        self.may_hear.set()

    def heard(self, text: str) -> None:
        if text == "bad":
            raise InvalidParameter("word", text, "a good one")
        if text == "broken":
            raise ZeroDivisionError
        self.words.append(("now", text))

    async def hear(self, text: str) -> None:
        await self.may_hear.wait()
        if text == "bad":
            raise InvalidParameter("word", text, "a good one")
        self.words.append(("task", text))

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.words]


class End:
    """How the listener ended."""

    error: BaseException | None = None
    is_over = False
    now: object = "not asked"


Talk = Callable[[aiohttp.ClientWebSocketResponse, Noting, End], Awaitable[None]]


def converse(talk: Talk, words_per_s_max: int = 5000) -> None:
    async def run() -> None:
        session, end = Noting(), End()

        async def door(request: web.Request) -> web.StreamResponse:
            socket = WordSocket(heartbeat=20.0, compress=False, max_msg_size=1 << 20)
            await socket.prepare(request)
            try:
                await Listener(socket, session, words_per_s_max).listen()  # type: ignore[arg-type]
            except (InvalidParameter, ZeroDivisionError) as error:
                end.error = error
            end.is_over, end.now = True, socket.words.now
            await socket.close()
            return socket

        app = web.Application()
        app.router.add_get("/", door)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        async with aiohttp.ClientSession() as client, client.ws_connect(f"http://{host}:{port}/") as socket:
            await talk(socket, session, end)
        await runner.cleanup()

    asyncio.run(run())


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)


def test_words_that_come_one_by_one_are_heard_at_once() -> None:
    async def talk(socket: aiohttp.ClientWebSocketResponse, session: Noting, end: End) -> None:
        for number in range(20):
            await socket.send_str(f"word {number}")
            await until(lambda number=number: len(session.words) == number + 1)  # type: ignore[misc]
        assert session.words[1:] == [("now", f"word {number}") for number in range(1, 20)]
        await socket.close()
        await until(lambda: end.is_over)
        assert end.error is None and end.now is None

    converse(talk)


def test_words_keep_their_order_whichever_way_they_are_heard() -> None:
    said = [f"{number} " + "x" * (5000 if number % 7 == 3 else 3) for number in range(500)]

    async def talk(socket: aiohttp.ClientWebSocketResponse, session: Noting, end: End) -> None:
        for text in said:
            await socket.send_str(text)
        await until(lambda: len(session.words) == len(said))
        assert session.texts == said
        assert {way for way, _ in session.words} == {"now", "task"}
        assert all(way == "task" for way, text in session.words if len(text) > 1024)

    converse(talk)


def test_who_waits_for_room_is_not_overtaken() -> None:
    async def talk(socket: aiohttp.ClientWebSocketResponse, session: Noting, end: End) -> None:
        session.is_hearing = False
        session.may_hear.clear()
        await socket.send_str("first")
        await asyncio.sleep(0.05)
        session.is_hearing = True
        for number in range(40):
            await socket.send_str(f"{number}")
        await asyncio.sleep(0.05)
        assert session.words == [], "the first one is not heard yet"
        session.may_hear.set()
        await until(lambda: len(session.words) == 41)
        assert session.texts == ["first", *map(str, range(40))]

    converse(talk)


def test_a_flood_waits_for_the_next_second() -> None:
    async def talk(socket: aiohttp.ClientWebSocketResponse, session: Noting, end: End) -> None:
        began = asyncio.get_running_loop().time()
        for number in range(30):
            await socket.send_str(str(number))
        await until(lambda: len(session.words) == 30)
        assert asyncio.get_running_loop().time() - began > 0.9, "no more than twenty in the first second"
        assert session.texts == [str(number) for number in range(30)]

    converse(talk, words_per_s_max=20)


def test_pings_count_as_words() -> None:
    async def talk(socket: aiohttp.ClientWebSocketResponse, session: Noting, end: End) -> None:
        began = asyncio.get_running_loop().time()
        for _ in range(30):
            await socket.ping()
        await socket.send_str("at last")
        await until(lambda: bool(session.words))
        assert asyncio.get_running_loop().time() - began > 0.9, "no more than twenty in the first second"

    converse(talk, words_per_s_max=20)


def test_a_long_word_counts_by_its_length() -> None:
    async def talk(socket: aiohttp.ClientWebSocketResponse, session: Noting, end: End) -> None:
        await socket.send_str("x" * 128 * 40)
        await until(lambda: len(session.words) == 1)
        began = asyncio.get_running_loop().time()
        await socket.send_str("at last")
        await until(lambda: len(session.words) == 2)
        assert asyncio.get_running_loop().time() - began > 1.5, "as if it had been forty words"

    converse(talk, words_per_s_max=20)


def test_pings_leave_others_their_turn() -> None:
    """A hundred pings that came in one piece are answered in several turns of the event loop."""

    async def talk(socket: aiohttp.ClientWebSocketResponse, session: Noting, end: End) -> None:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        writer = socket._writer
        begun = asyncio.create_task(other())
        pings = bytes((0x89, 0x80)) + bytes(4)
        writer.transport.write(pings * 5000)
        await socket.send_str("behind them")
        at = turns
        await until(lambda: bool(session.words))
        begun.cancel()
        assert turns - at > 5000 // 16 // 2

    converse(talk, words_per_s_max=100_000)


@pytest.mark.parametrize(("word", "error"), [("bad", InvalidParameter), ("broken", ZeroDivisionError)])
def test_a_word_that_cannot_be_heard_ends_the_listening(word: str, error: type[Exception]) -> None:
    async def talk(socket: aiohttp.ClientWebSocketResponse, session: Noting, end: End) -> None:
        await socket.send_str("good")
        await until(lambda: bool(session.words))
        await socket.send_str(word)
        await until(lambda: end.is_over)
        assert isinstance(end.error, error)
        assert session.texts == ["good"]

    converse(talk)


def test_what_is_no_text_is_refused() -> None:
    async def talk(socket: aiohttp.ClientWebSocketResponse, session: Noting, end: End) -> None:
        await socket.send_bytes(b"good")
        await until(lambda: end.is_over)
        assert isinstance(end.error, InvalidParameter)

    converse(talk)
