"""MP4 files made of stored videos: made once, kept within their budget, one at a time, and gone with who holds them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from archives import incoming

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.errors import ArchiveFull, TooBusy, TooLarge
from engine.executors import Executors
from engine.limits import Limits
from engine.stream import video_files
from engine.stream.video_files import VideoFiles
from engine.types import Timings

pytest.importorskip("av")
from videos import KINDS, encoded, instance

KIND = KINDS["H.264, elementary stream"]
STREAM = encoded(KIND, 20)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with closing(Archive.open(tmp_path / "archive")) as found:
        for n in (1, 2, 3):
            found.store([incoming(instance(KIND, STREAM, 20, f"1.2.{n}"), n)])
        yield found


@pytest.fixture
def executors() -> Iterator[Executors]:
    pools = Executors(2)
    yield pools
    pools.close()


def records(archive: Archive) -> list[InstanceRecord]:
    return [archive.instance(f"1.2.{n}") for n in (1, 2, 3)]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SOP Instance UIDs of which files were made."""
    found: list[str] = []
    plain = video_files._made

    def counting(archive: Archive, record: InstanceRecord, *more: object) -> object:
        found.append(record.sop_instance_uid)
        return plain(archive, record, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(video_files, "_made", counting)
    return found


def test_many_at_once_wait_for_one_file_without_a_name(archive: Archive, executors: Executors, made: list[str]) -> None:
    async def run() -> None:
        files = VideoFiles(archive, executors, Limits())
        first, *others = await asyncio.gather(*(files.mp4_of(records(archive)[0], Timings()) for _ in range(5)))
        assert all(one is first for one in others)
        assert made == ["1.2.1"]
        assert first.read(4, 4) == b"ftyp"
        assert len(first.read(0, first.length)) == first.length == os.fstat(first.file.fileno()).st_size
        assert os.fstat(first.file.fileno()).st_nlink == 0

    before = sorted((archive.path or Path()).rglob("*"))
    asyncio.run(run())
    assert sorted((archive.path or Path()).rglob("*")) == before


def test_the_one_not_used_for_longest_goes_when_there_is_no_room(
    archive: Archive, executors: Executors, made: list[str]
) -> None:
    async def run() -> None:
        one, two, three = records(archive)
        length = (await VideoFiles(archive, executors, Limits()).mp4_of(one, Timings())).length
        made.clear()
        files = VideoFiles(archive, executors, Limits(video_files_bytes_max=2 * length + length // 2))
        for record in (one, two, one, three, one, two):
            await files.mp4_of(record, Timings())
        assert made == ["1.2.1", "1.2.2", "1.2.3", "1.2.2"]

    asyncio.run(run())


def test_what_takes_too_long_or_too_much_is_refused(archive: Archive, executors: Executors, tmp_path: Path) -> None:
    async def run() -> None:
        record = records(archive)[0]
        for limits, error in (
            (Limits(video_remux_s_max=0), TooLarge),
            (Limits(video_files_bytes_max=100), TooLarge),
            (Limits(rendition_reserve_bytes=1 << 60), ArchiveFull),
        ):
            with pytest.raises(error):
                await VideoFiles(archive, executors, limits).mp4_of(record, Timings())
        files = VideoFiles(archive, executors, Limits(video_remux_s_max=1))
        async with files._turn:  # another video is being made, and takes its time
            with pytest.raises(TooBusy):
                await files.mp4_of(record, Timings())
        assert (await files.mp4_of(record, Timings())).length > 1000

    asyncio.run(run())
