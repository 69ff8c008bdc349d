"""Segments on disk: their geometry, who may write to one, and that a number never names two of them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import LIMITS, assert_reindex_is_equal, incoming, problems, spooled
from data import make_instance

from engine.archive.archive import Archive
from engine.archive.member import BLOCK, END, HEADER_BYTES, pack_header, padded
from engine.archive.ports import MemberMeta, Tombstone
from engine.archive.segment_file import read_members, sealed_end
from engine.archive.segment_writer import create_segment, lock_segment, write_all
from engine.errors import CorruptInstance
from engine.types import Location, Source


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive.open(tmp_path, LIMITS)
    yield archive
    archive.close()


def segment_files(archive: Archive) -> list[Path]:
    assert archive.path is not None
    return sorted((archive.path / "segments").glob("*.tar"))


def instance(i: int, rows: int = 100) -> bytes:
    return make_instance(f"1.2.3.4.{i}", number=i, rows=rows, columns=100)


def test_members_stand_on_borders_behind_each_other(archive: Archive) -> None:
    contents = [instance(i, rows=i) for i in range(1, 60)]
    locations = [archive.store([incoming(c, i)])[0].location for i, c in enumerate(contents)]
    assert len({location.segment for location in locations}) > 1
    end: dict[int, int] = {}
    for location, content in zip(locations, contents, strict=True):
        assert location.offset == end.get(location.segment, 0) + HEADER_BYTES
        assert location.offset % BLOCK == 0
        assert location.length == len(content)
        end[location.segment] = location.offset + padded(location.length)
    for path in segment_files(archive)[:-1]:
        assert path.stat().st_size <= LIMITS.segment_bytes + HEADER_BYTES + len(END)
        with path.open("rb") as file:
            assert sealed_end(file.fileno()) == end[int(path.stem)]


def test_an_instance_larger_than_a_segment_is_kept(archive: Archive) -> None:
    content = instance(1, rows=2000)
    assert len(content) > LIMITS.segment_bytes
    archive.store([incoming(content)])
    archive.store([incoming(instance(2))])
    assert archive.read(archive.instance("1.2.3.4.1")) == content
    assert problems(archive) == []


def test_closing_gives_back_what_was_preallocated(archive: Archive) -> None:
    archive.store([incoming(instance(1))])
    [path] = segment_files(archive)
    assert path.stat().st_size >= LIMITS.segment_bytes
    archive.close()
    assert path.stat().st_size == HEADER_BYTES + padded(len(instance(1)))


def test_a_new_archive_that_stores_nothing_leaves_nothing(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path, LIMITS)
    archive.spool().drop()
    archive.close()
    assert list((tmp_path / "segments").iterdir()) == []


def test_a_spooled_instance_has_a_sealed_segment_of_its_own(archive: Archive) -> None:
    content = instance(1, rows=500)
    outcome = archive.store([spooled(archive, content)])[0]
    assert outcome.location.offset == HEADER_BYTES
    [path] = segment_files(archive)
    with path.open("rb") as file:
        assert sealed_end(file.fileno()) == HEADER_BYTES + padded(len(content))
    assert archive.read(archive.instance("1.2.3.4.1")) == content


def test_one_of_two_writers_gets_a_segment(tmp_path: Path) -> None:
    number, fd = create_segment(tmp_path)
    assert lock_segment(tmp_path / f"{number:06d}.tar") is None
    second, other = create_segment(tmp_path)
    assert second == number + 1
    os.close(fd)
    again = lock_segment(tmp_path / f"{number:06d}.tar")
    assert again is not None
    os.close(again)
    os.close(other)


def test_a_segment_that_recovery_removes_before_it_is_locked_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process's start finds the new file unlocked and empty, and removes it: writing to it would lose everything."""
    flock, removed = fcntl.flock, []

    def late(fd: int, how: int) -> None:
        if not removed:
            removed.append(tmp_path / "000001.tar")
            removed[0].unlink()
        flock(fd, how)

    monkeypatch.setattr("engine.archive.segment_writer.fcntl.flock", late)
    number, fd = create_segment(tmp_path)
    assert (tmp_path / f"{number:06d}.tar").stat().st_ino == os.fstat(fd).st_ino
    os.close(fd)


def test_the_number_of_a_dropped_segment_is_never_used_again(archive: Archive) -> None:
    """Tombstones and open files of other processes speak of segments by number."""
    first = archive.store([spooled(archive, instance(1, rows=500))])[0].location
    archive.delete(sop_uid="1.2.3.4.1")
    assert archive.upkeep().compact(grace_s=0) == 1
    again = archive.store([spooled(archive, instance(1, rows=500), 2)])[0].location
    assert again.length == first.length
    assert again.segment > first.segment
    assert archive.stats().segment_count == 2  # the tombstone's and this one: what was dropped is none
    assert archive.path is not None
    path = archive.path
    archive.close()
    assert_reindex_is_equal(path)
    reopened = Archive.open(path, LIMITS, mode="read")
    assert reopened.read(reopened.instance("1.2.3.4.1")) == instance(1, rows=500)
    reopened.close()


