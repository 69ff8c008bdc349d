"""What an instance holds that is a file of its own: a document or a video, and where its bytes lie in the stored stream."""

from __future__ import annotations

from dataclasses import dataclass

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.dicom import encapsulated_document as document
from engine.dicom.video_container import HEAD_BYTES, media_type_of_stream
from engine.stream.video import fragments, is_stream


@dataclass(frozen=True, slots=True)
class Content:
    """A file inside an instance.

    Attributes
    ----------
    media_type : lower case; empty for a video in a form that nobody has a name for.
    spans : offset and length in the Part 10 stream, one after the other; or the bytes, where those stored are deflated.
    """

    media_type: str
    spans: tuple[tuple[int, int], ...] | bytes


def content_of(archive: Archive, record: InstanceRecord) -> Content | None:
    """The document or the video of an instance; None for every other. Waits for the disk.

    Raises
    ------
    CorruptInstance, MalformedDataSet
    """
    if is_stream(record):
        return _video(archive, record)
    return document_of(archive, record) if document.is_document(record.sop_class_uid) else None


def document_of(archive: Archive, record: InstanceRecord) -> Content | None:
    """The value of Encapsulated Document (0042,0011), whatever the instance's class; None without one."""
    found = archive.bulk_span(record, [document.ENCAPSULATED_DOCUMENT])
    if found is None:
        return None
    said = archive.bulk_value(record, [document.MIME_TYPE])
    declared = archive.bulk_value(record, [document.DOCUMENT_LENGTH])
    media_type = document.media_type_of(record.sop_class_uid, None if said is None else bytes(said))
    declared = None if declared is None else bytes(declared)
    if isinstance(found, bytes):
        length = document.document_length(media_type, len(found), declared, found[-1:])
        return Content(media_type, found[:length])
    start, stored = found
    last = bytes(archive.read(record, start + stored - 1, 1)) if stored else b""
    return Content(media_type, ((start, document.document_length(media_type, stored, declared, last)),))


def _video(archive: Archive, record: InstanceRecord) -> Content:
    assert record.frame_table is not None
    spans = fragments(lambda at, length: archive.read(record, at, length), record.frame_table[0])
    offset, length = spans[0]
    head = bytes(archive.read(record, offset, min(length, HEAD_BYTES)))
    return Content(media_type_of_stream(head, record.transfer_syntax_uid), tuple(spans))
