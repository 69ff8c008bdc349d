"""Every frame of an archive by two decoders that share no code, for `voxcast verify --decode`: where they differ, by how much."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.codec.base import Array, DecodedFrame
from engine.codec.registry import NAMES, decode_frame
from engine.codec.second_opinion import WHY_NONE, second_opinion
from engine.codec.video import decode_all
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import FrameTableKind
from engine.dicom.instance import StoredInstance
from engine.dicom.transfer_syntax import lookup
from engine.errors import EngineError, UnsupportedPixels
from engine.limits import MIB, Limits
from engine.stream.video import StoredStream
from engine.types import Buffer

_UNDER_WAY_BYTES = 256 * MIB  # of all frames that are being decoded; one larger than that is alone
_SAMPLE_BYTES = 24  # two decoded frames and what the plain decoders make on the way
_ROWS_AT_ONCE = 256
_STREAM_BYTES = 256 * 1024
_UNDESCRIBED = frozenset(("pixels-not-described", "pixel-limit", "encapsulated-without-fragments"))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two decoders make of a frame.

    Attributes
    ----------
    frame : its number from 1; 0: of all of the instance.
    frames : how many frames this speaks of.
    first, second : the decoders' names; no second one where `why_one` says why.
    difference : the largest of any sample; infinite where shape, colour space or an infinity differs.
    allowed : what is no fault: 0 where the code stream is lossless.
    problem : the frame cannot be decoded.
    why_one : a key of `WHY_NONE`, or a sentence about what is not decoded by design.
    """

    record: InstanceRecord
    frame: int
    frames: int = 1
    first: str = ""
    second: str = ""
    difference: float = 0
    allowed: int = 0
    problem: str = ""
    why_one: str = ""

    @property
    def is_different(self) -> bool:
        return self.difference > self.allowed

    @property
    def reason(self) -> str:
        """Why there is no second decoder, in words."""
        return WHY_NONE.get(self.why_one, self.why_one)


@dataclass(frozen=True, slots=True)
class _Job:
    """Frames of one instance that are decoded by one thread, one after the other."""

    record: InstanceRecord
    frames: range
    cost: int
    is_last: bool


def compare_all(archive: Archive, limits: Limits, threads: int) -> Generator[tuple[list[Comparison], int], None, None]:
    """Decode every frame of every stored version; each result with the stored bytes that are done with it.

    In the order of the index. `threads` frames are decoded at once, and not more than their memory allows.
    """
    under_way: deque[tuple[_Job, Future[list[Comparison]]]] = deque()
    cost = 0

    def oldest() -> tuple[list[Comparison], int]:
        nonlocal cost
        job, future = under_way.popleft()
        done = future.result()
        cost -= job.cost
        return done, job.record.location.length if job.is_last else 0

    pool = ThreadPoolExecutor(threads, "verify")
    try:
        for record in archive.upkeep().records():
            for job in _jobs(record):
                while under_way and (cost + job.cost > _UNDER_WAY_BYTES or len(under_way) >= 4 * threads):
                    yield oldest()
                cost += job.cost
                under_way.append((job, pool.submit(_compare, archive, job, limits)))
        while under_way:
            yield oldest()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _jobs(record: InstanceRecord) -> Iterator[_Job]:
    d, table = record.frame_descriptor, record.frame_table
    if d is None or table is None or not len(table):
        yield _Job(record, range(0), 0, True)
        return
    count, samples = len(table), d.rows * d.columns * max(1, d.samples_per_pixel)
    if table.kind is FrameTableKind.STREAM:
        yield _Job(record, range(count), samples * _SAMPLE_BYTES + _STREAM_BYTES, True)
    elif table.kind is FrameTableKind.DEFLATED:  # can only be inflated from its start, so once for all its frames
        inflated = table[count - 1].offset + table[count - 1].length
        yield _Job(record, range(count), samples * _SAMPLE_BYTES + inflated + record.location.length, True)
    else:
        for i in range(count):
            yield _Job(record, range(i, i + 1), samples * _SAMPLE_BYTES + table[i].length, i == count - 1)


