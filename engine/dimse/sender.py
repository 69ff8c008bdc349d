"""Storage SCU: instances over one association, as stored where the peer takes that (PS3.4 annex B)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from enum import StrEnum

from engine.codec.encoding.base import LOSSLESS
from engine.codec.encoding.registry import ENCODERS
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from engine.dimse.association import Association, AssociationEnded
from engine.dimse.command import C_STORE, RESPONSE, Command, request
from engine.dimse.outgoing import WHOLE_BYTES_MAX, Converted, Outgoing
from engine.errors import EngineError, Unsupported
from engine.limits import Limits
from engine.types import Buffer

CONTEXTS_MAX = 128  # odd numbers below 256 (PS3.8 9.3.2.2)
WINDOW = 16  # operations that we propose to invoke at once
_UNLIMITED = 0
_LOOK_EVERY_S = 0.25
_FALLBACK = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
# For who takes nothing else, as requestors of C-GET may.
_COMPRESSED = tuple(uid for uid, one in ENCODERS.items() if uid not in _FALLBACK and not one.is_lossy(LOSSLESS))
_PRIORITIES = {"medium": 0, "high": 1, "low": 2}  # PS3.7 9.3.1.1
_SUCCESS, _ALREADY_THERE = 0x0000, 0x0111
_WARNINGS = (0x0001, 0x0107, 0x0116)  # and all of Bxxx
# Failures that the next time may not be: the peer's disk is full, or something went wrong on its side.
_PROCESSING_FAILURE, _RESOURCE_LIMITATION = 0x0110, 0x0213
_MEANING = {
    0x0110: "processing failure",
    0x0117: "invalid SOP instance",
    0x0122: "SOP class not supported",
    0x0124: "not authorized",
    0x0213: "resource limitation",
}

Kind = tuple[str, str]  # SOP class and stored transfer syntax


class Fate(StrEnum):
    """What has become of an instance."""

    TAKEN = "taken"
    LATER = "later"  # the peer could not take it now
    REFUSED = "refused"  # the peer will not take it, or it cannot be given as the peer wants it


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one instance.

    Attributes
    ----------
    status : of the peer's response; -1 where it was not sent.
    reason : in words; empty for success, the warning where it was taken with one.
    """

    fate: Fate
    status: int = -1
    reason: str = ""


def kind_of(instance: Outgoing) -> Kind:
    return instance.sop_class_uid, instance.transfer_syntax_uid


def contexts_for(kinds: Iterable[Kind], *, transcode: bool = True) -> list[tuple[str, Sequence[str]]]:
    """What to propose: each SOP class as stored, and in the uncompressed syntaxes beside that; may be more than `CONTEXTS_MAX`."""
    contexts: dict[tuple[str, tuple[str, ...]], None] = {}
    for sop_class, stored in kinds:
        contexts[sop_class, (stored,)] = None
        others = tuple(one for one in _FALLBACK if one != stored)
        if transcode:
            contexts[sop_class, others] = None
    return list(contexts)


def within_contexts(instances: list[Outgoing], transcode: bool) -> Iterator[list[Outgoing]]:
    """The instances in parts whose contexts one association has room for; almost always one."""
    part: list[Outgoing] = []
    kinds: set[Kind] = set()
    for instance in instances:
        kind = kind_of(instance)
        if kind not in kinds and len(contexts_for({*kinds, kind}, transcode=transcode)) > CONTEXTS_MAX:
            yield part
            part, kinds = [], set()
        part.append(instance)
        kinds.add(kind)
    if part:
        yield part


def fate_of(status: int) -> Fate:
    """What a status of C-STORE means for the instance (PS3.4 table B.2-1, PS3.7 annex C)."""
    if status in (_SUCCESS, _ALREADY_THERE, *_WARNINGS) or status & 0xF000 == 0xB000:
        return Fate.TAKEN
    if status & 0xFF00 == 0xA700 or status in (_PROCESSING_FAILURE, _RESOURCE_LIMITATION):
        return Fate.LATER
    return Fate.REFUSED


