"""The pack of a series, read: code streams in slice order, where their resolutions end, small first pictures.

A file, little endian, mapped by its readers; it refers to stored frames only by what they are, so it is never wrong, only
incomplete:

====================  ==================================================================================================
head, 128 bytes       `_HEAD`: magic, length of the file, version and member count of the series, where the rest is
code streams          one behind the other in slice order, each of them complete
beginnings            one blob, a code stream of its own for every frame that has one to begin with (`CoarseKind`)
frames                `_FRAME` for each
ends                  uint32: for each frame the cumulative byte ends of its resolutions, then those of its beginning
about                 JSON: the UIDs, the encoder, the instances, and the texts that frames refer to by number
====================  ==================================================================================================
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from io import FileIO
from pathlib import Path
from typing import Any

from engine.archive.linux import is_cached

MAGIC = b"VXPACK02"
HEAD_BYTES = 128
# magic, length, series version, members, frames, frames at, ends at, ends, about at, about length, coarse at, coarse
# length, CRC of the encoder's name, CRC of frames, ends and about; then the CRC of all that
_HEAD = struct.Struct("<8sQQIIQQIQIQQII")
_HEAD_CRC = struct.Struct("<I")
# offset, length, first of its ends, CRC of the code stream, coarse at, coarse length, CRC of the coarse one, kind, coarse
# kind, resolutions, resolutions of the coarse one, bits coded, halvings, reason, photometric interpretation
_FRAME = struct.Struct("<QIIIQIIBBBBBbHH")
_KIND = 7
COARSE_SIDE = 64
_LOOK_EVERY = 128 * 1024


class FrameKind(IntEnum):
    """Where the bytes of a frame are; the numbers are stored."""

    MADE = 1  # a code stream in the pack
    KEPT = 2  # the stored bytes are such a code stream themselves, at `PackFrame.offset` of the Part 10 stream
    STORED = 3  # nothing was made; `PackFrame.reason` says why


class CoarseKind(IntEnum):
    """What the small picture of a frame is; the numbers are stored."""

    NONE = 0
    PREFIX = 1  # the first bytes of the frame's own code stream: who has them asks for the rest
    OWN = 2  # a lossless code stream of every n-th pixel of every n-th row
    APPROXIMATE = 3  # a lossy code stream of the frame's smaller image, with ends of its own (`codec.approximate`)


@dataclass(frozen=True, slots=True)
class PackFrame:
    """One frame of a pack.

    Attributes
    ----------
    offset, length : of its bytes, in the pack (MADE) or in the Part 10 stream (KEPT); 0 where it is neither.
    ends : cumulative byte ends of the resolutions, the smallest first, the last one `length`; a single one where no
        beginning of the code stream is a smaller image.
    bits : Bits Stored as the code stream was made with.
    halvings : how often a decoder of the *stored* frame could halve it and get the very same values; -1 where
        it could, and would get others.
    coarse_ends : of an APPROXIMATE beginning, the byte ends of its resolutions: of the same sizes as the first of `ends`.
    """

    kind: FrameKind
    offset: int
    length: int
    ends: tuple[int, ...]
    crc32: int
    bits: int
    halvings: int
    photometric_interpretation: str
    reason: str
    coarse_kind: CoarseKind
    coarse_at: int
    coarse_length: int
    coarse_ends: tuple[int, ...] = ()
    coarse_crc32: int = 0


@dataclass(frozen=True, slots=True)
class PackInstance:
    """One instance of a pack, its frames from `first` on.

    Attributes
    ----------
    cells : Samples per Pixel, Bits Allocated, Bits Stored, High Bit, Pixel Representation and Planar Configuration.
    """

    sop_instance_uid: str
    data_set_sha256: bytes
    first: int
    frame_count: int
    rows: int
    columns: int
    cells: tuple[int, int, int, int, int, int]


class BadPack(Exception):
    """Not a pack, or not all of one; it is worth nothing then, and is made again."""


class Pack:
    """A mapped pack; any thread. What was read of it stays good when its file is deleted or replaced.

    Raises
    ------
    FileNotFoundError, OSError
    BadPack
    """

    def __init__(self, path: Path) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            status = os.fstat(fd)
            if status.st_size < HEAD_BYTES:
                raise BadPack(f"{status.st_size} bytes")
            self._map = mmap.mmap(fd, status.st_size, prot=mmap.PROT_READ)
            self._file = FileIO(fd)  # closed with the last reader, as the mapping is
        except BaseException:
            os.close(fd)
            raise
        self.path, self.identity, self.size_bytes = path, (status.st_dev, status.st_ino), status.st_size
        self._view = memoryview(self._map)
        head = bytes(self._view[: _HEAD.size])
        (
            _, length, self.version, self.instance_count, self.frame_count, self._frames_at, self._ends_at, ends,
            about_at, about_length, self._coarse_at, self._coarse_length, _, crc,
        ) = _unpack_head(head + bytes(self._view[_HEAD.size : _HEAD.size + _HEAD_CRC.size]))  # fmt: skip
        if length != status.st_size or about_at + about_length != length:
            raise BadPack(f"{status.st_size} bytes of {length}")
        if zlib.crc32(self._view[self._frames_at :]) != crc:
            raise BadPack("damaged tables")
        self._ends = array("I")
        self._ends.frombytes(self._view[self._ends_at : self._ends_at + 4 * ends])
        self._about: dict[str, Any] = json.loads(bytes(self._view[about_at : about_at + about_length]))

    @property
    def study_instance_uid(self) -> str:
        return str(self._about["study"])

    @property
    def series_instance_uid(self) -> str:
        return str(self._about["series"])

    @property
    def encoder(self) -> str:
        """What made it: another encoder would make other bytes."""
        return str(self._about["encoder"])

    @cached_property
    def instances(self) -> tuple[PackInstance, ...]:
        """In slice order as of when it was made."""
        return tuple(
            PackInstance(uid, bytes.fromhex(sha), first, count, rows, columns, tuple(cells))
            for uid, sha, first, count, rows, columns, cells in self._about["instances"]
        )

    def find(self, sop_instance_uid: str, data_set_sha256: bytes, frame_index: int) -> PackFrame | None:
        """The frame of this very instance; None where it has others, or other bytes under the same UID."""
        instance = self._by_uid.get(sop_instance_uid)
        if instance is None or instance.data_set_sha256 != data_set_sha256:
            return None
        return self[instance.first + frame_index] if 0 <= frame_index < instance.frame_count else None

    def __len__(self) -> int:
        return int(self.frame_count)

    def __getitem__(self, place: int) -> PackFrame:
        if not 0 <= place < self.frame_count:
            raise IndexError(place)
        (
            offset, length, first_end, crc, coarse_at, coarse_length, coarse_crc, kind, coarse_kind, resolutions,
            coarse_resolutions, bits, halvings, reason, photometric,
        ) = _FRAME.unpack_from(self._view, self._frames_at + place * _FRAME.size)  # fmt: skip
        first_coarse = first_end + resolutions
        return PackFrame(
            kind=FrameKind(kind),
            offset=offset,
            length=length,
            ends=tuple(self._ends[first_end:first_coarse]),
            crc32=crc,
            bits=bits,
            halvings=halvings,
            photometric_interpretation=self._about["texts"][photometric],
            reason=self._about["texts"][reason],
            coarse_kind=CoarseKind(coarse_kind),
            coarse_at=coarse_at,
            coarse_length=coarse_length,
            coarse_ends=tuple(self._ends[first_coarse : first_coarse + coarse_resolutions]),
            coarse_crc32=coarse_crc,
        )

    @cached_property
    def is_all_made(self) -> bool:
        """Whether every frame of the series is a code stream in here: nothing else need be read."""
        frames = self._view[self._frames_at : self._frames_at + self.frame_count * _FRAME.size]
        kinds = {entry[_KIND] for entry in _FRAME.iter_unpack(frames)}
        return kinds == {FrameKind.MADE} and not self._about["left_out"]

    def instance_at(self, place: int) -> PackInstance:
        """The instance that a frame belongs to."""
        return self.instances[bisect_right(self._firsts, place) - 1]

    def code_stream(self, frame: PackFrame, start: int = 0, end: int | None = None) -> memoryview:
        """Bytes `start` to `end` of a MADE frame: no copy, read from the disk when they are looked at."""
        end = frame.length if end is None else min(end, frame.length)
        return self._view[frame.offset + start : frame.offset + end]

    def place_of(self, frame: PackFrame) -> tuple[FileIO, int]:
        """The open file, and where in it a MADE frame begins: the kernel can send it without a copy."""
        return self._file, frame.offset

    def offsets(self) -> array[int]:
        """Of each frame, where in the file it begins; -1 for one that is not MADE. 0.3 ms for 1 000 frames."""
        frames = self._view[self._frames_at : self._frames_at + self.frame_count * _FRAME.size]
        return array("q", (one[0] if one[_KIND] == FrameKind.MADE else -1 for one in _FRAME.iter_unpack(frames)))

    @property
    def file(self) -> FileIO:
        """The open file, for who reads it past the mapping."""
        return self._file

    @property
    def coarse_at(self) -> int:
        """Where in the file the beginnings begin (`coarse`)."""
        return int(self._coarse_at)

    def is_sound(self, frame: PackFrame) -> bool:
        """Whether a frame's bytes in here are what was written; 0.1 ms for 200 KB."""
        if frame.coarse_kind is not CoarseKind.NONE and zlib.crc32(self.coarse_of(frame)) != frame.coarse_crc32:
            return False
        return frame.kind is not FrameKind.MADE or zlib.crc32(self.code_stream(frame)) == frame.crc32

    def coarse_of(self, frame: PackFrame) -> memoryview:
        """The small picture or approximate beginning of a frame: no copy."""
        return self.coarse[frame.coarse_at : frame.coarse_at + frame.coarse_length]

    @property
    def coarse(self) -> memoryview:
        """The beginnings of all frames, one behind the other (`PackFrame.coarse_at` counts from its start)."""
        return self._view[self._coarse_at : self._coarse_at + self._coarse_length]

    def reasons(self) -> Iterator[tuple[str, int]]:
        """Why frames are served as they are stored, and how many for each reason."""
        counts: dict[str, int] = dict(self._about["left_out"])
        for place in range(self.frame_count):
            frame = self[place]
            if frame.kind is FrameKind.STORED:
                counts[frame.reason] = counts.get(frame.reason, 0) + 1
        yield from counts.items()

    def will_need(self, start: int, end: int) -> bool:
        """Have the kernel read what lies between two offsets, and do not wait for it; whether some of it was not in memory."""
        start, end = max(0, start) // mmap.PAGESIZE * mmap.PAGESIZE, min(end, self.size_bytes)
        if start >= end or self._is_cached(start, end):
            return False
        self._map.madvise(mmap.MADV_WILLNEED, start, end - start)
        return True

    def _is_cached(self, start: int, end: int) -> bool:
        """Whether the page cache has a range: its pages are looked at where it begins, ends, and every 128 KiB."""
        file = self._file.fileno()
        return all(is_cached(file, at) for at in (*range(start, end, _LOOK_EVERY), end - 1))

    @cached_property
    def _by_uid(self) -> dict[str, PackInstance]:
        return {one.sop_instance_uid: one for one in self.instances}

    @cached_property
    def _firsts(self) -> list[int]:
        return [one.first for one in self.instances]