def _compare(archive: Archive, job: _Job, limits: Limits) -> list[Comparison]:
    record, d = job.record, job.record.frame_descriptor
    by_design = lookup(record.transfer_syntax_uid).why_not_decoded
    if by_design:
        return [
            Comparison(record, 0, max(1, d.number_of_frames if d else 1), why_one=f"by design not decoded: {by_design}")
        ]
    if d is None or record.frame_table is None or not job.frames:
        codes = [defect.code for defect in record.defects if defect.code in _UNDESCRIBED]
        return [Comparison(record, 0, problem=f"its pixels cannot be decoded ({code})") for code in codes[:1]]
    if record.frame_table.kind is FrameTableKind.STREAM:
        return [_video(archive, record, d)]
    stored = StoredInstance(record, record.location.length, lambda at, size: archive.read(record, at, size), limits)
    done = []
    for index in job.frames:
        try:
            data = stored.frame(index)
        except (EngineError, OSError) as error:
            done.append(Comparison(record, index + 1, problem=str(error)))
        else:
            done.append(compare(record, d, index, data, limits))
    return done


def compare(
    record: InstanceRecord, descriptor: FrameDescriptor, frame_index: int, data: Buffer, limits: Limits
) -> Comparison:
    """Decode one frame twice. Any thread."""
    assert record.frame_table is not None
    first_bit, number = record.frame_table[frame_index].first_bit, frame_index + 1
    first = NAMES.get(descriptor.transfer_syntax_uid, "")
    try:
        frame = decode_frame(descriptor, data, limits, first_bit=first_bit)
    except EngineError as error:
        return Comparison(record, number, first=first, problem=str(error))
    try:
        opinion = second_opinion(descriptor, data, limits, first_bit)
    except EngineError as error:
        return Comparison(
            record, number, first=first, problem=f"{first} decodes it, the second decoder refuses: {error}"
        )
    if opinion.frame is None:
        return Comparison(record, number, first=first, why_one=opinion.why_none)
    gap = difference(frame, opinion.frame)
    return Comparison(record, number, first=first, second=opinion.decoder, difference=gap, allowed=opinion.allowed)


def difference(one: DecodedFrame, other: DecodedFrame) -> float:
    """The largest difference of a sample; infinite where the frames are not of one kind. NaN is like NaN."""
    a, b = one.stored_values, other.stored_values
    if a.shape != b.shape or one.photometric_interpretation != other.photometric_interpretation:
        return float("inf")
    rows = range(0, a.shape[0], _ROWS_AT_ONCE)
    return max((_gap(a[at : at + _ROWS_AT_ONCE], b[at : at + _ROWS_AT_ONCE]) for at in rows), default=0.0)


def _gap(a: Array, b: Array) -> float:
    if a.dtype.kind != "f" and b.dtype.kind != "f":
        return float(np.abs(a.astype(np.int64) - b.astype(np.int64)).max(initial=0))
    is_same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore", over="ignore"):
        gaps = np.abs(a[~is_same].astype(np.float64) - b[~is_same].astype(np.float64))
    return float("inf") if np.isnan(gaps).any() else float(gaps.max(initial=0))


def _video(archive: Archive, record: InstanceRecord, d: FrameDescriptor) -> Comparison:
    """Decoded once, from end to end: there is no second decoder of videos."""
    assert record.frame_table is not None
    count = len(record.frame_table)
    stream = StoredStream(lambda at, length: archive.read(record, at, length), record.frame_table[0])
    try:
        found = decode_all(d, io.BufferedReader(stream, _STREAM_BYTES))
    except UnsupportedPixels:
        return Comparison(record, 0, count, why_one="no-pyav")
    except (EngineError, OSError) as error:
        return Comparison(record, 0, count, first="FFmpeg", problem=str(error))
    if found < count:
        why = f"the bit stream has {found} frames, the header claims {count}"
        return Comparison(record, 0, count, first="FFmpeg", problem=why)
    return Comparison(record, 0, count, first="FFmpeg", why_one="video")
