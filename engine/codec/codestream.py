"""What the head of a JPEG or JPEG-LS frame says of itself (ITU-T T.81 B.2.2, T.87 C.2.2)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.codec.base import stored_dtype
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame
from engine.types import Buffer

_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}  # 0xF7: JPEG-LS
_NO_LENGTH = frozenset(range(0xD0, 0xD8)) | {0x01}
_EOI = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class CodeStream:
    """Claims of the code stream.

    Attributes
    ----------
    sof : second byte of the marker of the frame header; it says which process the entropy-coded data are of.
    adobe_transform : -1 without an Adobe marker.
    component_ids : one byte each.
    is_subsampled : components have not all the same size, as chrominance may and RGB never does.
    body_at : the first byte behind the frame header.
    """

    rows: int
    columns: int
    samples: int
    bits: int
    sof: int
    has_jfif: bool
    adobe_transform: int
    component_ids: bytes
    is_subsampled: bool
    body_at: int


def probe_jpeg(descriptor: FrameDescriptor, data: memoryview) -> CodeStream:
    """Read marker segments up to the frame header; `BadFrame` when there is none, or it contradicts the descriptor."""
    stream = read_jpeg(descriptor.transfer_syntax_uid, data)
    check_claims(descriptor, stream.rows, stream.columns, stream.samples, stream.bits)
    return stream


def read_jpeg(uid: str, data: memoryview) -> CodeStream:
    """As `probe_jpeg`, of what may be anything; `uid` is for the text of an error."""
    at, adobe, jfif = 2, -1, False
    if bytes(data[:2]) != b"\xff\xd8":
        raise BadFrame(uid, "no SOI marker at the start")
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at += 1
            continue
        marker = data[at + 1]
        if marker == 0xFF or marker in _NO_LENGTH:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        body = bytes(data[at + 4 : at + 2 + min(length, 64)])
        if marker == 0xE0 and body[:4] == b"JFIF":
            jfif = True
        elif marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        elif marker in _SOF and len(body) >= 6:
            bits, samples = body[0], body[5]
            rows, columns = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            ids, factors = body[6 : 6 + 3 * samples : 3], body[7 : 6 + 3 * samples : 3]
            is_subsampled = len(set(factors)) > 1
            return CodeStream(rows, columns, samples, bits, marker, jfif, adobe, ids, is_subsampled, at + 2 + length)
        at += 2 + length
    raise BadFrame(uid, "no frame header")


def has_end(stream: CodeStream, data: memoryview) -> bool:
    """Whether an EOI marker stands behind the frame header; inside entropy-coded data none can (T.81 F.1.2.3)."""
    tail = bytes(data[-32:]).rstrip(b"\x00")
    return tail.endswith(_EOI) or bytes(data[stream.body_at :]).rfind(_EOI) >= 0


def scan_header(data: Buffer) -> bytes:
    """What stands in the first SOS marker segment (T.81 B.2.3, T.87 C.2.3): component count, two bytes each, three more.

    Empty where there is none. The marker is looked for from marker to marker, so it is none inside a table.
    """
    view, at = memoryview(data), 2
    while at + 4 <= len(view):
        marker = view[at + 1]
        if view[at] != 0xFF or marker == 0xFF or marker in _NO_LENGTH:
            at += 1
            continue
        length = int.from_bytes(view[at + 2 : at + 4], "big")
        if marker == 0xDA:
            body = bytes(view[at + 4 : at + 2 + length])
            return body if body and len(body) == 4 + 2 * body[0] else b""
        at += 2 + length
    return b""


def point_transform(data: Buffer) -> int:
    """By how many bits a lossless encoder has shifted its samples down (Al of the scan header)."""
    return (scan_header(data) or b"\0")[-1] & 0x0F


def check_claims(descriptor: FrameDescriptor, rows: int, columns: int, samples: int, bits: int) -> None:
    """A decoder allocates what the code stream claims; it may claim no more than the header, which was checked."""
    d = descriptor
    if (rows, columns, samples) != (d.rows, d.columns, d.samples_per_pixel):
        raise BadFrame(
            d.transfer_syntax_uid,
            f"the code stream has {rows}×{columns} pixels of {samples} samples, the header "
            f"{d.rows}×{d.columns} of {d.samples_per_pixel}",
        )
    if bits > 8 * stored_dtype(d).itemsize:
        raise BadFrame(d.transfer_syntax_uid, f"samples of {bits} bits where {d.bits_allocated} are allocated")
