"""Videos as MP4 files, made of the stored packets where the stored form is no file that players know; kept while there is room."""

from __future__ import annotations

import asyncio
import io
import os
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.codec.ffmpeg import is_installed
from engine.codec.remux import remux
from engine.errors import ArchiveFull, TooBusy
from engine.executors import Executors
from engine.limits import Limits
from engine.stream.animated import cine_in
from engine.stream.decoded import descriptor_of
from engine.stream.video import StoredStream
from engine.stream.work import on_pool
from engine.types import Timings

MP4 = "video/mp4"
_READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class VideoFile:
    """A derived file without a name: it is gone with the last who holds it, and with the process."""

    file: io.BufferedRandom
    length: int

    def read(self, start: int, length: int) -> bytes:
        """Any thread."""
        return os.pread(self.file.fileno(), length, start)


class VideoFiles:
    """Of one process. All calls on its event loop; the work is done on `executors.decode`, one video at a time."""

    def __init__(self, archive: Archive, executors: Executors, limits: Limits) -> None:
        self._archive, self._executors, self._limits = archive, executors, limits
        self._folder = archive.path
        self._kept: OrderedDict[tuple[str, bytes], VideoFile] = OrderedDict()
        self._turn = asyncio.Lock()

    @staticmethod
    def form() -> str:
        """What makes them: the same name, the same bytes for the same video. Empty where nothing can."""
        return f"{MP4} by PyAV {version('av')}" if is_installed() else ""

    async def mp4_of(self, record: InstanceRecord, timings: Timings) -> VideoFile:
        """The MP4 file of a video; the same bytes every time, on each process.

        Raises
        ------
        BadFrame, TooLarge, TooBusy, UnsupportedPixels, CorruptInstance, ArchiveFault
        """
        key = (record.sop_instance_uid, record.data_set_sha256)
        if (found := self._kept.get(key)) is None:
            try:
                async with asyncio.timeout(self._limits.video_remux_s_max):
                    await self._turn.acquire()
            except TimeoutError:
                raise TooBusy("video files") from None
            try:
                if (found := self._kept.get(key)) is None:
                    made = partial(_made, self._archive, record, self._folder, self._limits)
                    found = await on_pool(self._executors.decode, "encode", timings, made)
                    self._keep(key, found)
            finally:
                self._turn.release()
        self._kept.move_to_end(key)
        return found

    def _keep(self, key: tuple[str, bytes], file: VideoFile) -> None:
        self._kept[key] = file
        while len(self._kept) > 1 and sum(f.length for f in self._kept.values()) > self._limits.video_files_bytes_max:
            self._kept.popitem(last=False)


def _made(archive: Archive, record: InstanceRecord, folder: Path | None, limits: Limits) -> VideoFile:
    descriptor = descriptor_of(record)
    assert record.frame_table is not None
    disk = os.statvfs(folder or tempfile.gettempdir())
    if disk.f_bavail * disk.f_frsize < record.frame_table[0].length + limits.rendition_reserve_bytes:
        raise ArchiveFull(str(folder))  # what is derived leaves room for what is not
    stream = StoredStream(lambda at, length: archive.read(record, at, length), record.frame_table[0])
    frame_ms = cine_in(archive, record).frame_ms[0]
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it is kept
    try:
        length = remux(descriptor, io.BufferedReader(stream, _READ_BYTES), file.fileno(), frame_ms, limits)
    except BaseException:
        file.close()
        raise
    return VideoFile(file, length)
