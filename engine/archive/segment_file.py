"""Reading one segment from end to end: its members in order, whole ones only; where the last good one ends."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from engine.archive.member import BLOCK, END, HEADER_BYTES, SEALED, MemberHeader, parse_header
from engine.archive.ports import MemberMeta, StoredMember
from engine.limits import MIB
from engine.types import Location


def segment_path(folder: Path, segment: int) -> Path:
    return folder / f"{segment:06d}.tar"


def segment_numbers(folder: Path) -> list[int]:
    return sorted(int(path.stem) for path in folder.glob("*.tar") if path.stem.isdigit())


def sealed_end(fd: int) -> int | None:
    """Where the sealing member of a sealed segment begins; None for one that is still open."""
    at = os.fstat(fd).st_size - len(END) - HEADER_BYTES
    if at < 0:
        return None
    header = parse_header(os.pread(fd, HEADER_BYTES, at))
    return at if header is not None and header.content == SEALED else None


def read_members(fd: int, segment: int, start: int, *, check_hashes: bool, may_skip: bool) -> Iterator[StoredMember]:
    """Members from `start` (a header's place) on.

    Parameters
    ----------
    check_hashes : give only members whose bytes have the hashes of their header (an open segment's tail may be torn).
    may_skip : behind damage, look for the next header; otherwise stop there.
    """
    at, size = start, os.fstat(fd).st_size
    if check_hashes and not at and not any(os.pread(fd, HEADER_BYTES, 0)):
        # A spool whose header was never written, so nothing in it was acknowledged. What looks like a member further on
        # is part of what its sender sent, and may be meant to look so.
        return
    while at + HEADER_BYTES <= size:
        header = parse_header(os.pread(fd, HEADER_BYTES, at))
        if (
            header is None
            or at + HEADER_BYTES + header.size > size
            or not (not check_hashes or is_whole(fd, at, header))
        ):
            if not may_skip:
                return
            at = _next_header(fd, at + BLOCK, size)
            continue
        if header.content == SEALED:
            return
        if not isinstance(header.content, str):
            yield StoredMember(Location(segment, at + HEADER_BYTES, header.size), header.content, at + header.end)
        at += header.end


def is_whole(fd: int, at: int, header: MemberHeader) -> bool:
    """Whether the bytes behind the header at `at` are the ones that it was written for."""
    if not isinstance(header.content, MemberMeta):
        return True
    meta, start = header.content, at + HEADER_BYTES
    split = start + min(meta.data_set_offset, header.size)
    return (
        hash_range(fd, start, split) == meta.header_sha256
        and hash_range(fd, split, start + header.size) == meta.data_set_sha256
    )


def hash_range(fd: int, start: int, stop: int) -> bytes:
    """SHA-256 of the bytes from `start` to `stop`; never more than 1 MiB in memory."""
    digest = hashlib.sha256()
    while start < stop:
        piece = os.pread(fd, min(MIB, stop - start), start)
        if not piece:
            break
        digest.update(piece)
        start += len(piece)
    return digest.digest()


def _next_header(fd: int, at: int, size: int) -> int:
    """The next place that looks like a header of ours, `size` when there is none. Headers stand on 512-byte borders."""
    while at < size:
        piece = os.pread(fd, MIB, at)
        found = piece.find(b"PaxHeaders/voxcast")
        while found >= 0 and (at + found) % BLOCK:
            found = piece.find(b"PaxHeaders/voxcast", found + 1)
        if found >= 0:
            return at + found
        at += MIB  # MIB and `at` are multiples of 512, so no header straddles two pieces
    return size
