"""What surrounds a frame in another form: the same bytes for the same frame, form and kind of body every time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.archive.records import InstanceRecord
from engine.dicom.transfer_syntax import lookup
from engine.stream.beginnings import HTJ2K, has_beginnings
from engine.stream.frame_size import Small, WantedSize, Whole
from engine.stream.jpegls_frames import JPEG_LS, JPEG_LS_TYPE
from engine.stream.transcoding import possible_frames
from engine.web.errors import warning
from engine.web.frame_answer import CACHING, stored_kind
from engine.web.multipart import boundary_for, closing, content_type, part_head
from engine.web.negotiate import AS_STORED, MediaRange
from engine.web.ranges import ACCEPTED

_WHOLE = Whole()


@dataclass(frozen=True, slots=True)
class Form:
    """What a frame is wanted as."""

    name: str
    media_type: str
    size: WantedSize = _WHOLE
    is_lossy: bool = False


FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        Form("htj2k", HTJ2K),
        Form("htj2kThumbnail", HTJ2K, Small()),
        Form("jls", JPEG_LS_TYPE),
        Form("jlsThumbnail", JPEG_LS_TYPE, Small()),
        Form("lossy", JPEG_LS_TYPE, is_lossy=True),
    )
}


@dataclass(frozen=True, slots=True)
class FormAnswer:
    """`head` and `tail` are empty where a frame comes bare."""

    etag: str
    content_type: str
    head: bytes
    tail: bytes
    extra: Mapping[str, str]

    @property
    def headers(self) -> dict[str, str]:
        """Of an answer whose length is known."""
        return {"Content-Type": self.content_type, **self.extra, **ACCEPTED, "ETag": self.etag}


def is_possible(record: InstanceRecord, form: Form) -> bool:
    """Whether the header allows the frames a form; what is stored with a loss is not lost again."""
    if form.is_lossy and not lookup(record.transfer_syntax_uid).is_lossless:
        return False
    if form.media_type == JPEG_LS_TYPE:
        is_coded = stored_kind(record)[1] == JPEG_LS_TYPE or JPEG_LS in possible_frames(record)
        return is_coded and (isinstance(form.size, Whole) or has_beginnings(record))
    return has_beginnings(record)


def range_for(ranges: tuple[MediaRange, ...], media_type: str) -> MediaRange | None:
    """The client's best alternative for a form: one that covers its media type, or takes any transfer syntax.

    cornerstone3D asks every address for ``application/octet-stream`` with the transfer syntax ``*``.
    """
    for wanted in ranges:
        takes_any = AS_STORED in wanted.transfer_syntaxes and not wanted.refuses(media_type)
        if takes_any or wanted.covers(media_type):
            return wanted
    return None


def etag_of(record: InstanceRecord, index: int, form: Form, media_type: str, wanted: MediaRange) -> str:
    """Known before the frame is made."""
    return f'"{boundary_for("form", record.data_set_sha256.hex(), index + 1, form, media_type, wanted.takes_parts)}"'


def form_answer(
    record: InstanceRecord,
    index: int,
    form: Form,
    wanted: MediaRange,
    transfer_syntax_uid: str,
    halvings: int = 0,
    near: int = 0,
) -> FormAnswer:
    """What stands around a frame that has come out as this.

    Parameters
    ----------
    halvings : how often its sides are halved.
    near : the largest difference of its values from the stored ones.
    """
    media_type = lookup(transfer_syntax_uid).media_type
    etag = etag_of(record, index, form, media_type, wanted)
    boundary = etag.strip('"')
    part_type = f"{media_type}; transfer-syntax={transfer_syntax_uid}"
    extra = dict(CACHING)
    if not isinstance(form.size, Whole):
        extra["X-Decode-Level"] = str(halvings)
    if near:
        extra["Warning"] = warning(f"lossy: a value differs by {near} at most from the stored one")
    if not wanted.takes_parts:
        return FormAnswer(etag, part_type, b"", b"", extra)
    head, tail = part_head(boundary, part_type), b"\r\n" + closing(boundary)
    return FormAnswer(etag, content_type(media_type, boundary), head, tail, extra)
