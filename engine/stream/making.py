"""The pack of a series, made: every frame decoded, encoded, decoded again and compared before any of it is published.

Frame by frame, so that whoever does it can stop between two; what an older pack of the series has is taken over.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass

from engine.archive.archive import Archive
from engine.archive.index import series_key
from engine.archive.records import InstanceRecord, SeriesSummary
from engine.archive.renditions.pack import COARSE_SIDE, CoarseKind, FrameKind, Pack, PackFrame, PackInstance
from engine.archive.renditions.shelf import Shelf
from engine.archive.renditions.supply import cells_of
from engine.archive.renditions.writing import PackWriter
from engine.codec.approximate import Approximating
from engine.codec.base import DecodedFrame
from engine.codec.registry import PATIENT_DECODERS, decode_frame
from engine.codec.rendition import (
    encoder_name,
    halvings_of,
    kept_ends,
    make_rendition,
    smaller_picture,
    why_not,
)
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import FrameTableKind
from engine.dicom.instance import StoredInstance
from engine.errors import EngineError, SeriesNotFound, TooLarge, UnsupportedPixels
from engine.limits import Limits
from engine.metrics import Metrics
from engine.types import Buffer

_LOG = logging.getLogger(__name__)
_NOTHING = PackFrame(FrameKind.STORED, 0, 0, (), 0, 0, 0, "", "", CoarseKind.NONE, 0, 0)


@dataclass(frozen=True, slots=True)
class Step:
    """One frame is done: made, or settled in another way."""

    done: int
    is_made: bool
    pack_bytes: int


class SeriesMaker:
    """Makes the packs of one archive, one at a time; one thread.

    Attributes
    ----------
    encoder : what they are made with; another one would make others.
    """

    def __init__(self, archive: Archive, shelf: Shelf, limits: Limits, metrics: Metrics) -> None:
        self._archive, self._shelf, self._limits, self._metrics = archive, shelf, limits, metrics
        self.encoder = encoder_name()

    def make(self, study_uid: str, series_uid: str, used_ns: int) -> Generator[Step, None, None]:
        """Make the pack of a series; published when this has come to its end, nothing of it before (nor if it is closed).

        Parameters
        ----------
        used_ns : how soon it leaves again (`Shelved.used_ns`); packs not used since then may leave for it.

        Raises
        ------
        SeriesNotFound
        TooLarge : there is no room for it within ``limits.rendition_bytes_max``.
        OSError : the disk does not take it.
        """
        series = self._archive.series(study_uid, series_uid)
        old = self._shelf.find(study_uid, series_uid)
        writer = self._shelf.begin(study_uid, series_uid, self.encoder)
        if writer is None:
            return
        try:
            yield from self._frames(series, old, writer)
            if not self._shelf.make_room(writer.length, used_ns):
                budget = self._limits.rendition_bytes_max
                raise TooLarge("the pack of renditions", writer.length, budget, "limits.rendition_bytes_max")
            size = writer.publish(series.version, series.instance_count, used_ns)
        finally:
            writer.abandon()
        self._shelf.published(size)
        self._metrics.add("renditions_made")
        try:
            self._archive.series(study_uid, series_uid)
        except SeriesNotFound:  # deleted meanwhile: what was deleted is to be found nowhere
            self._shelf.remove(series_key(study_uid, series_uid))

    def give_up(self, series: SeriesSummary, reason: str, used_ns: int) -> None:
        """A pack that says only why there is nothing in it. Raises OSError."""
        writer = self._shelf.begin(series.study_instance_uid, series.series_instance_uid, self.encoder)
        if writer is not None:
            try:
                writer.leave_out(series.instance_count, reason)
                self._shelf.published(writer.publish(series.version, series.instance_count, used_ns))
            finally:
                writer.abandon()

    def _frames(self, series: SeriesSummary, old: Pack | None, writer: PackWriter) -> Iterator[Step]:
        if old is not None and old.encoder != self.encoder:
            old = None
        if old is None:
            self._archive.sweep(series)  # all of it is read now, and perhaps sent soon
        approximating = Approximating()
        for record in self._archive.walk(series.study_instance_uid, series.series_instance_uid):
            if record.frame_table is None or record.frame_descriptor is None:
                continue
            frame_count, most = len(record.frame_table), self._limits.rendition_frames_max
            if writer.frame_count + frame_count > most:
                writer.leave_out(frame_count, f"more than {most} frames in a series (limits.rendition_frames_max)")
                continue
            d = record.frame_descriptor
            writer.begin_instance(
                PackInstance(record.sop_instance_uid, record.data_set_sha256, 0, 0, d.rows, d.columns, cells_of(d))
            )
            frames = _InstanceFrames(self._archive, record, self._limits, approximating)
            for index in range(frame_count):
                kept = None if old is None else old.find(record.sop_instance_uid, record.data_set_sha256, index)
                if old is not None and kept is not None and old.is_sound(kept):
                    body: Buffer = old.code_stream(kept) if kept.kind is FrameKind.MADE else b""
                    writer.add(kept, body, old.coarse_of(kept))
                    yield Step(writer.frame_count, False, writer.length)
                    continue
                frame, code, coarse = frames.made(index)
                writer.add(frame, code, coarse)
                self._metrics.add("rendition_frames_made", frame.kind is FrameKind.MADE)
                yield Step(writer.frame_count, frame.kind is FrameKind.MADE, writer.length)


class _InstanceFrames:
    """The frames of one instance as a pack holds them."""

    def __init__(self, archive: Archive, record: InstanceRecord, limits: Limits, approximating: Approximating) -> None:
        self._approximating = approximating
        assert record.frame_table is not None
        assert record.frame_descriptor is not None
        self._table, self._descriptor, self._limits = record.frame_table, record.frame_descriptor, limits
        self._source = StoredInstance(
            record, record.location.length, lambda at, size: archive.read(record, at, size), limits
        )
        self._is_out = ""
        if record.frame_table.kind is FrameTableKind.STREAM:
            self._is_out = "a video, whose frames are no code streams of their own"
        elif record.frame_descriptor.frame_bytes > limits.rendition_frame_bytes_max:
            self._is_out = "a frame of more bytes than limits.rendition_frame_bytes_max"
        self._why_not = why_not(record.frame_descriptor)

    def made(self, index: int) -> tuple[PackFrame, Buffer, Buffer]:
        """A frame's entry, its code stream and what it begins with, these as far as they go into the pack."""
        reason, coarse = self._why_not, b""
        if self._is_out:
            return _stored(self._is_out, b""), b"", b""
        try:
            body = self._source.frame(index)
            ends = kept_ends(self._descriptor, body)
            if ends:
                return self._kept(index, body, ends)
            decoded = self._decoded(index, body)
            if reason:
                with suppress(EngineError):
                    coarse = smaller_picture(self._descriptor, decoded, COARSE_SIDE, self._limits)
                return _stored(reason, coarse), b"", coarse
            return self._encoded(body, decoded)
        except EngineError as error:
            # What cannot be decoded or represented is served as it is stored, as it always was.
            return _stored(error.what if isinstance(error, UnsupportedPixels) else str(error), coarse), b"", coarse

    def _decoded(self, index: int, body: Buffer) -> DecodedFrame:
        first_bit = self._table[index].first_bit
        return decode_frame(self._descriptor, body, self._limits, first_bit=first_bit, decoders=PATIENT_DECODERS)

    def _encoded(self, body: Buffer, decoded: DecodedFrame) -> tuple[PackFrame, Buffer, Buffer]:
        made = make_rendition(self._descriptor, decoded, self._limits)
        kind, length = _prefix(self._descriptor, made.ends)
        coarse, coarse_ends = b"", tuple[int, ...]()
        if kind is CoarseKind.OWN:
            coarse = smaller_picture(self._descriptor, decoded, COARSE_SIDE, self._limits)
        elif (
            found := self._approximating.beginning(self._descriptor, made.code_stream, made.ends, made.smaller)
        ) is not None:
            kind, coarse, coarse_ends = CoarseKind.APPROXIMATE, found.code_stream, found.ends
        frame = PackFrame(
            kind=FrameKind.MADE,
            offset=0,
            length=len(made.code_stream),
            ends=made.ends,
            crc32=0,
            bits=made.bits,
            halvings=halvings_of(self._descriptor, body, made),
            photometric_interpretation=made.photometric_interpretation,
            reason="",
            coarse_kind=kind,
            coarse_at=0,
            coarse_length=length,
            coarse_ends=coarse_ends,
        )
        return frame, made.code_stream, coarse

    def _kept(self, index: int, body: Buffer, ends: tuple[int, ...]) -> tuple[PackFrame, Buffer, Buffer]:
        """The stored bytes are a pyramid already: only where its resolutions end is noted, and what it begins with."""
        span = self._table[index]
        kind, length = _prefix(self._descriptor, ends)
        coarse: Buffer = memoryview(body)[:length]
        coarse_ends: tuple[int, ...] = ()
        if kind is CoarseKind.OWN:
            decoded = self._decoded(index, body)
            coarse = smaller_picture(self._descriptor, decoded, COARSE_SIDE, self._limits)
        elif (found := self._approximating.beginning(self._descriptor, body, ends)) is not None:
            kind, coarse, coarse_ends = CoarseKind.APPROXIMATE, found.code_stream, found.ends
        frame = PackFrame(
            kind=FrameKind.KEPT,
            offset=span.offset,
            length=len(body),
            ends=ends,
            crc32=0,
            bits=0,
            halvings=0,
            photometric_interpretation=self._descriptor.photometric_interpretation,
            reason="",
            coarse_kind=kind,
            coarse_at=0,
            coarse_length=len(coarse),
            coarse_ends=coarse_ends,
        )
        return frame, b"", coarse


def _stored(reason: str, coarse: Buffer) -> PackFrame:
    kind = CoarseKind.OWN if len(coarse) else CoarseKind.NONE
    return PackFrame(FrameKind.STORED, 0, 0, (), 0, 0, 0, "", reason, kind, 0, len(coarse))


def _prefix(descriptor: FrameDescriptor, ends: tuple[int, ...]) -> tuple[CoarseKind, int]:
    """The largest beginning that is a small picture, and its length; OWN where none is small enough, or none is one."""
    longest = max(descriptor.rows, descriptor.columns)
    last = len(ends) - 1
    small = [end for place, end in enumerate(ends) if -(-longest >> (last - place)) <= COARSE_SIDE]
    return (CoarseKind.PREFIX, small[-1]) if small else (CoarseKind.OWN, 0)
