"""What the head of a JPEG or JPEG-LS frame says of itself (ITU-T T.81 B.2.2, T.87 C.2.2)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.codec.base import stored_dtype
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame

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
    body_at: int


def probe_jpeg(descriptor: FrameDescriptor, data: memoryview) -> CodeStream:
    """Read marker segments up to the frame header; `BadFrame` when there is none, or it contradicts the descriptor."""
    at, adobe, jfif = 2, -1, False
    uid = descriptor.transfer_syntax_uid
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
            check_claims(descriptor, rows, columns, samples, bits)
            ids = body[6 : 6 + 3 * samples : 3]
            return CodeStream(rows, columns, samples, bits, marker, jfif, adobe, ids, at + 2 + length)
        at += 2 + length
    raise BadFrame(uid, "no frame header")


def has_end(stream: CodeStream, data: memoryview) -> bool:
    """Whether an EOI marker stands behind the frame header; inside entropy-coded data none can (T.81 F.1.2.3)."""
    tail = bytes(data[-32:]).rstrip(b"\x00")
    return tail.endswith(_EOI) or bytes(data[stream.body_at :]).rfind(_EOI) >= 0


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
