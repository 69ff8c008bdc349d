"""Size and depth of a video, by its file's sample description or its sequence header (ISO/IEC 14496-12 8.5.2, 13818-2 6.2.2)."""

from __future__ import annotations

import io
from typing import BinaryIO

from engine.dicom.coded_pixels import PixelClaims
from engine.errors import BadFrame, UnsupportedPixels

_MAIN_10 = "1.2.840.10008.1.2.4.108"
_HEAD_BYTES = 64 * 1024
_BOXES_MAX = 1000  # on the way to the sample description
_WITHIN = {b"moov": b"trak", b"trak": b"mdia", b"mdia": b"minf", b"minf": b"stbl", b"stbl": b"stsd"}
_SEQUENCE = b"\0\0\1\xb3"


def read_video(transfer_syntax_uid: str, source: BinaryIO) -> PixelClaims:
    """Of MP4 and QuickTime files, and of MPEG-2 streams.

    Raises
    ------
    BadFrame : nothing in it says so.
    UnsupportedPixels : a transport stream or a bare stream of H.264 or HEVC, whose size is deep in it.
    """
    head = source.read(_HEAD_BYTES)
    if head[4:8].isalpha() and not head.startswith(b"\0\0\1"):
        columns, rows = _of_file(transfer_syntax_uid, source)
    elif (at := head.find(_SEQUENCE)) >= 0 and len(head) >= at + 7:
        columns, rows = head[at + 4] << 4 | head[at + 5] >> 4, (head[at + 5] & 15) << 8 | head[at + 6]
    else:
        raise UnsupportedPixels(
            "a video that is no MP4 file and no MPEG-2 stream; the metadata must say it", "described"
        )
    bits = 10 if transfer_syntax_uid == _MAIN_10 else 8
    return PixelClaims(rows, columns, 3, bits, "YBR_PARTIAL_420")


def _of_file(uid: str, source: BinaryIO) -> tuple[int, int]:
    """Columns and rows of the first track that has some: walks moov/trak/mdia/minf/stbl/stsd."""
    source.seek(0, io.SEEK_END)
    open_boxes: list[tuple[bytes, int, int]] = [(b"", 0, source.tell())]  # kind, where its boxes begin and end
    for _ in range(_BOXES_MAX):
        while open_boxes and open_boxes[-1][1] + 8 > open_boxes[-1][2]:
            open_boxes.pop()
        if not open_boxes:
            break
        parent, at, end = open_boxes[-1]
        source.seek(at)
        head = source.read(16)
        length, kind, begin = int.from_bytes(head[:4], "big"), head[4:8], at + 8
        if length == 1:
            length, begin = int.from_bytes(head[8:16], "big"), at + 16
        stop = end if length == 0 else at + length
        if stop < begin or stop > end:
            raise BadFrame(uid, "a box of the file reaches beyond what it is in")
        open_boxes[-1] = (parent, stop, end)
        if kind == b"stsd":
            source.seek(
                begin + 8 + 8 + 24
            )  # behind version, flags and count, the first entry's head and what is reserved
            size = source.read(4)
            columns, rows = int.from_bytes(size[:2], "big"), int.from_bytes(size[2:], "big")
            if columns and rows and begin + 44 <= stop:
                return columns, rows
        elif kind == (_WITHIN.get(parent) or b"moov"):
            open_boxes.append((kind, begin, stop))
    raise BadFrame(uid, "no track of the file has a size")