class Sender:
    """Sends over an association that was made with `contexts_for`; on its thread.

    Parameters
    ----------
    transcode : what the peer does not take as stored may be converted, without loss.

    Attributes
    ----------
    unanswered : sent, and not answered when the association ended; nobody knows what has become of these.
    bytes_sent : of data sets.
    """

    def __init__(self, association: Association, limits: Limits, *, transcode: bool = True) -> None:
        self._association, self._limits, self._transcode = association, limits, transcode
        self.unanswered: deque[tuple[int, Outgoing]] = deque()
        self.bytes_sent = 0
        window = association.window[1]
        self._window = WINDOW if window == _UNLIMITED else min(window, WINDOW)

    def send(
        self,
        instances: Iterable[Outgoing],
        *,
        priority: str = "medium",
        originator: tuple[str, int] | None = None,
        waiting: Callable[[], None] = lambda: None,
    ) -> Iterator[tuple[Outgoing, Outcome]]:
        """Send these; each with its outcome, in the order in which that is known.

        Parameters
        ----------
        instances : asked for one at a time, while those before are on their way. They are read on a thread beside.
        originator : AE title and message ID of the C-MOVE that this is a sub-operation of (PS3.4 C.4.2.2).
        waiting : called now and then while the peer takes its time.

        Raises
        ------
        AssociationEnded
        """
        coming, ahead = iter(instances), _Ahead(self._prepare)
        try:
            ahead.begin(next(coming, None))
            while True:
                if ahead.is_busy and len(self.unanswered) < self._window:
                    prepared = ahead.take(waiting)
                    # What comes next is read and hashed while this one goes out and the peer is busy with it.
                    ahead.begin(next(coming, None))
                    if isinstance(prepared, tuple):
                        yield prepared
                        continue
                    failure = self._put(prepared, priority, originator, waiting)
                    if failure is not None:
                        yield prepared.instance, failure
                        raise AssociationEnded(f"an instance could not be sent to its end: {failure.reason}")
                    continue
                if not self.unanswered:
                    return
                yield self._answer(waiting)
        finally:
            ahead.close()

    def _prepare(self, instance: Outgoing) -> _Ready | tuple[Outgoing, Outcome]:
        """Choose the context, and have what is to be sent; the outcome where it cannot be."""
        stored, association = instance.transfer_syntax_uid, self._association
        reason = f"the peer does not take {instance.sop_class_uid} as {stored}"
        try:
            context = association.context_for(instance.sop_class_uid, (stored,))
            if context is not None:
                small = instance.length <= WHOLE_BYTES_MAX
                data = instance.data_set()
                return _Ready(instance, context.id, list(data) if small else data)
            for other in (*_FALLBACK, *_COMPRESSED) if self._transcode else ():
                context = association.context_for(instance.sop_class_uid, (other,))
                if context is None:
                    continue
                try:
                    converted = Converted(instance, other, self._limits)
                except Unsupported as error:
                    reason += f", and it cannot be converted ({error})"
                    continue
                return _Ready(instance, context.id, converted.data_set(), converted)
        except (EngineError, OSError) as error:
            reason = str(error)
        return instance, Outcome(Fate.REFUSED, reason=reason)

    def _put(
        self, one: _Ready, priority: str, originator: tuple[str, int] | None, waiting: Callable[[], None]
    ) -> Outcome | None:
        """Send it; the outcome where it turned out, half sent, that it cannot be."""
        association, message_id = self._association, self._association.next_message_id()
        command = request(
            C_STORE,
            message_id,
            AffectedSOPClassUID=one.instance.sop_class_uid,
            AffectedSOPInstanceUID=one.instance.sop_instance_uid,
            Priority=_PRIORITIES[priority],
            MoveOriginatorApplicationEntityTitle=originator[0] if originator else None,
            MoveOriginatorMessageID=originator[1] if originator else None,
        )
        self.unanswered.append((message_id, one.instance))
        try:
            # Who has asked for a C-MOVE hears of a large one on its own association; nothing can be said in the midst of a C-GET's.
            is_watched = originator is not None and isinstance(one.data, Iterator)
            association.send(one.context_id, command, _watched(one.data, waiting) if is_watched else one.data)
        except EngineError as error:
            self.unanswered.pop()
            return Outcome(Fate.REFUSED, reason=str(error))
        finally:
            one.close()
        self.bytes_sent += one.instance.length
        return None

    def _answer(self, waiting: Callable[[], None]) -> tuple[Outgoing, Outcome]:
        """Wait for the next response."""
        association = self._association
        deadline = time.monotonic() + association.idle_s
        while (message := association.next_response(_LOOK_EVERY_S)) is None:
            if time.monotonic() > deadline:
                raise association.fail(f"nothing came for {association.idle_s:g} s", 0, 0)
            waiting()
        command = message.command
        answered = command.number("MessageIDBeingRespondedTo", -1)
        found = next((one for one in self.unanswered if one[0] == answered), None)
        if command.field != C_STORE | RESPONSE or found is None:
            raise association.fail("the peer answers what it was not asked", 0, 0)
        self.unanswered.remove(found)
        return found[1], outcome_of(command)


def outcome_of(response: Command) -> Outcome:
    status = response.status
    if status == _SUCCESS:
        return Outcome(Fate.TAKEN, status)
    words = [f"status {status:04X}", _MEANING.get(status, ""), response.text("ErrorComment")]
    return Outcome(fate_of(status), status, ": ".join(filter(None, words)))


@dataclass(slots=True)
class _Ready:
    instance: Outgoing
    context_id: int
    data: list[Buffer] | Iterator[Buffer]
    converted: Converted | None = None

    def close(self) -> None:
        if self.converted is not None:
            self.converted.close()


class _Ahead:
    """One instance that is being prepared on a thread beside."""

    def __init__(self, prepare: Callable[[Outgoing], _Ready | tuple[Outgoing, Outcome]]) -> None:
        self._prepare, self._pool = prepare, ThreadPoolExecutor(1, thread_name_prefix="read ahead")
        self._future: Future[_Ready | tuple[Outgoing, Outcome]] | None = None

    @property
    def is_busy(self) -> bool:
        return self._future is not None

    def begin(self, instance: Outgoing | None) -> None:
        self._future = None if instance is None else self._pool.submit(self._prepare, instance)

    def take(self, waiting: Callable[[], None]) -> _Ready | tuple[Outgoing, Outcome]:
        """What `begin` was given, once it is prepared."""
        assert self._future is not None
        future, self._future = self._future, None
        try:
            while not wait((future,), _LOOK_EVERY_S).done:
                waiting()
        except BaseException:
            self._future = future
            raise
        return future.result()

    def close(self) -> None:
        """Waits for what is being prepared, and gives it up."""
        self._pool.shutdown()
        if self._future is not None and isinstance(left := self._future.result(), _Ready):
            left.close()


def _watched(data: Iterable[Buffer], watch: Callable[[], None]) -> Iterator[Buffer]:
    for piece in data:
        watch()
        yield piece
