"""File Meta Information for data sets that came without (C-STORE): the outside of a Part 10 file (PS3.10 section 7.1)."""

from __future__ import annotations

import struct

# Root of our UIDs is 2.25 with a fixed number; the class UID names this program, not an organisation.
IMPLEMENTATION_CLASS_UID = "2.25.315917263504712981563489120975612003417"
IMPLEMENTATION_VERSION_NAME = "VOXCAST_0_1"


def _element(tag: int, vr: bytes, value: bytes, pad: bytes) -> bytes:
    if len(value) % 2:
        value += pad
    if vr == b"OB":
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def file_meta(
    *, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source_ae_title: str = ""
) -> bytes:
    """Preamble, prefix and File Meta Information; the data set's bytes go right behind.

    The same arguments always give the same bytes.
    """
    elements = [
        _element(0x00020001, b"OB", b"\x00\x01", b"\0"),
        _element(0x00020002, b"UI", sop_class_uid.encode(), b"\0"),
        _element(0x00020003, b"UI", sop_instance_uid.encode(), b"\0"),
        _element(0x00020010, b"UI", transfer_syntax_uid.encode(), b"\0"),
        _element(0x00020012, b"UI", IMPLEMENTATION_CLASS_UID.encode(), b"\0"),
        _element(0x00020013, b"SH", IMPLEMENTATION_VERSION_NAME.encode(), b" "),
    ]
    if source_ae_title:
        elements.append(_element(0x00020016, b"AE", source_ae_title.encode("ascii", "replace"), b" "))
    body = b"".join(elements)
    return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(body)) + body
