"""A pack on its way: written beside, made durable, renamed; before that it is nothing, afterwards it is whole."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import zlib
from array import array
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from engine.archive.linux import begin_writeback
from engine.archive.renditions.pack import (
    HEAD_BYTES,
    CoarseKind,
    FrameKind,
    PackFrame,
    PackInstance,
    pack_frame,
    pack_head,
)
from engine.limits import MIB
from engine.types import Buffer

PART = ".part"
_WRITEBACK_BYTES = 8 * MIB
_COARSE_BYTES = 4 * MIB  # of small pictures in memory; a file without a name holds more


class PackWriter:
    """Takes the frames of a series in slice order; one thread. `publish` or `abandon` ends it.

    The unfinished file is locked as long as its maker lives, so that whoever sweeps knows the dead ones.

    Raises
    ------
    OSError : the disk does not take it; `abandon` then.
    """

    def __init__(self, path: Path, study_instance_uid: str, series_instance_uid: str, encoder: str) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._part = path.with_name(f"{uuid4().hex}{PART}")
        self._fd = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._about = {"study": study_instance_uid, "series": series_instance_uid, "encoder": encoder}
        self._instances: list[list[object]] = []
        self._left_out: dict[str, int] = {}
        self._texts: dict[str, int] = {"": 0}
        self._frames, self._ends, self._count = bytearray(), array("I"), 0
        self._coarse = tempfile.SpooledTemporaryFile(_COARSE_BYTES, dir=str(path.parent))  # noqa: SIM115 - `_close` does
        self._at = self._begun = HEAD_BYTES

    @property
    def length(self) -> int:
        """Bytes of code streams and small pictures so far."""
        return self._at + int(self._coarse.tell())

    @property
    def frame_count(self) -> int:
        return self._count

    def begin_instance(self, instance: PackInstance) -> None:
        """The frames that follow are of this instance; its `first` and `frame_count` are not looked at."""
        shape = instance.rows, instance.columns, instance.cells
        self._instances.append([instance.sop_instance_uid, instance.data_set_sha256.hex(), self._count, 0, *shape])

    def leave_out(self, frame_count: int, reason: str) -> None:
        """So many frames of an instance are not even named in it."""
        self._left_out[reason] = self._left_out.get(reason, 0) + frame_count

    def add(self, frame: PackFrame, code_stream: Buffer = b"", coarse: Buffer = b"") -> None:
        """The next frame.

        Parameters
        ----------
        frame : its offset is not looked at where it is MADE, nor its CRC and where its coarse picture is.
        code_stream : the bytes of one that is MADE.
        coarse : its small picture or approximate beginning; for a PREFIX of a MADE one the writer takes it from `code_stream`.
        """
        if frame.kind is FrameKind.MADE:
            frame = replace(frame, offset=self._at, crc32=zlib.crc32(code_stream))
            self._write(code_stream)
        if frame.coarse_kind is not CoarseKind.NONE:
            if frame.kind is FrameKind.MADE and frame.coarse_kind is CoarseKind.PREFIX:
                coarse = memoryview(code_stream)[: frame.coarse_length]
            crc = zlib.crc32(coarse)
            frame = replace(frame, coarse_at=self._coarse.tell(), coarse_length=len(coarse), coarse_crc32=crc)
            self._coarse.write(coarse)
        self._frames += pack_frame(
            frame, len(self._ends), self._number(frame.reason), self._number(frame.photometric_interpretation)
        )
        self._ends.extend(frame.ends + frame.coarse_ends)
        self._count += 1
        self._instances[-1][3] = self._count - int(str(self._instances[-1][2]))

    def publish(self, version: int, instance_count: int, used_ns: int) -> int:
        """Make it the pack of its series; returns its size.

        Parameters
        ----------
        version, instance_count : of the series as it was when its members were listed (`SeriesSummary`).
        used_ns : Unix time that says how soon it leaves again (`Shelf`).
        """
        coarse_at, coarse_length = self._at, self._coarse.tell()
        self._coarse.seek(0)
        while piece := self._coarse.read(MIB):
            self._write(piece)
        frames, ends = bytes(self._frames), self._ends.tobytes()
        parts = {"instances": self._instances, "left_out": self._left_out, "texts": list(self._texts)}
        about = json.dumps({**self._about, **parts}).encode()
        for table in (frames, ends, about):
            self._write(table)
        head = pack_head(
            version, instance_count, self._about["encoder"], (frames, ends, about), coarse_at, coarse_length
        )
        os.pwrite(self._fd, head, 0)
        os.fdatasync(self._fd)
        os.utime(self._fd, ns=(used_ns, used_ns))
        # Not the folder too: after a power cut it is there or not, and whole if it is.
        self._part.rename(self._path)
        self._close()
        return self._at

    def abandon(self) -> None:
        """Leave nothing; harmless a second time, and behind `publish`."""
        if self._fd >= 0:
            with suppress(FileNotFoundError):
                self._part.unlink()
            self._close()

    def _write(self, data: Buffer) -> None:
        view = memoryview(data)
        while len(view):
            written = os.pwrite(self._fd, view, self._at)
            self._at += written
            view = view[written:]
        if self._at - self._begun >= _WRITEBACK_BYTES:
            # What fdatasync finds is little then: it must not hold up those of ingest.
            begin_writeback(self._fd, self._begun, self._at - self._begun)
            self._begun = self._at

    def _number(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def _close(self) -> None:
        self._coarse.close()
        os.close(self._fd)
        self._fd = -1


def is_abandoned(part: Path) -> bool:
    """Whether nobody writes this unfinished pack any more."""
    try:
        fd = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True
