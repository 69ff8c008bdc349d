"""One tar member of a segment: its header of fixed size, made and read (POSIX.1-2001 pax interchange format).

A member is 512 bytes of pax header, 1024 bytes of pax records, 512 bytes of ustar header, the data, zeros up to the next 512. What
voxcast adds stands in the standard ``comment`` record, padded with blanks, so the header's size is known before its
content: a large instance is streamed behind it and the header is written last. ``tar xf`` gets every image back.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from engine.archive.ports import MemberMeta, Tombstone
from engine.dicom.uid import is_valid
from engine.types import Location, Source

BLOCK = 512
HEADER_BYTES = 4 * BLOCK
_PAX_BYTES = 2 * BLOCK
_USTAR_SIZE_MAX = 8**11 - 1
_MARK = "voxcast "
_PEER_BYTES_MAX = 256
SEALED = "sealed"
END = bytes(2 * BLOCK)  # the end-of-archive marker of tar


@dataclass(frozen=True, slots=True)
class MemberHeader:
    """What the header at one place says; `content` is None for an erased member, `SEALED` for a segment's last."""

    content: MemberMeta | Tombstone | str | None
    size: int

    @property
    def end(self) -> int:
        """Bytes from the header's start to the next header."""
        return HEADER_BYTES + padded(self.size)


def padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def member_name(study_uid: str, series_uid: str, sop_uid: str, data_set_sha256: bytes, is_first: bool) -> str:
    """A path made of UIDs that PS3.5 allows; odd ones are replaced, so that nothing from the wire becomes a path."""
    parts = [
        uid if is_valid(uid) else "odd-" + hashlib.sha256(uid.encode("utf_8", "replace")).hexdigest()[:32]
        for uid in (study_uid, series_uid, sop_uid)
    ]
    version = "" if is_first else "~" + data_set_sha256.hex()[:12]
    return f"{parts[0]}/{parts[1]}/{parts[2]}{version}.dcm"


def bounded(source: Source) -> Source:
    """The source as the header has room for it."""
    peer = source.peer.encode("utf_8", "replace").decode()
    while len(json.dumps(peer)) > _PEER_BYTES_MAX:  # one character outside the BMP is twelve in JSON
        peer = peer[: len(peer) * 3 // 4]
    return Source(source.door[:16], peer, source.called.encode("ascii", "replace").decode()[:16])


def pack_header(meta: MemberMeta | Tombstone | str | None, size: int, name: str = "") -> bytes:
    """The 2048 bytes in front of `size` bytes of data."""
    match meta:
        case MemberMeta():
            note: dict[str, object] = {
                "v": 1,
                "data": meta.data_set_sha256.hex(),
                "head": meta.header_sha256.hex(),
                "at": meta.data_set_offset,
                "ns": meta.received_ns,
                "door": meta.source.door,
                "peer": meta.source.peer,
            }
            if meta.source.called:
                note["called"] = meta.source.called
            if meta.is_replacing:
                note["replaces"] = True
            name = meta.name
        case Tombstone(Location(segment, offset, length), deleted_ns):
            note = {"v": 1, "deleted": [segment, offset, length], "ns": deleted_ns}
            name = ".voxcast/tombstone"
        case None:
            note, name = {"v": 1, "erased": True}, ".voxcast/erased"
        case _:
            note, name = {"v": 1, "sealed": True}, ".voxcast/sealed"
    records = _record("size", str(size)) if size > _USTAR_SIZE_MAX else b""
    room = _PAX_BYTES - len(records)
    text = _MARK + json.dumps(note, separators=(",", ":"))
    # "NNNN comment=" + text + "\n" fills the room exactly; the length has 3 or 4 digits.
    pad = room - len(f"{room} comment={text}\n".encode())
    records += f"{room} comment={text}{' ' * pad}\n".encode()
    folder, _, base = name.rpartition("/")
    return _ustar("PaxHeaders/voxcast", "", len(records), b"x") + records + _ustar(base, folder, size, b"0")


def parse_header(block: bytes) -> MemberHeader | None:
    """The header that these 2048 bytes hold, or None: zeros, torn, or not one of ours."""
    if len(block) < HEADER_BYTES or block[156:157] != b"x" or block[257:262] != b"ustar":
        return None
    if not (_checksum_fits(block[:BLOCK]) and _checksum_fits(block[3 * BLOCK :])):
        return None
    try:
        records = _records(block[BLOCK : 3 * BLOCK])
        size = int(records["size"]) if "size" in records else int(block[3 * BLOCK + 124 : 3 * BLOCK + 135], 8)
        comment = records["comment"]
        if not comment.startswith(_MARK) or size < 0:
            return None
        return MemberHeader(_content(json.loads(comment[len(_MARK) :]), block[3 * BLOCK :]), size)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _content(note: dict[str, object], ustar: bytes) -> MemberMeta | Tombstone | str | None:
    if "erased" in note:
        return None
    if "sealed" in note:
        return SEALED
    if "deleted" in note:
        return Tombstone(Location(*note["deleted"]), int(str(note["ns"])))  # type: ignore[misc]
    base, folder = (ustar[a:b].split(b"\0")[0].decode("ascii") for a, b in ((0, 100), (345, 500)))
    return MemberMeta(
        name=f"{folder}/{base}" if folder else base,
        data_set_sha256=bytes.fromhex(str(note["data"])),
        header_sha256=bytes.fromhex(str(note["head"])),
        data_set_offset=int(str(note["at"])),
        received_ns=int(str(note["ns"])),
        source=Source(str(note["door"]), str(note["peer"]), str(note.get("called", ""))),
        is_replacing=bool(note.get("replaces", False)),
    )


def _record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n"
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length += 1
    return f"{length}{body}".encode()


def _records(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    while data:
        digits, _, _ = data.partition(b" ")
        length = int(digits)
        if not len(digits) + 1 < length <= len(data):
            raise ValueError("pax record length")
        key, _, value = data[len(digits) + 1 : length - 1].decode("utf_8").partition("=")
        found[key] = value
        data = data[length:]
    return found


def _ustar(name: str, prefix: str, size: int, kind: bytes) -> bytes:
    octal = size if size <= _USTAR_SIZE_MAX else 0  # the pax record "size" holds it then
    head = bytearray(BLOCK)
    head[0 : len(name)] = name.encode("ascii")
    head[100:108] = b"0000644\0"
    head[108:116] = head[116:124] = b"0000000\0"
    head[124:136] = b"%011o\0" % octal
    head[136:148] = b"%011o\0" % 0
    head[148:156] = b" " * 8
    head[156:157] = kind
    head[257:265] = b"ustar\x0000"
    head[345 : 345 + len(prefix)] = prefix.encode("ascii")
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def _checksum_fits(head: bytes) -> bool:
    try:
        said = int(head[148:156].rstrip(b"\0 ") or b"-1", 8)
    except ValueError:
        return False
    return said == sum(head) - sum(head[148:156]) + 8 * 0x20
