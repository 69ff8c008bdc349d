"""One established association, whichever side asked for it: messages in, messages out, release and abort (PS3.8 chapter 7, 9.2)."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from engine.dimse.account import Account
from engine.dimse.command import C_CANCEL, C_STORE, Command
from engine.dimse.message import Intake, Message, PresentationContext, Spool
from engine.dimse.transport import ABORT, RELEASE_RP, RELEASE_RQ, Event, Transport, abort_pdu, release_pdu
from engine.errors import EngineError, MalformedDataSet, TooLarge
from engine.limits import MIB
from engine.peers import PERMISSIONS
from engine.types import Buffer

__all__ = ["Association", "AssociationEnded", "Intake", "Message", "PresentationContext", "Spool"]

_IDENTIFIER_BYTES_MAX = 16 * MIB  # of any data set but a C-STORE's
_IGNORED_BYTES_MAX = 1024 * MIB  # of a data set that could not be taken, read so that the peer gets its status
_EARLY_MESSAGES_MAX = 16  # that come while another is answered; who sends more waits for nothing
_CLOSING_S = 5.0
_USER, _PROVIDER = 0, 2
_UNEXPECTED, _INVALID = 2, 6


class AssociationEnded(Exception):
    """The association is no more; `reason` says why, for the log. Ours to abort has been aborted."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(slots=True)
class _Pending:
    is_done: Callable[[], bool]
    answer: Callable[[], None]


