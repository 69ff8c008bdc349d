"""What a video's bit stream is, by its first bytes: a container that players know, or the bare stream (PS3.5 8.2.5 to 8.2.9)."""

from __future__ import annotations

HEAD_BYTES = 1024
_BOXES = (b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")  # ISO/IEC 14496-12 8, QuickTime
_SYNC = 0x47
_PACKET, _BLU_RAY_PACKET = 188, 192  # ISO/IEC 13818-1 2.4.3.2; with four bytes of time before it
_PACKETS = 4
_HEVC = ("1.2.840.10008.1.2.4.107", "1.2.840.10008.1.2.4.108")


def media_type_of_stream(head: bytes, transfer_syntax_uid: str) -> str:
    """Media type of a bit stream, lower case; empty for one that is nothing known.

    Parameters
    ----------
    head : its first `HEAD_BYTES`, or all of it.
    """
    if head[4:8] in _BOXES:
        return "video/quicktime" if head[4:12] == b"ftypqt  " else "video/mp4"
    if _is_transport(head, _PACKET, 0) or _is_transport(head, _BLU_RAY_PACKET, 4):
        return "video/mp2t"
    if head.startswith((b"\0\0\1\xba", b"\0\0\1\xb3")):  # pack or sequence header of MPEG-1 and MPEG-2
        return "video/mpeg"
    if head.startswith((b"\0\0\1", b"\0\0\0\1")):  # ITU-T H.264 annex B, H.265 annex B
        return "video/h265" if transfer_syntax_uid in _HEVC else "video/h264"
    return ""


def _is_transport(head: bytes, size: int, at: int) -> bool:
    marks = head[at : at + size * _PACKETS : size]
    return len(marks) > 1 and all(mark == _SYNC for mark in marks)
