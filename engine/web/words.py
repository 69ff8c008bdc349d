"""What a client of the stream says, heard in its order: short words as they come off the socket, the others by a task.

200 hands say 12 000 words a second, and acknowledge as often; a queue, a future and a turn of a task for each cost more than most
words. aiohttp reads the frames (RFC 6455), as for everybody; only what becomes of a text is decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import WebSocketError, WSMessage, WSMsgType, web
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.helpers import DEFAULT_CHUNK_SIZE
from aiohttp.http import WebSocketWriter
from aiohttp.http_websocket import WSMessageTextBytes

from engine.errors import InvalidParameter
from engine.stream.session import Session

_WORDS_IN_A_ROW = 16  # before others on the event loop have their turn
_SHORT_WORDS_IN_A_ROW = 64  # the same for words that take a tenth of the time
_TEXT = WSMsgType.TEXT
_WORD_CHARACTERS = 1024  # a longer one waits for the task, and perhaps for a thread
_CHARACTERS_OF_A_WORD = (
    128  # a longer one counts as several: reading lists takes 0.1 µs a character, a plain word 1.5 µs in all
)
_CONTROL = (WSMsgType.PING, WSMsgType.PONG)
_HEARTBEAT_EVERY_S = 1.0


class WordQueue(WebSocketDataQueue):
    """aiohttp's queue, past which a text goes that `now` has taken.

    Attributes
    ----------
    now : what is said; whether it was heard. Only asked while nothing waits in the queue.
    control : awaited behind each ping and pong. aiohttp answers them by itself without a turn for anybody else: eight clients
        that said nothing but pings held up others for 3 s.
    """

    now: Callable[[str], bool] | None = None
    control: Callable[[], Awaitable[None]] | None = None

    async def read(self) -> WSMessage | WSMessageTextBytes:
        message = await super().read()
        if self.control is not None and message.type in _CONTROL:
            await self.control()
        return message

    def feed_data(self, data: WSMessage | WSMessageTextBytes, size: int) -> None:
        if self.now is not None and data[0] is _TEXT and not self._buffer and self.now(data[1]):
            return
        super().feed_data(data, size)


class WordSocket(web.WebSocketResponse):
    """A WebSocket with a `WordQueue`.

    Reads the state of its base class as of the version that the lock file pins; tests/unit/web/test_words.py holds that.
    """

    _heard_at = 0.0
    row = 0  # texts of what came last that were heard at once
    words: WordQueue

    def _post_start(self, request: web.BaseRequest, protocol: str | None, writer: WebSocketWriter) -> None:
        self._ws_protocol, self._writer = protocol, writer
        self._reset_heartbeat()
        loop = asyncio.get_running_loop()
        self._reader = self.words = WordQueue(request.protocol, DEFAULT_CHUNK_SIZE, loop=loop)
        self._parser = WebSocketReader(self.words, self._max_msg_size, compress=False, decode_text=True)
        request.protocol.set_parser(self._parser, data_received_cb=self._on_data_received)
        request.protocol.keep_alive(False)

    def _on_data_received(self) -> None:
        self.row = 0
        assert self._loop is not None
        now = self._loop.time()
        if now - self._heard_at > _HEARTBEAT_EVERY_S:  # a client that has just spoken is there
            self._heard_at = now
            super()._on_data_received()


class Listener:
    """The words of one client. One that floods is read no faster than the limit: its own line fills up then."""

    def __init__(self, socket: WordSocket, session: Session, words_per_s_max: int) -> None:
        self._socket, self._session, self._most = socket, session, words_per_s_max
        self._loop = asyncio.get_running_loop()
        self._began, self._count = self._loop.time(), 0
        self._row = 0  # messages that the task took
        self._is_idle = False  # the task waits for the next message

    async def listen(self) -> None:
        """Until the client closes.

        Raises
        ------
        InvalidParameter : something was said that cannot be understood.
        """
        words = self._socket.words
        words.now, words.control = self._now, self._counted
        try:
            await self._listen()
        finally:
            words.now = words.control = None

    async def _listen(self) -> None:
        while True:
            self._is_idle = True
            message = await self._socket.receive()
            self._is_idle = False
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED):
                return
            if message.type is WSMsgType.ERROR and not isinstance(message.data, WebSocketError):
                raise message.data
            if message.type is not WSMsgType.TEXT:
                raise InvalidParameter("message", message.type.name.lower(), "text")
            await self._session.hear(message.data)
            await self._counted(1 + len(message.data) // _CHARACTERS_OF_A_WORD)

    async def _counted(self, words: int = 1) -> None:
        """So many words more; waits where the client is ahead of what it may say."""
        self._count += words
        self._row += 1
        if self._row % _WORDS_IN_A_ROW == 0:
            await asyncio.sleep(0)
        if self._count >= self._most:
            await asyncio.sleep(max(0.0, self._began + self._count / self._most - self._loop.time()))
            self._began, self._count = self._loop.time(), 0

    def _now(self, text: str) -> bool:
        """Whether it was heard at once; else it is the task's, which also says what is wrong with it."""
        if (
            not self._is_idle
            or len(text) >= _WORD_CHARACTERS
            or self._count + 1 >= self._most
            or self._socket.row >= _SHORT_WORDS_IN_A_ROW
            or not self._session.is_hearing
        ):
            return False
        try:
            self._session.heard(text)
        except InvalidParameter:
            return False
        self._count += 1
        self._socket.row += 1
        return True
