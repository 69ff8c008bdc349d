"""Instances and frames in another transfer syntax than the stored one, without loss; each frame is one hop to an executor."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.archive.renditions.pack import FrameKind, Pack, PackFrame
from engine.archive.renditions.shelf import Shelf
from engine.codec.encoding.registry import ENCODERS
from engine.codec.recode import Recoder, can_recode
from engine.codec.rendition import encoder_name
from engine.codec.transcode import Transcoding
from engine.dicom.frame import FrameDescriptor
from engine.dicom.instance import StoredInstance
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN
from engine.errors import NoPixels
from engine.executors import Executors
from engine.limits import Limits
from engine.metrics import Metrics
from engine.stream.frames import FrameService
from engine.stream.work import on_pool
from engine.types import Buffer, Timings

# One coder writes all three (`encoding.registry`), so the code stream in a pack is each of them.
HTJ2K_SYNTAXES = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203))


def possible(record: InstanceRecord) -> tuple[str, ...]:
    """Transfer syntaxes that an instance's frames can be given in without loss, Explicit VR Little Endian first."""
    return () if record.frame_descriptor is None else _possible(record.frame_descriptor)


def possible_frames(record: InstanceRecord) -> tuple[str, ...]:
    """The same for single frames, whose reader goes by the header as it is stored.

    Coders want values at the bottom of their cells; a header that has them elsewhere would be wrong of what they give.
    """
    d = record.frame_descriptor
    if d is None or d.high_bit == d.bits_stored - 1:
        return possible(record)
    return (EXPLICIT_VR_LITTLE_ENDIAN,) if EXPLICIT_VR_LITTLE_ENDIAN in possible(record) else ()


def can_give(record: InstanceRecord, transfer_syntax_uid: str) -> bool:
    """Whether an instance can be given in a transfer syntax without loss.

    One without pixels can be asked for in any, and comes in Explicit VR Little Endian: the others are about pixels.
    """
    if record.frame_descriptor is not None:
        return transfer_syntax_uid in _possible(record.frame_descriptor)
    return transfer_syntax_uid in ENCODERS


@lru_cache(maxsize=128)
def _possible(descriptor: FrameDescriptor) -> tuple[str, ...]:
    return tuple(uid for uid in ENCODERS if can_recode(descriptor, uid))


async def recoded_frame(
    service: FrameService,
    executors: Executors,
    limits: Limits,
    metrics: Metrics,
    record: InstanceRecord,
    frame_index: int,
    transfer_syntax_uid: str,
    timings: Timings,
) -> bytes:
    """One frame in another transfer syntax; HTJ2K as the series' pack has it, without coding anything, where there is one.

    Raises
    ------
    NoPixels, FrameNotFound, CorruptInstance, UnsupportedTransferSyntax, UnsupportedPixels, BadFrame, TooLarge
    """
    if record.frame_descriptor is None or record.frame_table is None:
        raise NoPixels(record.sop_instance_uid)
    descriptor, first_bit = record.frame_descriptor, record.frame_table[frame_index].first_bit
    if transfer_syntax_uid in HTJ2K_SYNTAXES:
        shelf = service.decoded.shelf
        ready = await on_pool(executors.read, "read", timings, lambda: rendition_bytes(shelf, record, frame_index))
        if ready is not None:
            timings.note("rendition", "sent as it is")
            metrics.add("rendition_hits")
            return ready
        service.decoded.asking.ask(record.study_instance_uid, record.series_instance_uid)
    # Byte ranges of one frame come one behind the other, and its pack later: it is coded once for them.
    form = "htj2k" if transfer_syntax_uid in HTJ2K_SYNTAXES else transfer_syntax_uid
    key = ("coded", record.location, frame_index, form)
    kept = service.coded.get(key)
    if kept is not None:
        timings.note("coded", "for a request before")
        return kept

    async def coded() -> bytes:
        body = (await service.stored(record, frame_index, timings)).body

        def work() -> bytes:
            recoder = Recoder(descriptor, transfer_syntax_uid, limits)
            with timings.step("decode"):
                values = recoder.decode(frame_index, body, first_bit)
            metrics.add("frames_decoded")
            with timings.step("encode"):
                return recoder.encode(frame_index, values)

        made = await on_pool(executors.decode, "", timings, work)
        service.coded.put(key, made, len(made))
        return made

    return await service.flight.run(key, coded)


