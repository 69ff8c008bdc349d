"""The beginning of a frame's HTJ2K code stream, which is the frame in a smaller size (T.800 B.12.1.3, T.814; PS3.5 8.2.14)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.archive.records import InstanceRecord
from engine.codec.rendition import HTJ2K_RPCL, kept_ends
from engine.dicom.frame import FrameDescriptor
from engine.dicom.transfer_syntax import lookup
from engine.errors import BadFrame
from engine.executors import Executors
from engine.limits import Limits
from engine.metrics import Metrics
from engine.stream.decoded import descriptor_of
from engine.stream.frame_size import WantedSize
from engine.stream.frames import FrameService
from engine.stream.transcoding import possible_frames, recoded_frame, rendition_of
from engine.stream.work import on_pool
from engine.types import Buffer, Timings

HTJ2K = "image/jphc"


@dataclass(frozen=True, slots=True)
class Beginning:
    """Bytes that decode to the frame with its sides halved `halvings` times; 0: all of it.

    Attributes
    ----------
    halvings_max : how often the whole code stream can be halved.
    """

    body: Buffer
    transfer_syntax_uid: str
    halvings: int
    halvings_max: int


def has_beginnings(record: InstanceRecord) -> bool:
    """Whether its frames are HTJ2K, or can become it without loss."""
    return lookup(record.transfer_syntax_uid).media_type == HTJ2K or HTJ2K_RPCL in possible_frames(record)


async def beginning(
    service: FrameService,
    executors: Executors,
    limits: Limits,
    metrics: Metrics,
    record: InstanceRecord,
    frame_index: int,
    size: WantedSize,
    timings: Timings,
) -> Beginning:
    """A frame in the size that is wanted, as near as its code stream has it: from the pack, as stored, or coded now.

    The same bytes from the pack and coded now, so that ranges and entity tags of both are one. `has_beginnings` must hold.

    Raises
    ------
    NoPixels, FrameNotFound, CorruptInstance, UnsupportedTransferSyntax, UnsupportedPixels, BadFrame, TooLarge
    """
    descriptor = descriptor_of(record)
    if lookup(record.transfer_syntax_uid).media_type == HTJ2K:
        stored = await service.stored(record, frame_index, timings)
        return _cut(descriptor, stored.body, stored.transfer_syntax_uid, size)

    def from_pack() -> Beginning | None:
        found = rendition_of(service.decoded.shelf, record, frame_index)
        if found is None:
            return None
        pack, frame = found
        most = len(frame.ends) - 1
        halvings = size.halvings(descriptor.rows, descriptor.columns, most)
        # Read from the disk here, not on the event loop, and no more of it than is wanted.
        body = bytes(pack.code_stream(frame, 0, frame.ends[-1 - halvings]))
        return Beginning(body, HTJ2K_RPCL, halvings, most)

    ready = await on_pool(executors.read, "read", timings, from_pack)
    if ready is not None:
        timings.note("rendition", "sent as it is")
        metrics.add("rendition_hits")
        return ready
    made = await recoded_frame(service, executors, limits, metrics, record, frame_index, HTJ2K_RPCL, timings)
    return _cut(replace(descriptor, transfer_syntax_uid=HTJ2K_RPCL), made, HTJ2K_RPCL, size)


def _cut(descriptor: FrameDescriptor, body: Buffer, transfer_syntax_uid: str, size: WantedSize) -> Beginning:
    """2.4 µs for its markers. What cannot be read here goes out whole, as it is stored."""
    try:
        ends = kept_ends(descriptor, body)
    except BadFrame:
        ends = ()
    if len(ends) < 2:
        return Beginning(body, transfer_syntax_uid, 0, 0)
    most = len(ends) - 1
    halvings = size.halvings(descriptor.rows, descriptor.columns, most)
    return Beginning(memoryview(body)[: ends[-1 - halvings]], transfer_syntax_uid, halvings, most)
