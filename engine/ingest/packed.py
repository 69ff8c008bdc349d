"""The members of zip and tar files as candidates of an import; what would unpack to too much is refused by name.

Both directories are checked before the standard library reads them: it would hold all of a zip file's directory, and the
whole text of a tar file's pax records, in memory, however large they claim to be.
"""

from __future__ import annotations

import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import IO, Any

from engine.errors import NotDicom, TooLarge
from engine.ingest.entry import Entry, text_of
from engine.limits import KIB, MIB, Limits

_FREE_EXPANSION_BYTES = 64 * MIB  # small archives of very compressible test images are no bombs
_DIRECTORY_ENTRY_MAX = 2 * KIB  # name, extra field and comment of one member; real ones have some 100 bytes
_PAX_BYTES_MAX = 1 * MIB
_PAX_TYPES = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


class Kind(Enum):
    ZIP = 1
    TAR = 2


def kind_of(head: bytes) -> Kind | None:
    """What a file that begins with these (at least 512) bytes is."""
    if head[128:132] == b"DICM":
        return None  # a Part 10 preamble may look like anything, even like a tar header; its prefix decides
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return Kind.ZIP
    is_packed = head[:2] == b"\x1f\x8b" or head[:3] == b"BZh" or head[:6] == b"\xfd7zXZ\0"
    return Kind.TAR if is_packed or head[257:262] == b"ustar" else None


def zip_members(path: Path, limits: Limits) -> Iterator[Entry]:
    """Members in the order of the directory. Their streams can be read until the next one is asked for."""
    name = text_of(path)
    try:
        with path.open("rb") as file:
            count, directory_bytes = _directory(file)
            packed_bytes = file.seek(0, 2)
            if count > limits.archive_entries_max:
                yield Entry(name, failure=_too_many(count, limits))
                return
            if directory_bytes > (count + 64) * _DIRECTORY_ENTRY_MAX:
                raise zipfile.BadZipFile(f"a directory of {directory_bytes} bytes for {count} members")
            allowed = _allowed(packed_bytes, limits)
            with zipfile.ZipFile(file) as archive:
                for member in archive.infolist():
                    if member.is_dir():
                        continue
                    label = f"{name}!{member.filename}"
                    if member.flag_bits & 1:
                        yield Entry(label, failure="encrypted")
                    elif member.file_size > _allowed(member.compress_size, limits):
                        yield Entry(label, failure=_bomb(limits))
                    elif member.file_size > allowed:  # members that overlap can each be innocent
                        yield Entry(label, failure=_bomb(limits))
                        return
                    else:
                        allowed -= member.file_size
                        yield Entry(label, member.file_size, open_stream=lambda m=member: archive.open(m))  # type: ignore[misc]
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError, struct.error) as error:
        yield Entry(name, failure=f"a damaged zip file: {error}")


def tar_members(path: Path, limits: Limits) -> Iterator[Entry]:
    """Members in order, also of a packed tar file. Their streams can be read until the next one is asked for."""
    name = text_of(path)
    count = total = 0
    try:
        allowed = _allowed(path.stat().st_size, limits)
        with tarfile.open(path, "r|*", tarinfo=_Member) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # the list of all it has met would grow without end
                count, total = count + 1, total + member.size
                label = f"{name}!{member.name}"
                if count > limits.archive_entries_max:
                    yield Entry(name, failure=_too_many(count, limits))
                    return
                if total > allowed:
                    yield Entry(label, failure=_bomb(limits))
                    return
                if member.isfile() and not member.name.startswith(".voxcast/"):
                    yield Entry(label, member.size, open_stream=lambda m=member: _extract(archive, m))  # type: ignore[misc]
                elif member.islnk() or member.issym():
                    yield Entry(label, skipped="a link; the file it leads to is imported itself")
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
        yield Entry(name, failure=f"a damaged tar file: {error}")


class _Member(tarfile.TarInfo):
    """Refuses what `tarfile` would take quietly: damage behind the first header (it ends there), pax records of gigabytes."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        if 0 < len(buf) < tarfile.BLOCKSIZE:
            raise tarfile.ReadError("it ends inside a header")
        try:
            member = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if not len(buf) or not any(buf):
                raise  # the regular end
            raise tarfile.ReadError(f"a header cannot be read ({error})") from error
        if member.type in _PAX_TYPES and member.size > _PAX_BYTES_MAX:
            raise tarfile.ReadError(f"a header of {member.size} bytes")
        return member


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream: Any = archive.extractfile(member)
    if stream is None:
        raise NotDicom("not a regular file")
    return stream  # type: ignore[no-any-return]


def _directory(file: IO[bytes]) -> tuple[int, int]:
    """Number of members and bytes of the central directory, from the end of a zip file (APPNOTE 4.3.14 to 4.3.16)."""
    size = file.seek(0, 2)
    start = max(0, size - 0xFFFF - 22 - 20)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + 22 > len(tail):
        raise zipfile.BadZipFile("it ends before its directory does")
    count, directory_bytes = struct.unpack_from("<HI", tail, at + 10)
    if at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
        file.seek(struct.unpack_from("<Q", tail, at - 20 + 8)[0])
        record = file.read(56)
        if record[:4] != b"PK\x06\x06":
            raise zipfile.BadZipFile("its Zip64 directory is not where it should be")
        count, directory_bytes = struct.unpack_from("<QQ", record, 32)
    return count, directory_bytes


def _allowed(packed_bytes: int, limits: Limits) -> int:
    return _FREE_EXPANSION_BYTES + limits.archive_expansion_max * packed_bytes


def _too_many(count: int, limits: Limits) -> str:
    return str(TooLarge("the number of members", count, limits.archive_entries_max, "limits.archive_entries_max"))


def _bomb(limits: Limits) -> str:
    return (
        f"it unpacks to more than {limits.archive_expansion_max} times its packed size (limits.archive_expansion_max):"
        " taken for a bomb and not unpacked"
    )
