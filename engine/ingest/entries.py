"""What lies in the paths of an import: files, what is in zip and tar files, what a DICOMDIR names (PS3.10, PS3.3 F)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from engine.dicom.dicomdir import DICOMDIR_CLASS, referenced_file_ids
from engine.errors import InvalidInput
from engine.ingest.entry import Entry, text_of
from engine.ingest.packed import Kind, kind_of, tar_members, zip_members
from engine.limits import Limits

_HEAD_BYTES = 1024  # the File Meta Information of a DICOMDIR, the first block of a tar file


def find_entries(paths: list[Path], limits: Limits) -> Iterator[Entry]:
    """All candidates below `paths`, folders in order of name; what cannot be read is an entry with a `failure`."""
    for path in paths:
        try:
            mode = path.stat().st_mode
        except OSError as error:
            missing = error.errno == errno.ENOENT and not path.is_symlink()
            yield Entry(text_of(path), failure="there is no such file or folder" if missing else reason(error))
            continue
        if stat.S_ISDIR(mode):
            yield from _below(path, limits)
        elif stat.S_ISREG(mode):
            yield from _file(path, limits, is_named=True)
        else:
            yield Entry(text_of(path), failure="neither a file nor a folder")  # opening a FIFO would wait for ever


def reason(error: OSError) -> str:
    """What the operating system says, in words that help whoever looks at the folder."""
    if error.errno == errno.ELOOP:
        return "a symbolic link that leads to itself"
    if error.errno == errno.ENOENT:
        return "a symbolic link to nothing, or removed in the meantime"
    return error.strerror or str(error)


def _below(top: Path, limits: Limits) -> Iterator[Entry]:
    """Depth first, without recursion: folders nest deeper than Python's stack does."""
    # A folder, its inode and those above it as a chain: links that lead back are seen without remembering every folder.
    waiting: list[tuple[Path, _Chain]] = [(top, None)]
    while waiting:
        path, above = waiting.pop()
        try:
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                yield from _file(path, limits, is_named=False)
                continue
            if not stat.S_ISDIR(status.st_mode):
                yield Entry(text_of(path), skipped="neither a file nor a folder")
                continue
            here = (status.st_dev, status.st_ino)
            if _holds(above, here):
                yield Entry(text_of(path), failure="a symbolic link that leads back to a folder above it; not followed")
                continue
            with os.scandir(path) as found:
                names = sorted((entry.name for entry in found), reverse=True)
        except OSError as error:
            yield Entry(text_of(path), failure=reason(error))
            continue
        waiting.extend((path / name, (here, above)) for name in names)


_Chain = tuple[tuple[int, int], "_Chain"] | None


def _holds(chain: _Chain, inode: tuple[int, int]) -> bool:
    while chain is not None:
        if chain[0] == inode:
            return True
        chain = chain[1]
    return False


def _file(path: Path, limits: Limits, is_named: bool) -> Iterator[Entry]:
    """A regular file: itself, or what is in it. A DICOMDIR counts only when it was named; in a folder its files are there."""
    try:
        with path.open("rb", buffering=0) as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        yield Entry(text_of(path), failure=reason(error))
        return
    if head[128:132] == b"DICM" and DICOMDIR_CLASS.encode() in head:
        if is_named:
            yield from _dicomdir(path)
        else:
            yield Entry(text_of(path), skipped="a DICOMDIR; the files it names are imported themselves")
        return
    match kind_of(head):
        case Kind.ZIP:
            yield from zip_members(path, limits)
        case Kind.TAR:
            yield from tar_members(path, limits)
        case None:
            yield Entry(text_of(path), path=path)


def _dicomdir(path: Path) -> Iterator[Entry]:
    try:
        file_ids = referenced_file_ids(path)
        folder = path.parent.resolve()
    except (InvalidInput, OSError) as error:
        yield Entry(text_of(path), failure=f"the DICOMDIR cannot be read: {error}")
        return
    for parts in file_ids:
        # PS3.10 8.2: the components of a File ID are names below the DICOMDIR; nothing else is followed, no link either.
        is_name = all(part not in ("", ".", "..") and "/" not in part and "\0" not in part for part in parts)
        named = path.parent.joinpath(*parts) if is_name else path
        try:
            if not is_name or not named.resolve().is_relative_to(folder):
                yield Entry(text_of(path), failure="the DICOMDIR names a file outside its folder")
            elif named.is_file():
                yield Entry(text_of(named), path=named)
            else:
                yield Entry(text_of(named), failure="named by the DICOMDIR, but not there")
        except (OSError, RuntimeError):  # a name too long, or a link that leads to itself
            yield Entry(text_of(path), failure="the DICOMDIR names a file that cannot be there")