def rendition_bytes(shelf: Shelf, record: InstanceRecord, frame_index: int) -> bytes | None:
    """What `recoded_frame` would make of a frame in HTJ2K, out of the pack of its series; None where that has it not."""
    found = rendition_of(shelf, record, frame_index)
    return None if found is None else bytes(found[0].code_stream(found[1]))  # read from the disk here, not on the loop


def rendition_of(
    shelf: Shelf, record: InstanceRecord, frame_index: int, *, is_open_only: bool = False
) -> tuple[Pack, PackFrame] | None:
    """Where the code stream of a frame is that `recoded_frame` would make; None where the pack of its series has it not.

    The same bytes: one entity tag stands for both. A pack of another encoder has others, and code streams that keep what
    lies beyond Bits Stored are not what the header describes. `is_open_only` as for `Shelf.find`.
    """
    found = shelf.frame_of(record, frame_index, is_open_only=is_open_only)
    if found is None or found[1].kind is not FrameKind.MADE:
        return None
    pack, frame = found
    descriptor = record.frame_descriptor
    if pack.encoder != encoder_name() or descriptor is None or frame.bits != descriptor.bits_stored:
        return None
    return found


class Outgoing:
    """One instance on its way out in another transfer syntax: `prepare`, then `pieces`, then `close` whatever happened.

    Between two frames others have their turn, and a client that has gone ends it there. In memory are one frame while it
    is worked on, and 1 MiB of what is done.

    Attributes
    ----------
    length, transfer_syntax_uid : of the Part 10 stream that comes; known behind `prepare`.
    """

    def __init__(
        self,
        archive: Archive,
        executors: Executors,
        limits: Limits,
        metrics: Metrics,
        record: InstanceRecord,
        transfer_syntax_uid: str,
        timings: Timings,
    ) -> None:
        self._archive, self._executors, self._limits, self._record = archive, executors, limits, record
        self._metrics, self._counted = metrics, 0
        self._timings, self.transfer_syntax_uid = timings, transfer_syntax_uid
        self.length = 0
        self._work: Transcoding | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    async def prepare(self) -> None:
        """Everything that can go wrong with the instance's header, first frame or compressed frames.

        Raises
        ------
        UnsupportedTransferSyntax, UnsupportedPixels, BadFrame, MalformedDataSet, TruncatedDataSet, TooLarge, CorruptInstance
        """
        record, archive = self._record, self._archive

        def open_it() -> Transcoding:
            source = StoredInstance(
                record, record.location.length, lambda at, size: archive.read(record, at, size), self._limits
            )
            return Transcoding(source, self.transfer_syntax_uid, self._limits)

        work = self._work = await on_pool(self._executors.read, "read", self._timings, open_it)
        self.transfer_syntax_uid = work.transfer_syntax_uid
        frame = 0
        steps = work.steps()
        while True:
            await self._warm(frame)
            if await self._next(steps) is None:
                break
            frame += 1
        self.length = work.length

    async def pieces(self) -> AsyncIterator[Buffer]:
        """The Part 10 stream, at most 1 MiB at a time."""
        assert self._work is not None
        pieces = self._work.pieces()
        while (piece := await self._next(pieces)) is not None:
            assert not isinstance(piece, int)
            yield piece

    def close(self) -> None:
        """Give up the file of what is done; a step that still runs does so when it ends. Harmless a second time."""
        self._is_closed = True
        if self._work is not None and self._lock.acquire(blocking=False):
            try:
                self._work.close()
            finally:
                self._lock.release()

    async def _next(self, steps: Iterator[Buffer] | Iterator[int]) -> Buffer | int | None:
        work = self._work
        assert work is not None
        pool, step = (self._executors.read, "read") if work.is_copy else (self._executors.decode, "transcode")

        def one() -> Buffer | int | None:
            with self._lock:
                try:
                    return None if self._is_closed else next(steps, None)
                finally:
                    self._metrics.add("frames_decoded", work.decoded_count - self._counted)
                    self._counted = work.decoded_count
                    if self._is_closed:
                        work.close()

        return await on_pool(pool, step, self._timings, one)

    async def _warm(self, frame_index: int) -> None:
        """A slow disk must not hold up a decode: what is not in memory is brought there by the threads that wait for disks."""
        table, archive = self._record.frame_table, self._archive
        if table is None or frame_index >= len(table):
            return
        span = table[frame_index]
        at = span.offset + max(0, span.length - 1)
        if at >= self._record.location.length or archive.read_cached(self._record, at, 1) is not None:
            return
        await on_pool(
            self._executors.read, "read", self._timings, lambda: archive.read(self._record, span.offset, span.length)
        )
