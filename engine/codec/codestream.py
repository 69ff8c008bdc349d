"""What the head of a compressed frame says of itself: JPEG's SOF (ITU-T T.81 B.2.2), JPEG 2000's SIZ (T.800 A.5.1)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame

_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}  # 0xF7: JPEG-LS
_NO_LENGTH = frozenset(range(0xD0, 0xD8)) | {0x01}


@dataclass(frozen=True, slots=True)
class CodeStream:
    """Claims of the code stream; `adobe_transform` is -1 without an Adobe marker, `component_ids` are JPEG's."""

    rows: int
    columns: int
    samples: int
    bits: int
    is_signed: bool = False
    sof: int = 0
    has_jfif: bool = False
    adobe_transform: int = -1
    component_ids: bytes = b""
    has_colour_transform: bool = False  # JPEG 2000: the multiple component transformation is in use


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
            stream = CodeStream(rows, columns, samples, bits, False, marker, jfif, adobe, body[6 : 6 + 3 * samples : 3])
            return _checked(descriptor, stream)
        at += 2 + length
    raise BadFrame(uid, "no frame header")


def probe_jpeg2000(descriptor: FrameDescriptor, data: memoryview) -> CodeStream:
    """Read SIZ and COD, also behind the boxes of a JP2 file that should not be there but often is."""
    head = bytes(data[:4096])
    at = head.find(b"\xff\x4f\xff\x51")
    if at < 0 or len(head) < at + 45:
        raise BadFrame(descriptor.transfer_syntax_uid, "no JPEG 2000 SIZ marker segment")
    siz = head[at + 4 :]
    x1, y1, x0, y0 = (int.from_bytes(siz[i : i + 4], "big") for i in (4, 8, 12, 16))
    samples = int.from_bytes(siz[36:38], "big")
    cod = head.find(b"\xff\x52", at)
    transform = cod >= 0 and len(head) > cod + 8 and head[cod + 8] != 0
    depth = siz[38]
    return _checked(
        descriptor,
        CodeStream(y1 - y0, x1 - x0, samples, (depth & 0x7F) + 1, bool(depth & 0x80), has_colour_transform=transform),
    )


def _checked(descriptor: FrameDescriptor, stream: CodeStream) -> CodeStream:
    """A decoder allocates what the code stream claims; it may claim no more than the header, which was checked."""
    if (stream.rows, stream.columns, stream.samples) != (
        descriptor.rows,
        descriptor.columns,
        descriptor.samples_per_pixel,
    ):
        raise BadFrame(
            descriptor.transfer_syntax_uid,
            f"the code stream has {stream.rows}×{stream.columns} pixels of {stream.samples} samples, the header "
            f"{descriptor.rows}×{descriptor.columns} of {descriptor.samples_per_pixel}",
        )
    return stream
