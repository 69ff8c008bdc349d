"""A disk that is really full: a small file system of its own. Nothing acknowledged is lost, and it goes on once there is room."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from archives import LIMITS, assert_reindex_is_equal, incoming, problems
from data import make_instance
from disks import fill_up, free, small_disk
from worklists import created, item

from engine.archive.archive import Archive
from engine.archive.worklist.records import PerformedStep, StepQuery
from engine.archive.worklist.worklist import Worklist
from engine.dicom.scheduled_step import identity
from engine.errors import ArchiveFault, ArchiveFull
from engine.ingest.accept import Acceptor
from engine.ingest.importer import import_paths
from engine.limits import KIB, MIB
from engine.types import Source

SIZE = 24 * MIB
ROOMY = replace(LIMITS, segment_bytes=4 * MIB, spool_bytes=512 * KIB, disk_reserve_bytes=2 * MIB)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", SIZE) as place:
        yield place


def instance(i: int, rows: int = 400) -> bytes:
    return make_instance(f"1.2.3.4.{i}", number=i, rows=rows, columns=200)


def test_an_import_ends_with_a_clear_word_and_can_be_resumed(disk: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(200):
        (folder / f"{i:04}.dcm").write_bytes(instance(i, rows=4000 if i % 40 == 39 else 400))
    archive = Archive.open(disk / "archive", ROOMY)
    acceptor = Acceptor(archive, ROOMY)
    filler = fill_up(disk, 14 * MIB)
    acknowledged: list[str] = []
    with pytest.raises(ArchiveFull, match="no space left"):
        for event in import_paths([folder], acceptor, ROOMY):
            assert event.accepted, event.failure
            acknowledged.append(event.accepted.sop_instance_uid)
    assert 0 < len(acknowledged) < 200
    assert archive.is_writable
    assert {p.suffix for p in (disk / "archive" / "segments").iterdir()} == {".tar"}
    for uid in acknowledged:
        number = int(uid.rpartition(".")[2])
        assert archive.read(archive.instance(uid)) == (folder / f"{number:04}.dcm").read_bytes()
    assert problems(archive) == []

    # Space comes back: the same process goes on, and the import is simply said again.
    filler.unlink()
    for path in sorted(folder.iterdir())[60:]:
        path.unlink()
    events = list(import_paths([folder], acceptor, ROOMY))
    assert [e.failure for e in events if not e.accepted] == []
    acceptor.close()
    assert problems(archive) == []
    archive.close()
    assert_reindex_is_equal(disk / "archive", ROOMY)


def test_on_a_full_disk_deleting_is_possible_and_gives_room(disk: Path) -> None:
    archive = Archive.open(disk / "archive", ROOMY)
    stored = 0
    with pytest.raises(ArchiveFull):
        while True:
            archive.store([incoming(instance(stored), stored, ROOMY)])
            stored += 1
    for i in range(stored - 10):
        archive.delete(sop_uid=f"1.2.3.4.{i}")
    archive.upkeep().compact(grace_s=0)
    archive.store([incoming(instance(i), i, ROOMY) for i in range(1000, 1010)])
    assert archive.series("1.2.3", "1.2.3.4").instance_count == 20
    assert problems(archive) == []
    archive.close()
    assert_reindex_is_equal(disk / "archive", ROOMY)


def test_wherever_the_space_ends_nothing_is_lost(disk: Path) -> None:
    """Without a reserve the disk may fill up in the segment, in its preallocation, or under LMDB in the middle of a commit."""
    limits = replace(ROOMY, disk_reserve_bytes=0)
    archive = Archive.open(disk / "archive", limits)
    kept: dict[str, bytes] = {}
    faults = 0
    for turn, leave in enumerate(range(0, 400 * KIB, 12 * KIB)):
        filler = fill_up(disk, leave)
        for i in range(turn * 100, turn * 100 + 30):
            content = instance(i, rows=40 + i % 100)
            try:
                archive.store([incoming(content, i + 1, limits)])
            except ArchiveFault as fault:
                assert isinstance(fault, ArchiveFull), fault
                faults += 1
                break
            kept[f"1.2.3.4.{i}"] = content
        assert archive.is_writable
        filler.unlink()
        if turn % 8 == 7:
            archive.close()
            archive = Archive.open(disk / "archive", limits)
    assert faults > 20
    assert {uid: archive.read(archive.instance(uid)) for uid in kept} == kept
    assert archive.stats().instances == len(kept)
    assert problems(archive) == []
    archive.close()
    assert_reindex_is_equal(disk / "archive", limits)


def test_a_large_instance_that_does_not_fit_leaves_nothing(disk: Path) -> None:
    archive = Archive.open(disk / "archive", ROOMY)
    acceptor = Acceptor(archive, ROOMY)
    before = free(disk)
    spool = acceptor.open_spool(Source("test"))
    with pytest.raises(ArchiveFull):
        for _ in range(40):
            spool.write(bytes(MIB))
    assert free(disk) >= ROOMY.disk_reserve_bytes - MIB
    spool.abort()
    assert free(disk) > before - MIB
    assert acceptor.submit(instance(1), Source("test")).result(20).sop_instance_uid == "1.2.3.4.1"
    acceptor.close()
    archive.close()


def test_a_full_archive_can_be_opened_and_read(disk: Path) -> None:
    archive = Archive.open(disk / "archive", ROOMY)
    archive.store([incoming(instance(1), 1, ROOMY)])
    archive.close()
    fill_up(disk, 0)
    for mode in ("read", "write"):
        archive = Archive.open(disk / "archive", ROOMY, mode=mode)
        assert archive.read(archive.instance("1.2.3.4.1")) == instance(1)
        archive.close()


def test_a_worklist_on_a_full_disk_keeps_what_it_has_said_and_goes_on(disk: Path) -> None:
    worklist = Worklist(disk, ROOMY, True)
    worklist.schedule([item("S0")], "test")
    filler = fill_up(disk, 256 * KIB)
    said = ["S0"]
    with pytest.raises(ArchiveFull):
        for number in range(1, 5000):
            worklist.schedule([item(f"S{number}")], "test")
            said.append(f"S{number}")
    assert 1 < len(said) < 4999
    with pytest.raises(ArchiveFault):
        worklist.perform(PerformedStep.new("1.9", created("S0", PatientComments="x" * 500_000), "CT1"))
    worklist.close()
    worklist = Worklist(disk, ROOMY, True)
    assert {one.step_id for one in worklist.find(StepQuery(limit=10_000)).steps} == {identity("1.2.3", s) for s in said}
    assert worklist.newest_performed(1) == []
    filler.unlink()
    worklist.perform(PerformedStep.new("1.9", created("S0"), "CT1"))
    worklist.schedule([item("more")], "test")
    assert worklist.get(identity("1.2.3", "S0")).state == "IN PROGRESS"
    worklist.close()
