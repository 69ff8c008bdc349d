"""What goes out of one session, in its order: answers, and the bytes that were granted.

What is in memory goes at once (`flush`), in the turn of the event loop in which it was decided: a task and a thread for each
message cost more than deciding and sending it. What may have to wait, for the disk, for a picture that is being drawn or for a
client that does not take it, is the task's (`write`), and what comes behind it then waits there too.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Protocol, TypeGuard

from engine.errors import EngineError
from engine.stream.batch import SeriesKey, drops_of, quick_messages, records_of
from engine.stream.dispatch import Dispatcher
from engine.stream.framing import COMPLETE, SEEN, Record, head
from engine.stream.grant import Grant
from engine.stream.opened import OpenSeries
from engine.stream.pictures import DrawnKey, Pictures
from engine.stream.recipient import Recipient
from engine.stream.travel import Travel

_BATCH_BYTES = 256 * 1024  # of grants that wait, so many bytes are read in one go
# And sent as messages of so many chunks, and so many of all that may be under way: a client acknowledges whole messages, so one
# that holds all of it would leave the line idle for a round trip after each (100 Mbit/s and 5 ms: 38 % of what the line carries).
_MESSAGE_QUANTA, _MESSAGES = 2, 4
_WRITE_DEADLINE_S = 30.0


class Carrier(Protocol):
    """Takes messages to the client, in the order of the calls."""

    async def send(self, message: bytes | str) -> None:
        """Waits while more than a little of what was given is not sent."""
        ...

    def has_room(self) -> bool:
        """Whether `send` would not wait now, nor fail."""
        ...

    def put(self, messages: Sequence[bytes]) -> None:
        """As `send`, at once; only where there is room."""
        ...


class Outgoing:
    """One event loop; reading that may wait is done on `read`.

    Parameters
    ----------
    series : what the session has open.
    answers_bytes_max : of answers, beside what was granted, so many may wait before `has_room` is cleared.

    Attributes
    ----------
    has_room : asyncio.Event
        Not set while the client leaves too many answers untaken.
    """

    def __init__(
        self,
        carrier: Carrier,
        dispatcher: Dispatcher,
        series: Mapping[SeriesKey, OpenSeries],
        pictures: Pictures,
        travel: Travel,
        read: Executor,
        answers_bytes_max: int,
    ) -> None:
        self._carrier, self._dispatcher, self._series, self._pictures = carrier, dispatcher, series, pictures
        self._travel, self._read, self._answers_bytes_max = travel, read, answers_bytes_max
        self._recipient: Recipient | None = None
        self._waiting: deque[Grant | bytes | str] = deque()
        self._has_more = asyncio.Event()
        self._is_writing = False  # `write` has taken something out that is not sent yet
        self._answers_bytes = 0  # of what waits beside grants, whose bytes are counted by the credit
        self.has_room = asyncio.Event()
        self.has_room.set()

    def join(self, in_flight_bytes_max: int, held_bytes_max: int | None) -> Recipient:
        """The session takes part in what is decided; called once."""
        self._recipient = self._dispatcher.join(self, self._grant, in_flight_bytes_max, held_bytes_max, self.flush)
        return self._recipient

    def leave(self) -> None:
        """Nothing more is granted."""
        self._dispatcher.leave(self)

    def answer(self, message: bytes | str) -> None:
        """A record or a text, behind what waits."""
        self._answers_bytes += len(message)
        if self._answers_bytes > self._answers_bytes_max:
            self.has_room.clear()
        self._waiting.append(message)
        self._has_more.set()

    def fail(self, series: int, error: EngineError, position: int | None = None) -> None:
        """A series, or a frame of it, cannot be given."""
        self.told(series, type(error).__name__, str(error), position)

    def told(self, series: int, error: str, detail: str, position: int | None = None) -> None:
        """As `fail`, of what is no error of ours."""
        word = {"type": "error", "series": series, "error": error, "detail": detail}
        self.answer(json.dumps(word if position is None else word | {"position": position}))

    def flush(self) -> None:
        """What was granted goes at once if it is in memory and the client takes it; the rest is left to `write`."""
        waiting = self._waiting
        while not self._is_writing and waiting and _is_of_frames(waiting[0]) and self._carrier.has_room():
            batch = self._batch()
            messages = quick_messages(self._known(batch), self._message_bytes())
            if messages is None:
                waiting.extendleft(reversed(batch))
                break
            self._carrier.put(messages)
        if waiting:
            self._has_more.set()

    async def write(self) -> None:
        """Send what there is to send, until cancelled.

        Raises
        ------
        TimeoutError : the client took nothing for half a minute.
        ConnectionError : it is gone.
        """
        while True:
            while not self._waiting:
                self._is_writing = False
                self._has_more.clear()
                await self._has_more.wait()
            self._is_writing = True
            message = self._waiting.popleft()
            if not isinstance(message, Grant):
                self._answers_bytes -= len(message)
                if self._answers_bytes <= self._answers_bytes_max:
                    self.has_room.set()
            for whole in await self._messages(message) if isinstance(message, Grant) else (message,):
                async with asyncio.timeout(_WRITE_DEADLINE_S):
                    await self._carrier.send(whole)

    def _grant(self, grant: Grant) -> None:
        if isinstance(grant.series, DrawnKey):
            self._pictures.begin(grant)  # while what is before it goes out
        self._waiting.append(grant)

    async def _messages(self, grant: Grant) -> Sequence[bytes]:
        return await (self._picture(grant) if isinstance(grant.series, DrawnKey) else self._records(grant))

    async def _picture(self, grant: Grant) -> list[bytes]:
        """The picture of a grant; none where it is void by now, or cannot be drawn."""
        recipient, key = self._recipient, grant.series
        assert recipient is not None
        assert isinstance(key, DrawnKey)
        drops = [drops_of(grant)] if grant.drops else []
        made: bytes | None = None
        try:
            flight = None if recipient.is_void(grant) else self._pictures.flight(grant)
            if flight is not None:
                made = await asyncio.shield(flight.future)
        except EngineError as error:
            recipient.settle(grant, 0)
            self.fail(key.number, error, grant.position)
            self._dispatcher.wake()
            return drops
        finally:
            self._pictures.leave(grant)
        if made is None or recipient.is_void(grant):
            recipient.take_back(grant)
            self._dispatcher.wake()
            return drops
        recipient.settle(grant, len(made))
        flags = COMPLETE | (SEEN if grant.is_seen else 0)
        return [
            *drops,
            head(
                Record.PICTURE, key.number, flags=flags, generation=grant.generation, position=grant.position,
                detail=key.picture.number, length=len(made),
            )
            + made
        ]  # fmt: skip

    async def _records(self, first: Grant) -> list[bytes]:
        """This grant and those that wait behind it, as messages; read on a thread where a page may have to come from the disk."""
        self._waiting.appendleft(first)
        known, most = self._known(self._batch()), self._message_bytes()
        found = quick_messages(known, most)
        if found is not None:
            return found
        assert self._recipient is not None
        series = known[0][1]
        if series is not None and series.records is not None:
            self._travel.missed(series, self._recipient.demand(first.viewport), first.position)
        loop = asyncio.get_running_loop()
        messages, lost = await loop.run_in_executor(self._read, records_of, known, most)
        for grant, error in lost:
            self._recipient.settle(grant, 0)
            if error is not None:
                assert isinstance(grant.series, SeriesKey)
                self.fail(grant.series.number, error, grant.position)
        if lost:
            self._dispatcher.wake()
        return messages

    def _batch(self) -> list[Grant]:
        """What waits first, which is a grant, and the grants of frames behind it."""
        batch: list[Grant] = []
        size = 0
        while (
            self._waiting and _is_of_frames(one := self._waiting[0]) and (not batch or size + one.size <= _BATCH_BYTES)
        ):
            self._waiting.popleft()
            batch.append(one)
            size += one.size
        return batch

    def _known(self, batch: list[Grant]) -> list[tuple[Grant, OpenSeries | None]]:
        return [(grant, self._series.get(grant.series)) for grant in batch if isinstance(grant.series, SeriesKey)]

    def _message_bytes(self) -> int:
        assert self._recipient is not None
        credit = self._recipient.credit
        return min(_MESSAGE_QUANTA * credit.quantum, credit.window // _MESSAGES)


def _is_of_frames(message: Grant | bytes | str) -> TypeGuard[Grant]:
    return isinstance(message, Grant) and isinstance(message.series, SeriesKey)
