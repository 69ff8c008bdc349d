"""What surrounds frames in an answer (PS3.18 10.4.1.1.6, 8.7.3): the same bytes for the same frames every time."""

from __future__ import annotations

from dataclasses import dataclass

from engine.archive.records import InstanceRecord
from engine.dicom.frame_table import FrameTableKind
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, lookup
from engine.stream.frames import is_native
from engine.web.multipart import boundary_for, closing, content_type, part_head
from engine.web.negotiate import AS_STORED, FrameChoice, MediaRange, choose_frames
from engine.web.ranges import ACCEPTED

CACHING = {"Cache-Control": "private, no-cache", "Vary": "Accept"}


@dataclass(frozen=True, slots=True)
class FrameAnswer:
    """Headers, and what stands around the frames.

    Attributes
    ----------
    head : before each frame; empty where one comes bare.
    tail : behind the last frame.
    spans : start and length in the stored stream of each frame, where all of them are sent as they lie there.
    """

    etag: str
    content_type: str
    head: bytes
    tail: bytes
    spans: tuple[tuple[int, int], ...] | None

    @property
    def headers(self) -> dict[str, str]:
        """Of an answer whose length is known."""
        return {"Content-Type": self.content_type, "ETag": self.etag, **ACCEPTED, **CACHING}


def quick_choice(record: InstanceRecord, ranges: tuple[MediaRange, ...]) -> FrameChoice | None:
    """How to answer when the client's first wish is what is stored, which needs no look at what else there might be."""
    return choose_frames(ranges[:1], *stored_kind(record), ())


def frame_answer(record: InstanceRecord, frames: str, indexes: list[int], choice: FrameChoice) -> FrameAnswer:
    """The answer to a request for the list `frames`, whose 0-based indexes are there."""
    if choice.is_as_stored:
        uid, media_type = stored_kind(record)
    else:
        uid = choice.transfer_syntax_uid
        media_type = lookup(uid).media_type
    identity = (record.data_set_sha256.hex(), frames, uid)
    etag = f'"{boundary_for("etag", *identity, choice.is_multipart)}"'
    part_type = f"{media_type}; transfer-syntax={uid}"
    found = [_span(record, index, choice.transfer_syntax_uid) for index in indexes]
    whole = [span for span in found if span is not None]
    spans = tuple(whole) if len(whole) == len(found) else None
    if not choice.is_multipart:
        return FrameAnswer(etag, part_type, b"", b"", spans)
    boundary = boundary_for("frames", *identity)
    head, tail = part_head(boundary, part_type), b"\r\n" + closing(boundary)
    return FrameAnswer(etag, content_type(media_type, boundary), head, tail, spans)


def stored_kind(record: InstanceRecord) -> tuple[str, str]:
    """Transfer syntax and media type of the frames as they are stored (what `FrameService.stored` gives)."""
    uid = record.transfer_syntax_uid
    is_deflated = record.frame_table is not None and record.frame_table.kind is FrameTableKind.DEFLATED
    if uid == IMPLICIT_VR_LITTLE_ENDIAN or is_deflated:
        uid = EXPLICIT_VR_LITTLE_ENDIAN
    return uid, lookup(uid).media_type


def _span(record: InstanceRecord, index: int, wanted_uid: str) -> tuple[int, int] | None:
    """Start and length of a frame that is sent as it lies in the stored stream; None where it is in fragments or changed."""
    table = record.frame_table
    is_untouched = wanted_uid == AS_STORED or (wanted_uid == EXPLICIT_VR_LITTLE_ENDIAN and is_native(record, index))
    if table is None or not is_untouched or table.kind is FrameTableKind.DEFLATED:
        return None
    span = table[index]
    return (span.offset, span.length) if span.fragment_count <= 1 else None
