"""One session of ``voxcast.stream.v1``: a client's words in, records out, whatever carries them (docs/stream.md)."""

from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import Executor

from engine.errors import EngineError, InvalidParameter, TooBusy
from engine.limits import Limits
from engine.stream.batch import SeriesKey
from engine.stream.demand import Demand
from engine.stream.dispatch import Dispatcher
from engine.stream.framing import (
    PROTOCOL,
    Close,
    Forget,
    Got,
    Hello,
    Look,
    Open,
    Picture,
    Ping,
    Record,
    Word,
    head,
    parse,
)
from engine.stream.opened import OpenedSeries, OpenSeries
from engine.stream.outgoing import Carrier, Outgoing
from engine.stream.pictures import REACH, Pictures
from engine.stream.readiness import Readiness
from engine.stream.recipient import Recipient
from engine.stream.travel import Travel

_LOG = logging.getLogger(__name__)
_OPENING_MAX = 4
_LONG_WORD = 32 * 1024  # characters; a longer one is parsed on a thread, for it takes milliseconds


class Session:
    """One event loop. The door calls `hear` for each message, runs `write` beside it, and `close` in the end.

    Reading and copying is done on `read`; `index` opens series, `words` reads long words.
    """

    def __init__(
        self,
        carrier: Carrier,
        dispatcher: Dispatcher,
        series: OpenedSeries,
        readiness: Readiness,
        pictures: Pictures,
        travel: Travel,
        limits: Limits,
        read: Executor,
        index: Executor,
        words: Executor,
    ) -> None:
        self._dispatcher, self._series, self._limits = dispatcher, series, limits
        self._index, self._words, self._readiness = index, words, readiness
        self._pictures, self._travel = pictures, travel
        self._recipient: Recipient | None = None
        self._keys: dict[int, SeriesKey] = {}
        self._open: dict[SeriesKey, OpenSeries] = {}
        self._viewports: set[int] = set()
        self._looks: dict[int, Look] = {}  # of each viewport the last word, until the next decision
        self._opening: dict[int, asyncio.Task[None]] = {}
        self._early: dict[int, dict[int, Look]] = {}  # of a series that is being opened: the last word of each viewport
        self._gate = asyncio.Semaphore(_OPENING_MAX)
        self._openings = 0
        self._outgoing = Outgoing(
            carrier, dispatcher, self._open, pictures, travel, read, limits.stream_answers_bytes_max
        )

    async def hear(self, text: str) -> None:
        """As `heard`, but waits while too many answers are not taken: who says much and reads nothing is heard no more.

        Raises
        ------
        InvalidParameter : it is none, or not for this moment: the session is to be ended.
        """
        await self._outgoing.has_room.wait()
        if len(text) > _LONG_WORD:
            self._take(await asyncio.get_running_loop().run_in_executor(self._words, parse, text))
        else:
            self._take(parse(text))

    @property
    def is_hearing(self) -> bool:
        """Whether `hear` would not wait."""
        return self._outgoing.has_room.is_set()

    def heard(self, text: str) -> None:
        """One word of the client; raises as `hear`."""
        self._take(parse(text))

    def _take(self, word: Word) -> None:
        if self._recipient is None:
            if not isinstance(word, Hello):
                raise InvalidParameter("type", type(word).__name__.lower(), "hello, before anything else")
            in_flight = self._limits.stream_in_flight_bytes_max
            self._recipient = self._outgoing.join(in_flight, word.memory)
            self._outgoing.answer(json.dumps({"type": "welcome", "protocol": PROTOCOL, "inFlight": in_flight}))
            return
        if isinstance(word, Look):
            most = self._limits.stream_viewports_max
            is_new = word.viewport not in self._viewports and word.viewport not in self._looks
            if is_new and len(self._viewports | self._looks.keys()) >= most:
                raise InvalidParameter("viewport", str(word.viewport), f"{most} at most")
            self._looks[word.viewport] = word
            self._dispatcher.wake(self.settle)
            return
        if not isinstance(word, Got):
            self.settle()  # in the order in which they were said
        self._act(word, self._recipient)
        self._dispatcher.wake()

    def settle(self) -> None:
        """What the viewports were last said to be counts now; called before decisions."""
        if self._looks and self._recipient is not None:
            looks, self._looks = self._looks, {}
            for look in looks.values():
                self._look(look, self._recipient, self._dispatcher.now())

    async def write(self) -> None:
        """Send what there is to send, until cancelled; raises as `Outgoing.write`."""
        await self._outgoing.write()

    def close(self) -> None:
        """The client is gone."""
        self._looks.clear()
        self._outgoing.leave()
        self._pictures.end()
        for key in self._open:
            self._readiness.forget(key)
        for task in self._opening.values():
            task.cancel()
        # Not left to a collection of garbage, which may be minutes away: files of packs are open and mapped.
        self._open.clear()
        self._keys.clear()

    def _act(self, word: Word, recipient: Recipient) -> None:
        now = self._dispatcher.now()
        match word:
            case Got(total):
                try:
                    recipient.acknowledge(total, now)
                except ValueError:
                    raise InvalidParameter("bytes", str(total), "no more than was sent") from None
            case Open():
                self._begin(word, recipient)
            case Close("viewport", number):
                self._viewports.discard(number)
                recipient.close(number)
                self._undraw(number, recipient)
            case Close(_, number):
                self._shut(number, recipient)
            case Forget(series, kept):
                if (key := self._keys.get(series)) is not None:
                    for position, keep in kept.items():
                        recipient.forget(key, position, keep)
            case Ping(value):
                self._outgoing.answer(json.dumps({"type": "pong", "value": value}))
            case Hello():
                raise InvalidParameter("type", "hello", "said once")

    def _look(self, word: Look, recipient: Recipient, now: float) -> None:
        number = word.series
        if number in self._opening:
            self._early.setdefault(number, {})[word.viewport] = word
        elif (key := self._keys.get(number)) is not None:
            if word.picture is None:
                demand = Demand(series=key, **word.members)
                recipient.look(word.viewport, demand, now)
                self._travel.moved(self._open[key], demand)
                self._undraw(word.viewport, recipient)
            else:
                self._look_at_pictures(word, key, word.picture, recipient, now)
        else:
            return  # opening it failed, and the client was told
        self._viewports.add(word.viewport)

    def _look_at_pictures(self, word: Look, key: SeriesKey, picture: Picture, recipient: Recipient, now: float) -> None:
        before = self._pictures.key(word.viewport)
        drawn, supply = self._pictures.wants(word.viewport, word.series, self._open[key], picture)
        if supply is not None:
            recipient.offer(drawn, supply)
        reach = word.members["reach"]
        members = word.members | {"reach": REACH if reach is None else reach}
        recipient.look(word.viewport, Demand(series=drawn, **members), now)
        if before is not None and before is not drawn:
            recipient.withdraw(before)

    def _undraw(self, viewport: int, recipient: Recipient) -> None:
        drawn = self._pictures.close(viewport)
        if drawn is not None:
            recipient.withdraw(drawn)

    def _begin(self, word: Open, recipient: Recipient) -> None:
        if word.series in self._opening:
            raise InvalidParameter("series", str(word.series), "one that is not being opened")
        if len(self._keys.keys() | self._opening.keys() | {word.series}) > self._limits.stream_series_max:
            self._outgoing.fail(word.series, TooBusy("series (limits.stream_series_max)"))
            return
        self._shut(word.series, recipient)
        self._opening[word.series] = asyncio.create_task(self._opened(word, recipient))

    async def _opened(self, word: Open, recipient: Recipient) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with self._gate:
                found = await loop.run_in_executor(
                    self._index,
                    lambda: self._series.open(word.study_uid, word.series_uid, word.front),
                )
            held = word.held if word.tag == found.tag else {}
            self._openings += 1
            key = SeriesKey(word.series, self._openings)
            recipient.offer(key, found.supply, held)
        except EngineError as error:
            self._outgoing.fail(word.series, error)
            return
        except ValueError:
            self._outgoing.fail(
                word.series, InvalidParameter("held", f"series {word.series}", "bytes that its frames have")
            )
            return
        except Exception:  # noqa: BLE001 - a disk, or a fault of ours: who waits for the answer gets one
            _LOG.exception("series %s cannot be opened", word.series_uid)
            self._outgoing.told(word.series, "InternalError", "the server's log says why")
            return
        finally:
            del self._opening[word.series]
            early = self._early.pop(word.series, {})
        self._keys[word.series], self._open[key] = key, found
        detail = int(word.tag == found.tag)
        self._outgoing.answer(head(Record.SERIES, word.series, detail=detail, length=len(found.table)) + found.table)
        if not found.is_complete:
            ready = json.dumps({"type": "ready", "series": word.series})
            self._readiness.watch(key, found, lambda: self._outgoing.answer(ready))
        for look in early.values():
            self._look(look, recipient, self._dispatcher.now())
        self._dispatcher.wake()

    def _shut(self, number: int, recipient: Recipient) -> None:
        key = self._keys.pop(number, None)
        if key is not None:
            del self._open[key]
            self._readiness.forget(key)
            recipient.withdraw(key)
            for viewport in self._pictures.of_series(number):
                self._undraw(viewport, recipient)