@dataclass(slots=True, kw_only=True, eq=False)
class Association:
    """Used by one thread, its own; `shut`, `post` and `wake` by any.

    Attributes
    ----------
    peer, called : AE titles of the other side, and the one that was called.
    address : of the other side.
    user : who the requestor said to be, where that was checked.
    extended : what was agreed by SOP class extended negotiation, by SOP class.
    window : operations that we perform at once, and that we may invoke at once; 0 is any number (PS3.7 D.3.3.3).
    idle_s : longest silence, and longest wait for the peer to take something.
    total_s : longest life.
    permissions : what the other side may ask of us.
    performed : messages by name, for the log.
    """

    transport: Transport
    peer: str
    called: str
    address: str
    contexts: Mapping[int, PresentationContext]
    idle_s: float
    total_s: float = math.inf
    permissions: Collection[str] = PERMISSIONS
    is_requestor: bool = False
    user: str = ""
    extended: Mapping[str, bytes] = field(default_factory=dict)
    window: tuple[int, int] = (1, 1)
    intake: Intake | None = None
    started: float = field(default_factory=time.monotonic)
    performed: dict[str, int] = field(default_factory=dict)
    failures: int = 0
    account: Account | None = None
    is_open: bool = True
    _early: deque[Message] = field(default_factory=deque)
    _cancelled: set[int] = field(default_factory=set)
    _posted: deque[Callable[[], None]] = field(default_factory=deque)
    _pending: deque[_Pending] = field(default_factory=deque)
    _last_message_id: int = 0

    # -- what comes

    def begin(self, acceptance: bytes, more: bytes) -> None:
        """Of the acceptor: answer with the PDU `acceptance`; `more` came behind the request. Raises AssociationEnded."""
        self._put(lambda: self.transport.send_pdu(acceptance))
        self.transport.feed(more)

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """The next message; None when the peer has released the association, and been answered.

        Raises
        ------
        AssociationEnded
        """
        while True:
            while self._posted:
                self._posted.popleft()()
            if self._early:
                return self._early.popleft()
            event = self._next(self.idle_s if timeout_s is None else timeout_s, may_wake=True)
            if event is not Event.WOKEN:
                return self._read(event)

    def post(self, errand: Callable[[], None]) -> None:
        """Have something done on the association's thread, once it waits for a message; from any thread."""
        self._posted.append(errand)
        self.transport.wake()

    def poll(self) -> Message | None:
        """A message that has come by now, such as a C-CANCEL; other requests wait their turn in `receive`."""
        event = self._next(0, is_looking=True)
        if event is Event.TIMEOUT:
            return None
        message = self._read(event)
        if message is None:
            raise AssociationEnded("released by the peer in the middle of an operation")
        return message

    def is_cancelled(self, message_id: int) -> bool:
        """Whether a C-CANCEL for the request `message_id` has come; keeps what else has come for `receive`."""
        message = self.poll()
        if message is not None:
            self._keep(message)
        return message_id in self._cancelled

    def next_response(self, timeout_s: float) -> Message | None:
        """A response to one of our requests, or None when it takes longer; keeps what else comes for `receive`."""
        deadline = time.monotonic() + timeout_s
        while True:
            for place, message in enumerate(self._early):
                if message.command.is_response:
                    del self._early[place]
                    return message
            event = self._next(max(deadline - time.monotonic(), 0), is_looking=True)
            if event is Event.TIMEOUT:
                return None
            come = self._read(event)
            if come is None:
                raise AssociationEnded("released by the peer before it had answered")
            self._keep(come)

    def _keep(self, message: Message) -> None:
        if message.command.field == C_CANCEL:
            self._cancelled.add(message.command.number("MessageIDBeingRespondedTo"))
            return
        if len(self._early) >= _EARLY_MESSAGES_MAX:
            raise self.fail("more messages than the association's window takes", _PROVIDER, _UNEXPECTED)
        self._early.append(message)

    def later(self, is_done: Callable[[], bool], answer: Callable[[], None]) -> None:
        """Keep an operation under way while others come in: `answer` runs on this thread once `is_done`, see `wake`.

        Waits first while as many are under way as the window has.
        """
        self._pending.append(_Pending(is_done, answer))
        while self.window[0] and len(self._pending) >= self.window[0]:
            self._answer_done()
            if len(self._pending) < self.window[0]:
                break
            self.transport.wait_woken(self.idle_s)

    def _answer_done(self) -> None:
        for _ in range(len(self._pending)):
            pending = self._pending.popleft()
            if pending.is_done():
                pending.answer()
            else:
                self._pending.append(pending)

    def _read(self, event: Event) -> Message | None:
        if event is Event.COMMAND:
            return self._message()
        if event is not Event.PDU:
            raise self.fail(f"{event.name} without a command", _PROVIDER, _UNEXPECTED)
        kind = self.transport.reader.pdu_type
        body = self.transport.reader.take_pdu()
        if kind == RELEASE_RQ:
            self._finish_pending()
            self._put(lambda: self.transport.send_pdu(release_pdu(RELEASE_RP)))
            self._end(_CLOSING_S)
            return None
        self._stop(kind, body, "within an association")

    def _stop(self, kind: int, body: bytes, where: str) -> NoReturn:
        """A-ABORT, or a PDU that has no place there (PS3.8 9.2.3: AA-3, AA-8)."""
        if kind == ABORT:
            self._end(0)
            raise AssociationEnded(f"aborted by the peer {where} (source {body[2:3].hex()}, reason {body[3:4].hex()})")
        raise self.fail(f"PDU of type {kind} {where}", _PROVIDER, _UNEXPECTED)

    def _next(self, timeout_s: float, *, is_looking: bool = False, may_wake: bool = False) -> Event:
        while True:
            self._answer_done()
            left = self.started + self.total_s - time.monotonic()
            if left <= 0:
                raise self.fail(f"it is older than {self.total_s:g} s", _USER, 0)
            event = self.transport.receive(min(timeout_s, left))
            if event is Event.WOKEN and may_wake and self._posted:
                return event
            if event is Event.WOKEN:
                continue
            if event in (Event.TIMEOUT, Event.MORE) and is_looking:
                return Event.TIMEOUT
            if event is Event.MORE or (event is Event.TIMEOUT and left < timeout_s):
                continue  # slow, or at the end of its time
            if event is Event.TIMEOUT and self._pending:
                continue  # silent because it waits for us
            if event is Event.TIMEOUT:
                raise self.fail(f"nothing came for {timeout_s:g} s", _USER, 0)
            if event is Event.CLOSED:
                self._end(0)
                raise AssociationEnded("the connection was closed")
            if event is Event.BAD:
                reader = self.transport.reader
                raise self.fail(reader.fault, _PROVIDER, reader.fault_reason)
            return event

    def _message(self) -> Message:
        reader = self.transport.reader
        context = self.contexts.get(reader.context_id)
        if context is None:
            raise self.fail(f"message in presentation context {reader.context_id}, which was not accepted",
                            _PROVIDER, _INVALID)  # fmt: skip
        try:
            command = Command.parse(reader.take_command())
        except MalformedDataSet as error:
            raise self.fail(str(error), _PROVIDER, _INVALID) from error
        if not command.is_response:
            self._cancelled.discard(command.message_id)  # it has begun anew
            self.performed[command.name] = self.performed.get(command.name, 0) + 1
        message = Message(context, command)
        if command.has_data_set:
            is_kept = command.field == C_STORE and self.intake is not None
            intake = self.intake if is_kept else None
            prefix = intake.prefix(self, context, command) if intake else b""
            reader.expect_data(prefix)
            self.transport.bytes_in -= len(prefix)  # it comes back with the data set
            self._take_data(message, intake)
        return message

    def _take_data(self, message: Message, intake: Intake | None) -> None:
        """The data set of `message`; what cannot be kept is read to its end all the same, for the answer to make sense."""
        length = ignored = 0
        try:
            while True:
                if ignored > _IGNORED_BYTES_MAX:
                    raise self.fail(f"a data set that does not end ({message.error})", _USER, 0)
                event = self._next(self.idle_s)
                if event is Event.PDU:
                    self._stop(
                        self.transport.reader.pdu_type, self.transport.reader.take_pdu(), "in the middle of a data set"
                    )
                piece = self.transport.reader.take_data()
                length += len(piece)
                if event is Event.DATA and message.spool is None and message.error is None:
                    message.data = piece
                elif message.error is None:
                    self._spool(message, intake, piece, length)
                else:
                    ignored += len(piece)
                if event is Event.DATA:
                    self.transport.bytes_in += length
                    return
        except BaseException:
            if message.spool is not None:
                message.spool.abort()
            raise

    def _spool(self, message: Message, intake: Intake | None, piece: memoryview, length: int) -> None:
        try:
            if intake is None:
                raise TooLarge(f"the identifier of {message.command.name}", length, _IDENTIFIER_BYTES_MAX, "")
            if message.spool is None:
                message.spool = intake.open_spool(self)
            message.spool.write(piece)
        except (EngineError, OSError) as error:
            message.error = error
            if message.spool is not None:
                message.spool.abort()
                message.spool = None

    # -- what goes

    def send(self, context_id: int, command: Command, data: Buffer | Iterable[Buffer] | None = None) -> None:
        """One message; an iterator's pieces are asked for as they go. Raises AssociationEnded when the peer does not take it.

        An EngineError of the iterator passes through, after the association was aborted.
        """
        parts = [data] if isinstance(data, (bytes, bytearray, memoryview)) else () if data is None else data
        raw = command.with_data_set(isinstance(parts, Iterator) or bool(parts)).encode()
        if command.is_response and command.status not in (0, 0xFF00, 0xFF01) and command.status & 0xF000 != 0xB000:
            self.failures += 1
        try:
            self._put(lambda: self.transport.send_message(context_id, raw, parts))
        except EngineError:
            self.abort()  # half of the data set is with the peer
            raise
        if self.account is not None and command.is_response:
            self.account.answered(self, command)

    def respond(self, message: Message, status: int, data: Buffer | Sequence[Buffer] | None = None, *,
                comment: str = "", **more: int | str | tuple[int, ...] | None) -> None:  # fmt: skip
        """The response to `message`, in its context."""
        self.send(message.context.id, message.command.response(status, comment=comment, **more), data)

    def next_message_id(self) -> int:
        self._last_message_id = self._last_message_id % 0xFFFF + 1
        return self._last_message_id

    def context_for(self, abstract_syntax: str, transfer_syntaxes: Sequence[str] = ()) -> PresentationContext | None:
        """An accepted context in which we are the SCU, with the first of `transfer_syntaxes` that has one; or any."""
        mine = [one for one in self.contexts.values() if one.abstract_syntax == abstract_syntax and one.is_scu]
        if not transfer_syntaxes:
            return mine[0] if mine else None
        by_syntax = {one.transfer_syntax: one for one in reversed(mine)}
        return next((by_syntax[uid] for uid in transfer_syntaxes if uid in by_syntax), None)

    # -- the end

    def release(self) -> None:
        """Ask for the end and wait for the answer; of the requestor."""
        if not self.is_open:
            return
        with contextlib.suppress(AssociationEnded):
            self._put(lambda: self.transport.send_pdu(release_pdu(RELEASE_RQ)))
            while True:
                event = self._next(_CLOSING_S)
                if event is Event.PDU:
                    kind = self.transport.reader.pdu_type
                    self.transport.reader.take_pdu()
                    if kind == RELEASE_RQ:  # both at once (PS3.8 7.2.2): answer, then wait for the other answer
                        self._put(lambda: self.transport.send_pdu(release_pdu(RELEASE_RP)))
                        continue
                    break
                if event is Event.COMMAND:
                    # Too late to be answered.
                    if Command.parse(self.transport.reader.take_command()).has_data_set:
                        self.transport.reader.expect_data(b"")
                else:
                    self.transport.reader.take_data()
        self._end(0)

    def abort(self, source: int = _USER, reason: int = 0) -> None:
        """Say so, and close."""
        if self.is_open:
            with contextlib.suppress(OSError):
                self.transport.send_pdu(abort_pdu(source, reason))
            self._end(_CLOSING_S if not self.is_requestor else 0)

    def shut(self) -> None:
        """End it from another thread: its own thread gets AssociationEnded."""
        self.transport.shut()

    def fail(self, reason: str, source: int, code: int) -> AssociationEnded:
        """Abort; gives the exception to raise."""
        self.abort(source, code)
        return AssociationEnded(reason)

    def _finish_pending(self) -> None:
        while self._pending:
            self._answer_done()
            if self._pending:
                self.transport.wait_woken(self.idle_s)

    def _put(self, send: Callable[[], None]) -> None:
        try:
            send()
        except OSError as error:
            self._end(0)
            raise AssociationEnded(f"the peer does not take what is sent ({error})") from error

    def _end(self, wait_s: float) -> None:
        if self.is_open:
            self.is_open = False
            if wait_s:
                self.transport.wait_closed(wait_s)
            self.transport.close()
