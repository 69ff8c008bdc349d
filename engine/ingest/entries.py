"""What lies in the paths of an import: plain files, members of zip and tar files, what a DICOMDIR names (PS3.10, PS3.3 F)."""

from __future__ import annotations

import errno
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from engine.errors import NotDicom, TooLarge
from engine.limits import MIB, Limits

_FREE_EXPANSION_BYTES = 64 * MIB  # small archives of very compressible test images are no bombs
_DICOMDIR_CLASS = b"1.2.840.10008.1.3.10"


@dataclass(frozen=True, slots=True)
class Entry:
    """One candidate: its name for people, and either how to open it or why it cannot be.

    `size` is -1 where only reading tells. Entries of a tar file can only be read in order, on the thread that lists them.
    """

    name: str
    size: int = -1
    path: Path | None = None
    open_stream: Callable[[], IO[bytes]] | None = None
    failure: str = ""
    skipped: str = ""


def find_entries(paths: list[Path]) -> Iterator[Entry]:
    """All candidates below `paths`, folders in order of name; what cannot be read is an entry with a `failure`."""
    for path in paths:
        if not path.exists() and not path.is_symlink():
            yield Entry(str(path), failure="there is no such file or folder")
        elif path.is_dir():
            yield from _folder(path, ())
        elif is_dicomdir(path):
            yield from _dicomdir(path)
        else:
            yield Entry(str(path), path=path)


def _folder(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Entry]:
    try:
        status = folder.stat()
        here = (status.st_dev, status.st_ino)
        if here in above:
            yield Entry(str(folder), failure="a symbolic link that leads back to a folder above it; not followed")
            return
        names = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield Entry(str(folder), failure=_reason(error))
        return
    for name in names:
        path = folder / name.name
        try:
            is_folder = name.is_dir()
            if not is_folder and not stat.S_ISREG(path.stat().st_mode):
                yield Entry(str(path), skipped="neither a file nor a folder")
                continue
        except OSError as error:
            yield Entry(str(path), failure=_reason(error))
            continue
        if is_folder:
            yield from _folder(path, (*above, here))
        elif is_dicomdir(path):
            yield Entry(str(path), skipped="a DICOMDIR; the files it names are imported themselves")
        else:
            yield Entry(str(path), path=path)


def expand(entry: Entry, limits: Limits) -> Iterator[Entry] | None:
    """The members of an entry that is a zip or tar file; None for any other file."""
    assert entry.path is not None
    try:
        with entry.path.open("rb") as file:
            head = file.read(512)
    except OSError:
        return None  # reading it as a file says why
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip(entry.path, limits)
    is_packed = head[:2] == b"\x1f\x8b" or head[:3] == b"BZh" or head[:6] == b"\xfd7zXZ\0"
    # A Part 10 preamble may look like anything, even like a tar header; its prefix decides.
    if (is_packed or head[257:262] == b"ustar") and head[128:132] != b"DICM":
        return _tar(entry.path, limits)
    return None


def is_dicomdir(path: Path) -> bool:
    """Whether this is a Media Storage Directory, by its File Meta Information (its name is only a hint)."""
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError:
        return False
    return head[128:132] == b"DICM" and _DICOMDIR_CLASS in head


def _dicomdir(path: Path) -> Iterator[Entry]:
    from pydicom import dcmread  # slow to import, and only this needs it
    from pydicom.errors import InvalidDicomError

    try:
        records = dcmread(path).get("DirectoryRecordSequence", [])
    except (InvalidDicomError, OSError, ValueError, RecursionError) as error:
        yield Entry(str(path), failure=f"the DICOMDIR cannot be read: {error}")
        return
    for record in records:
        parts = record.get("ReferencedFileID")
        if not parts:
            continue
        parts = [parts] if isinstance(parts, str) else list(parts)
        if any(part in ("", ".", "..") or "/" in part for part in parts):
            yield Entry(str(path), failure="the DICOMDIR names a file outside its folder")
            continue
        named = path.parent.joinpath(*parts)
        if named.is_file():
            yield Entry(str(named), path=named)
        else:
            yield Entry(str(named), failure="named by the DICOMDIR, but not there")


def _zip(path: Path, limits: Limits) -> Iterator[Entry]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            if len(members) > limits.archive_entries_max:
                yield Entry(str(path), failure=_too_many(len(members), limits))
                return
            for member in members:
                name = f"{path}!{member.filename}"
                if member.flag_bits & 1:
                    yield Entry(name, failure="encrypted")
                elif member.file_size > _FREE_EXPANSION_BYTES + limits.archive_expansion_max * member.compress_size:
                    yield Entry(name, failure=_bomb(limits))
                else:
                    yield Entry(name, member.file_size, open_stream=lambda m=member: archive.open(m))  # type: ignore[misc]
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        yield Entry(str(path), failure=f"a damaged zip file: {error}")


def _tar(path: Path, limits: Limits) -> Iterator[Entry]:
    allowed = _FREE_EXPANSION_BYTES + limits.archive_expansion_max * path.stat().st_size
    count = total = 0
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                count, total = count + 1, total + member.size
                name = f"{path}!{member.name}"
                if count > limits.archive_entries_max:
                    yield Entry(str(path), failure=_too_many(count, limits))
                    return
                if total > allowed:
                    yield Entry(name, failure=_bomb(limits))
                    return
                if member.isfile() and not member.name.startswith(".voxcast/"):
                    yield Entry(name, member.size, open_stream=lambda m=member: _extract(archive, m))  # type: ignore[misc]
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        yield Entry(str(path), failure=f"a damaged tar file: {error}")


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream: Any = archive.extractfile(member)
    if stream is None:
        raise NotDicom("not a regular file")
    return stream  # type: ignore[no-any-return]


def _reason(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "a symbolic link that leads to itself"
    if error.errno == errno.ENOENT:
        return "a symbolic link to nothing"
    return error.strerror or str(error)


def _too_many(count: int, limits: Limits) -> str:
    return str(TooLarge("the number of members", count, limits.archive_entries_max, "limits.archive_entries_max"))


def _bomb(limits: Limits) -> str:
    return (
        f"it unpacks to more than {limits.archive_expansion_max} times its packed size (limits.archive_expansion_max):"
        " taken for a bomb and not unpacked"
    )