def test_a_reader_that_has_the_dropped_segment_open_lets_it_go(archive: Archive) -> None:
    for i in range(1, 60):
        archive.store([incoming(instance(i), i)])
    stale = archive.instance("1.2.3.4.1")
    reader = _second_reader(archive)
    assert reader.read(stale) == instance(1)
    for i in range(2, 40):
        archive.delete(sop_uid=f"1.2.3.4.{i}")
    assert archive.upkeep().compact(grace_s=0) > 0
    moved = archive.instance("1.2.3.4.1")
    assert moved.location != stale.location
    assert reader.read(stale) == instance(1)  # from the file it has open
    reader.read(moved)  # opening another one lets go of what has no name any more
    assert stale.location.segment not in reader._core.blobs._files  # type: ignore[attr-defined]


def _second_reader(archive: Archive) -> Archive:
    """Another process's view of the same files: LMDB forbids a second environment in one process, blobs have no such rule."""
    from engine.archive.core import Core
    from engine.archive.segments import SegmentStore

    assert archive.path is not None
    store = SegmentStore(archive.path / "segments", LIMITS)
    return Archive(Core(archive._core.engine, store, LIMITS), archive.path, "keep-first", is_writer=False)


def test_a_segment_that_was_cut_is_damage_not_absence(archive: Archive) -> None:
    archive.store([incoming(instance(1))])
    archive.close()
    [path] = segment_files(archive)
    os.truncate(path, HEADER_BYTES + 100)
    assert archive.path is not None
    reader = Archive.open(archive.path, LIMITS, mode="read")
    with pytest.raises(CorruptInstance):
        reader.read(reader.instance("1.2.3.4.1"))
    assert problems(reader) == ["1.2.3.4.1: no whole member lies where the index says"]
    reader.close()


def test_what_a_sender_puts_into_an_unfinished_spool_is_no_member(tmp_path: Path) -> None:
    """A spool whose process was killed may hold anything, also what looks like a tombstone for somebody else's images."""
    archive = Archive.open(tmp_path, LIMITS)
    victim = archive.store([incoming(instance(1))])[0].location
    evil = pack_header(Tombstone(victim, 1), 0)
    forged = incoming(instance(7))
    meta = MemberMeta(
        name="1/2/3.dcm",
        data_set_sha256=forged.data_set_sha256,
        header_sha256=forged.header_sha256,
        data_set_offset=forged.scanned.data_set_offset,
        received_ns=1,
        source=Source("", ""),
    )
    evil += pack_header(meta, len(instance(7))) + instance(7)
    spool = archive.spool()
    archive.write_spool(spool, evil + bytes(BLOCK))
    number, name = spool.segment, spool.path
    os.close(spool.fd)  # as a kill does
    archive.close()
    assert name is not None and name.exists()
    assert list(archive._core.blobs.members(number)) == []
    assert_reindex_is_equal(tmp_path)
    reopened = Archive.open(tmp_path, LIMITS)
    assert reopened.stats().instances == 1
    reopened.close()


def test_damage_inside_an_open_segment_is_skipped_by_members(tmp_path: Path) -> None:
    archive = Archive.open(tmp_path, LIMITS)
    locations = [archive.store([incoming(instance(i), i)])[0].location for i in range(1, 4)]
    archive.close()
    path = tmp_path / "segments" / "000001.tar"
    with path.open("r+b") as file:
        file.seek(locations[1].offset - HEADER_BYTES)
        file.write(b"\xff" * 600)
        file.flush()
        found = [m.location for m in read_members(file.fileno(), 1, 0, check_hashes=True, may_skip=True)]
    assert found == [locations[0], locations[2]]


def test_one_place_can_be_asked_for(archive: Archive) -> None:
    locations = [archive.store([incoming(instance(i), i)])[0].location for i in range(1, 4)]
    blobs = archive._core.blobs
    assert [m.location for m in blobs.members(locations[1])] == [locations[1]]
    wrong = Location(locations[1].segment, locations[1].offset + BLOCK, locations[1].length)
    assert list(blobs.members(wrong)) == []
    assert list(blobs.members(Location(99, HEADER_BYTES, 10))) == []


@pytest.mark.parametrize("most", [1, 7, 511, 4096, 10**9])
def test_a_write_that_is_taken_in_parts_is_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    pwritev = os.pwritev

    def short(fd: int, views: list[memoryview], at: int) -> int:
        return pwritev(fd, [b"".join(views)[:most]], at)

    monkeypatch.setattr(os, "pwritev", short)
    monkeypatch.setattr("engine.archive.segment_writer._CHUNK_BYTES", 2000)
    pieces = [os.urandom(n) for n in (0, 1, 511, 512, 3000, 0, 2, 1999, 2000)]
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    write_all(fd, pieces, 100)
    os.close(fd)
    assert (tmp_path / "file").read_bytes() == bytes(100) + b"".join(pieces)