def is_made_of(path: Path, version: int, instance_count: int, encoder: str) -> bool:
    """Whether the pack at `path` is of this version of its series, and of this encoder: one read of its head."""
    try:
        with path.open("rb", buffering=0) as file:
            head = _unpack_head(file.read(_HEAD.size + _HEAD_CRC.size))
            return (head[1], *head[2:4], head[12]) == (
                os.fstat(file.fileno()).st_size, version, instance_count, zlib.crc32(encoder.encode()),
            )  # fmt: skip
    except (BadPack, OSError):
        return False


def _unpack_head(data: bytes) -> tuple[Any, ...]:
    if len(data) != _HEAD.size + _HEAD_CRC.size or data[:8] != MAGIC:
        raise BadPack("no head of a pack")
    if _HEAD_CRC.unpack_from(data, _HEAD.size)[0] != zlib.crc32(data[: _HEAD.size]):
        raise BadPack("a damaged head")
    return _HEAD.unpack_from(data)


def pack_frame(frame: PackFrame, first_end: int, reason: int, photometric: int) -> bytes:
    """The entry of a frame, its ends and texts by number."""
    return _FRAME.pack(
        frame.offset, frame.length, first_end, frame.crc32, frame.coarse_at, frame.coarse_length,
        frame.coarse_crc32, frame.kind, frame.coarse_kind, len(frame.ends), len(frame.coarse_ends), frame.bits,
        frame.halvings, reason, photometric,
    )  # fmt: skip


def pack_head(
    version: int,
    instance_count: int,
    encoder: str,
    tables: tuple[bytes, bytes, bytes],
    coarse_at: int,
    coarse_length: int,
) -> bytes:
    """The head of a pack whose tables (frames, ends, about) stand behind its coarse pictures."""
    frames, ends, about = tables
    frames_at = coarse_at + coarse_length
    ends_at = frames_at + len(frames)
    about_at = ends_at + len(ends)
    crc = zlib.crc32(about, zlib.crc32(ends, zlib.crc32(frames)))
    head = _HEAD.pack(
        MAGIC, about_at + len(about), version, instance_count, len(frames) // _FRAME.size, frames_at, ends_at,
        len(ends) // 4, about_at, len(about), coarse_at, coarse_length, zlib.crc32(encoder.encode()), crc,
    )  # fmt: skip
    return (head + _HEAD_CRC.pack(zlib.crc32(head))).ljust(HEAD_BYTES, b"\0")
