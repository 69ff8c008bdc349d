"""Which transfer syntax a frame's media type and code stream stand for (PS3.18 tables 8.7.3-5 and 10.5.2-1)."""

from __future__ import annotations

from engine.dicom.transfer_syntax import TABLE

OCTET_STREAM = "application/octet-stream"
HEAD_BYTES = 64 * 1024  # of a code stream; application segments of a JPEG may stand in front of what tells
# No transfer syntax holds them: they become native pixels (PS3.18 table 10.5.2-1).
TRANSFORMED = frozenset(("image/gif", "image/png"))
_ITEM = b"\xfe\xff\x00\xe0"
_SYNONYMS = {
    "image/jpg": "image/jpeg",
    "image/x-jls": "image/jls",
    "image/x-dicom-rle": "image/dicom-rle",
    "image/jhc": "image/jphc",
    "image/j2c": "image/jp2",
    "video/mpeg": "video/mpeg2",
}
_ROOT = "1.2.840.10008.1.2"
# Where nothing in the stream tells: those that are true of every stream of the type.
_OF_TYPE = {
    "image/dicom-rle": _ROOT + ".5",
    "image/jxl": _ROOT + ".4.112",
    "image/jpx": _ROOT + ".4.93",
    "video/mpeg2": _ROOT + ".4.101",
    "video/mp4": _ROOT + ".4.102",
}
# SOF0 to 3, and SOF55 of JPEG-LS. What is progressive has a retired syntax only, and is what cameras and browsers write.
_JPEG_FRAMES = {0xC0: ".4.50", 0xC1: ".4.51", 0xC2: ".4.55", 0xC3: ".4.57", 0xF7: ".4.80"}
_J2K = b"\xff\x4f\xff\x51"
_STARTS = {
    **dict.fromkeys(("image/jpeg", "image/jls"), (b"\xff\xd8",)),
    # PS3.5 8.2.4 wants the code stream alone; files that have boxes around it exist, and are kept as they are.
    **dict.fromkeys(("image/jp2", "image/jpx", "image/jphc"), (_J2K, b"\0\0\0\x0cjP  ")),
}


def transfer_syntax_of(media_type: str, said: str, head: bytes) -> str:
    """UID of the transfer syntax that a frame is in; "" for native pixels.

    Parameters
    ----------
    media_type, said : of the part, and its ``transfer-syntax`` parameter; "" where it has none.
    head : the first `HEAD_BYTES` of the part.

    Raises
    ------
    ValueError : they contradict each other, or are not a frame's at all; the text says how.
    """
    media_type = _SYNONYMS.get(media_type, media_type)
    if said in TABLE and not TABLE[said].is_encapsulated:
        if media_type != OCTET_STREAM:
            raise ValueError(f"{media_type[:40]} is not native pixels, as its transfer syntax {said} is")
        return ""
    if not said and media_type == OCTET_STREAM:
        return ""
    if head.startswith(_ITEM):
        raise ValueError("a part is a sequence of fragments; each frame must be a part of its own, without delimiters")
    if not head.startswith(_STARTS.get(media_type, b"")):
        raise ValueError(f"a part is no code stream of {media_type}")
    if said:
        known = TABLE.get(said)
        if known is None:
            raise ValueError(f"transfer syntax {said[:64]} is not known")
        if known.media_type != media_type and media_type != OCTET_STREAM:
            raise ValueError(f"{media_type[:40]} does not go with transfer syntax {said}")
        return said
    found = _told(media_type, head) or _OF_TYPE.get(media_type, "")
    if not found:
        raise ValueError(f"{media_type[:40]} is no media type of frames, or needs a transfer-syntax parameter")
    return found


def _told(media_type: str, head: bytes) -> str:
    if media_type in ("image/jpeg", "image/jls"):
        return _jpeg(head)
    if media_type in ("image/jp2", "image/jphc"):
        is_reversible = _is_reversible(head)
        if media_type == "image/jphc":
            return _ROOT + (".4.201" if is_reversible else ".4.203")
        return _ROOT + (".4.90" if is_reversible else ".4.91")
    return ""


def _jpeg(head: bytes) -> str:
    """By the frame header and, of lossless ones, the scan header (ISO/IEC 10918-1 B.2, 14495-1 C.2)."""
    frame = ""
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
            continue
        length = int.from_bytes(head[at + 2 : at + 4], "big")
        if marker in _JPEG_FRAMES:
            frame = _JPEG_FRAMES[marker]
        elif marker == 0xDA:
            # Behind the components: the predictor (lossless JPEG), or NEAR (JPEG-LS).
            scan = head[at + 4 : at + 2 + length]
            if len(scan) < 4:
                return ""
            value = scan[-3]
            if frame == ".4.57" and value == 1:
                frame = ".4.70"
            if frame == ".4.80" and value:
                frame = ".4.81"
            return _ROOT + frame if frame else ""
        at += 2 + length
    return ""


def _is_reversible(head: bytes) -> bool:
    """By the wavelet of the COD segment (ISO/IEC 15444-1 A.6.1): 1 is 5-3, reversible."""
    at = max(0, head.find(_J2K)) + 2
    while at + 4 <= len(head) and head[at] == 0xFF:
        if head[at + 1] == 0x52:
            return head[at + 13 : at + 14] == b"\x01"
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return False
