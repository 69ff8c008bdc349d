"""What stands around the members of a zip file that is sent as it is made: stored, never compressed (APPNOTE 6.3, ISO 21320-1).

A member's size is known before it is sent, so the length of the whole file is too. What is larger or more than 32 or 16 bits
hold goes into the Zip64 fields, and only then.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

_U16, _U32 = 0xFFFF, 0xFFFF_FFFF
_PLAIN, _ZIP64 = 20, 45  # "version needed to extract"
_BY_UNIX = 3 << 8
_FILE_MODE = 0o100644 << 16
_HAS_DESCRIPTOR = 0x0008
_LOCAL, _DESCRIPTOR, _CENTRAL, _END = b"PK\3\4", b"PK\7\x08", b"PK\1\2", b"PK\5\6"
_END64, _LOCATOR64 = b"PK\6\6", b"PK\6\7"
_EXTRA64 = 0x0001


@dataclass(frozen=True, slots=True)
class ZipMember:
    """One file.

    Attributes
    ----------
    name : ASCII, with ``/`` between folders.
    modified_ns : Unix time.
    is_late : its CRC-32 is known only when its bytes have been sent, and stands behind them. A reader that does not have the
        whole file yet cannot tell where such a member ends.
    """

    name: str
    length: int
    modified_ns: int
    is_late: bool = False


def head(member: ZipMember, crc32: int) -> bytes:
    """What stands in front of a member's bytes: as long whatever its CRC-32 is, which is not looked at where it comes late."""
    name = member.name.encode("ascii")
    is_large = member.length >= _U32
    crc32, size = (0, 0) if member.is_late else (crc32, member.length)
    extra = struct.pack("<HHQQ", _EXTRA64, 16, size, size) if is_large else b""
    small = _U32 if is_large else size
    fixed = struct.pack(
        "<HHHIIIIHH",
        _ZIP64 if is_large else _PLAIN,
        member.is_late * _HAS_DESCRIPTOR,
        0,
        _dos_time(member.modified_ns),
        crc32,
        small,
        small,
        len(name),
        len(extra),
    )
    return _LOCAL + fixed + name + extra


def tail(member: ZipMember, crc32: int) -> bytes:
    """What stands behind a member's bytes: its CRC-32 where that comes late, else nothing."""
    if not member.is_late:
        return b""
    return _DESCRIPTOR + struct.pack("<IQQ" if member.length >= _U32 else "<III", crc32, member.length, member.length)


def directory(members: Sequence[tuple[ZipMember, int]]) -> bytes:
    """The end of the file: the central directory of all members, in their order, with the CRC-32 of each."""
    entries: list[bytes] = []
    at = 0
    for member, crc32 in members:
        entries.append(_entry(member, at, crc32))
        at += len(head(member, 0)) + member.length + len(tail(member, 0))
    central, count = b"".join(entries), len(entries)
    size, end = len(central), b""
    if count >= _U16 or size >= _U32 or at >= _U32:
        end = _END64 + struct.pack("<QHHIIQQQQ", 44, _BY_UNIX | _ZIP64, _ZIP64, 0, 0, count, count, size, at)
        end += _LOCATOR64 + struct.pack("<IQI", 0, at + size, 1)
    few = min(count, _U16)
    return central + end + _END + struct.pack("<HHHHIIH", 0, 0, few, few, min(size, _U32), min(at, _U32), 0)


def _entry(member: ZipMember, offset: int, crc32: int) -> bytes:
    name = member.name.encode("ascii")
    large: list[int] = []
    if member.length >= _U32:
        large += [member.length, member.length]
    if offset >= _U32:
        large.append(offset)
    extra = struct.pack(f"<HH{len(large)}Q", _EXTRA64, 8 * len(large), *large) if large else b""
    needed = _ZIP64 if large else _PLAIN
    small = min(member.length, _U32)
    return b"".join(
        (
            _CENTRAL,
            struct.pack("<HHHHI", _BY_UNIX | needed, needed, member.is_late * _HAS_DESCRIPTOR, 0, _dos_time(member.modified_ns)),
            struct.pack("<IIIHHHHHII", crc32, small, small, len(name), len(extra), 0, 0, 0, _FILE_MODE, min(offset, _U32)),
            name,
            extra,
        )
    )  # fmt: skip


def _dos_time(unix_ns: int) -> int:
    """Date and time as MS-DOS has them, in UTC: two seconds are its unit, 1980 to 2107 its years."""
    t = time.gmtime(unix_ns / 1e9)
    if not 1980 <= t.tm_year <= 2107:
        return 0x0021_0000  # 1 January 1980
    return (
        ((t.tm_year - 1980) << 9 | t.tm_mon << 5 | t.tm_mday) << 16
        | t.tm_hour << 11
        | t.tm_min << 5
        | min(t.tm_sec, 59) // 2
    )
