"""Whether the head of a code stream contradicts what the header says of its colours (PS3.5 8.2.1, 8.2.4).

Decoders follow the code stream, whose encoder knew what it did (`engine/codec`); this only tells of it, so that whoever
looks for the cause of odd colours finds the instance.
"""

from __future__ import annotations

from engine.dicom.frame import FrameDescriptor

HEAD_BYTES = 4096  # tables and comments in front of a frame header are shorter, but for colour profiles
_ROOT = "1.2.840.10008.1.2.4."
# A lossless JPEG has no transformation to contradict, whatever its markers say.
_JPEG = frozenset(_ROOT + n for n in ("50", "51", "53", "55"))
_JPEG_2000 = frozenset(_ROOT + n for n in ("90", "91", "201", "202", "203"))
_SIZ, _COD, _SOT = 0x51, 0x52, 0x90
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def looked_at(d: FrameDescriptor) -> bool:
    """Whether there is anything to be told: three samples, in a code stream that can transform their colours."""
    return d.samples_per_pixel == 3 and d.transfer_syntax_uid in _JPEG | _JPEG_2000


def contradiction(d: FrameDescriptor, head: bytes) -> str:
    """What the code stream holds where the header says something else; empty where they agree, or nothing can be told.

    Parameters
    ----------
    head : the first `HEAD_BYTES` of the code stream, or all of it.
    """
    said = d.photometric_interpretation
    coded = _jpeg(head) if d.transfer_syntax_uid in _JPEG else _jpeg_2000(head)
    agrees = {
        "": True,
        "YBR": said.startswith("YBR"),
        "RGB": said == "RGB",
        "YBR_RCT": said == "YBR_RCT",
        "YBR_ICT": said == "YBR_ICT",
        "no transformation": said not in ("YBR_RCT", "YBR_ICT"),
    }
    return "" if agrees[coded] else f"{said or 'nothing'} in the header, {coded} in the code stream"


def _jpeg(head: bytes) -> str:
    """By the Adobe marker, component identifiers, JFIF and subsampling, which YCbCr alone has (T.871 6, T.872 6.5.3)."""
    if head[:2] != b"\xff\xd8":
        return ""
    at, is_jfif = 2, False
    while at + 4 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
        body = head[at + 4 : at + 2 + length]
        if marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            return {0: "RGB", 1: "YBR"}.get(body[11], "")
        if marker == 0xE0 and body[:4] == b"JFIF":
            is_jfif = True
        if marker in _FRAME_HEADERS:
            if len(body) < 15 or body[5] != 3:
                return ""
            is_subsampled = len(set(body[7:15:3])) > 1
            return "RGB" if body[6:15:3] == b"RGB" else "YBR" if is_jfif or is_subsampled else ""
        at += 2 + length
    return ""


def _jpeg_2000(head: bytes) -> str:
    start = head.find(b"\xff\x4f\xff\x51")
    at = start + 2
    while start >= 0 and at + 4 <= len(head) and head[at] == 0xFF and head[at + 1] != _SOT:
        length = int.from_bytes(head[at + 2 : at + 4], "big")
        body = head[at + 4 : at + 2 + length]
        if head[at + 1] == _COD and len(body) >= 10:
            if body[4] == 1:
                return "YBR_RCT" if body[9] == 1 else "YBR_ICT"
            return "no transformation" if body[4] == 0 else ""
        at += 2 + length
    return ""
