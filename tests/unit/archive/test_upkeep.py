"""Verify, erasing and compaction, also when other processes store and delete meanwhile, and when they are cut short."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from archives import LIMITS, assert_reindex_is_equal, incoming, problems, spooled
from data import make_instance

from engine.archive import index
from engine.archive.archive import Archive
from engine.archive.member import HEADER_BYTES
from engine.archive.moving import Mover
from engine.archive.segment_writer import SegmentWriter
from engine.errors import InstanceNotFound


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive.open(tmp_path, LIMITS)
    yield archive
    archive.close()


def instance(i: int) -> bytes:
    return make_instance(f"1.2.3.4.{i}", number=i, rows=100, columns=100)


def fill(archive: Archive, count: int = 40) -> None:
    for i in range(1, count + 1):
        archive.store([incoming(instance(i), i)])


def path_of(archive: Archive, segment: int) -> Path:
    assert archive.path is not None
    return archive.path / "segments" / f"{segment:06d}.tar"


def corrupt(archive: Archive, uid: str, at: int = -3) -> None:
    location = archive.instance(uid).location
    with path_of(archive, location.segment).open("r+b") as file:
        file.seek(location.offset + at % location.length)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


def twins(archive: Archive, uid: str = "1.2.3.4.1", is_later: bool = True) -> list[int]:
    """The same instance stored by two processes at once: both looked, and found nothing. Returns their segments' offsets."""
    content = make_instance(uid)
    first = archive.store([incoming(content, 10)])[0].location
    writer = archive._writer
    split = writer._split_duplicates
    writer._split_duplicates = lambda batch: ([(0, batch[0], True)], {}, [None])  # type: ignore[method-assign]
    second = archive.store([incoming(content, 20 if is_later else 5)])[0].location
    writer._split_duplicates = split  # type: ignore[method-assign]
    assert first != second
    return [first.offset, second.offset]


# -- verify


def test_verify_reads_everything_and_is_clean(archive: Archive) -> None:
    fill(archive)
    archive.store([spooled(archive, make_instance("1.2.3.4.99", rows=400, columns=100), 99)])
    archive.store([incoming(make_instance("1.2.3.4.5", patient="OTHER"), 100)])
    archive.delete(sop_uid="1.2.3.4.7")
    checked = list(archive.upkeep().verify())
    assert len(checked) == 41
    assert {c.problem for c in checked} == {""}
    assert sum(c.length for c in checked) > 40 * len(instance(1)) - 40


@pytest.mark.parametrize("at", [0, 140, 700, -1])
@pytest.mark.parametrize("is_sealed", [True, False])
def test_verify_names_the_instance_with_one_wrong_bit(archive: Archive, at: int, is_sealed: bool) -> None:
    """Preamble, File Meta, data set, last pixel; one bit each."""
    fill(archive, 20 if is_sealed else 3)
    corrupt(archive, "1.2.3.4.2", at)
    found = [c for c in archive.upkeep().verify() if c.problem]
    assert [c.sop_instance_uid for c in found] == ["1.2.3.4.2"]


def test_verify_names_a_missing_segment(archive: Archive) -> None:
    fill(archive, 20)
    path_of(archive, 1).unlink()
    lost = {c.sop_instance_uid for c in archive.upkeep().verify() if c.problem}
    assert lost == {f"1.2.3.4.{i}" for i in range(1, 21) if archive.instance(f"1.2.3.4.{i}").location.segment == 1}


def test_verify_finds_what_the_index_has_forgotten(archive: Archive) -> None:
    fill(archive, 3)
    record = archive.instance("1.2.3.4.2")
    with archive._core.engine.write() as txn:
        txn.delete("instances", index.uid_key(record.sop_instance_uid))
    assert problems(archive) == ["1.2.3.4.2: stored, but not in the index; run reindex"]


def test_verify_finds_an_index_that_speaks_of_other_bytes(archive: Archive) -> None:
    fill(archive, 3)
    with archive._core.engine.write() as txn:
        two = txn.get("instances", index.uid_key("1.2.3.4.2"))
        assert two is not None
        txn.put("instances", index.uid_key("1.2.3.4.3"), two)
    found = {c.sop_instance_uid: c.problem for c in archive.upkeep().verify() if c.problem}
    assert "1.2.3.4.3" in found


def test_verify_beside_a_writer_reports_nothing(archive: Archive) -> None:
    fill(archive, 10)
    run = archive.upkeep().verify()
    seen = [next(run).sop_instance_uid]
    for i in range(11, 60):
        archive.store([incoming(instance(i), i)])
    archive.delete(sop_uid="1.2.3.4.9")
    rest = list(run)
    assert [c.problem for c in rest if c.problem] == []
    assert len({*seen, *(c.sop_instance_uid for c in rest)}) >= 58


# -- erasing


def test_bytes_go_only_after_the_grace_period(archive: Archive) -> None:
    fill(archive, 5)
    record = archive.instance("1.2.3.4.2")
    archive.delete(sop_uid="1.2.3.4.2")
    assert archive.upkeep().erase_due() == 0
    assert archive.read(record) == instance(2)  # who has the record can finish reading
    assert archive.upkeep().erase_due(0) == 1
    with path_of(archive, record.location.segment).open("rb") as file:
        file.seek(record.location.offset)
        assert not any(file.read(record.location.length))
    assert archive.upkeep().erase_due(0) == 0
    archive.close()
    assert archive.path is not None
    assert_reindex_is_equal(archive.path)


def test_erasing_twice_and_in_a_dropped_segment_is_harmless(archive: Archive) -> None:
    location = archive.store([spooled(archive, make_instance(rows=400, columns=100))])[0].location
    archive.delete(sop_uid="1.2.3.4.1")
    archive._core.blobs.erase(location)
    archive._core.blobs.erase(location)
    archive._core.blobs.drop(location.segment)
    archive._core.blobs.erase(location)
    assert archive.upkeep().erase_due(0) == 1
    assert problems(archive) == []


# -- second copies


@pytest.mark.parametrize("is_later", [True, False])
def test_what_two_processes_stored_at_once_is_one_instance(archive: Archive, is_later: bool) -> None:
    offsets = twins(archive, is_later=is_later)
    assert archive.stats().instances == 1
    assert archive.stats().conflicts == 0
    assert archive.instance("1.2.3.4.1").location.offset == offsets[0 if is_later else 1]
    assert problems(archive) == []
    archive.close()
    assert archive.path is not None
    assert_reindex_is_equal(archive.path)


@pytest.mark.parametrize("is_later", [True, False])
def test_a_deleted_instance_does_not_come_back_from_its_second_copy(archive: Archive, is_later: bool) -> None:
    twins(archive, is_later=is_later)
    archive.delete(sop_uid="1.2.3.4.1")
    archive.close()
    assert archive.path is not None
    assert_reindex_is_equal(archive.path)
    reopened = Archive.open(archive.path, LIMITS)
    with pytest.raises(InstanceNotFound):
        reopened.instance("1.2.3.4.1")
    assert reopened.upkeep().erase_due(0) == 2
    for path in (archive.path / "segments").glob("*.tar"):
        assert b"DOE^JANE" not in path.read_bytes()
    reopened.close()


def test_the_second_copy_is_erased_and_the_first_stays(archive: Archive) -> None:
    twins(archive)
    assert archive.upkeep().erase_due(0) == 1
    assert archive.read(archive.instance("1.2.3.4.1")) == make_instance("1.2.3.4.1")
    assert problems(archive) == []


# -- compaction


def thin_out(archive: Archive) -> int:
    """A sealed segment of which little lives; its number."""
    fill(archive, 40)
    segment = archive.instance("1.2.3.4.1").location.segment
    for i in range(2, 41):
        if archive.instance(f"1.2.3.4.{i}").location.segment == segment and i % 5:
            archive.delete(sop_uid=f"1.2.3.4.{i}")
    archive.upkeep().erase_due(0)
    return segment


def living(archive: Archive, segment: int) -> list[str]:
    uids = [f"1.2.3.4.{i}" for i in range(1, 41)]
    found = []
    for uid in uids:
        try:
            if archive.instance(uid).location.segment == segment:
                found.append(uid)
        except InstanceNotFound:
            continue
    return found


def test_compaction_keeps_every_byte_and_the_index_can_be_rebuilt(archive: Archive) -> None:
    segment = thin_out(archive)
    moved = living(archive, segment)
    before = {uid: archive.read(archive.instance(uid)) for uid in moved}
    series = archive.series("1.2.3", "1.2.3.4")
    assert archive.upkeep().compact(grace_s=0) == 1
    assert {uid: archive.read(archive.instance(uid)) for uid in moved} == before
    assert archive.series("1.2.3", "1.2.3.4") == series
    assert path_of(archive, segment).stat().st_size < 4096
    assert archive.upkeep().compact(grace_s=0) == 0
    assert problems(archive) == []
    archive.close()
    assert archive.path is not None
    assert_reindex_is_equal(archive.path)


@pytest.mark.parametrize("cut_at", ["after append", "after move", "after drop"])
def test_a_compaction_that_was_cut_short_loses_and_resurrects_nothing(
    archive: Archive, cut_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends there: its files are as they are, and another one opens the archive."""
    segment = thin_out(archive)
    moved = living(archive, segment)
    expected = archive.stats().instances
    core = archive._core

    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    if cut_at == "after append":
        monkeypatch.setattr(core, "write", kill)
        monkeypatch.setattr(SegmentWriter, "retract", lambda self, doubt="": None)
    elif cut_at == "after move":
        monkeypatch.setattr(core.blobs, "drop", kill)
    else:
        monkeypatch.setattr("engine.archive.places.forget_segment", kill)
    with pytest.raises(Killed), core.removing():
        Mover(core, segment).run(len(moved))
    monkeypatch.undo()
    core.blobs._writers[0]._release()  # type: ignore[attr-defined]  # the kernel closes what a killed process had open
    archive.close()
    assert archive.path is not None
    reopened = Archive.open(archive.path, LIMITS)
    assert reopened.stats().instances == expected
    assert problems(reopened) == []
    gone, *rest = moved
    reopened.delete(sop_uid=gone)
    reopened.close()
    (archive.path / "index.lmdb" / "data.mdb").unlink()
    (archive.path / "index.lmdb" / "lock.mdb").unlink(missing_ok=True)
    from engine.archive.reindex import reindex

    reindex(archive.path, LIMITS)
    last = Archive.open(archive.path, LIMITS)
    with pytest.raises(InstanceNotFound):
        last.instance(gone)
    assert last.stats().instances == expected - 1
    last.upkeep().compact(grace_s=0)
    for uid in rest:
        assert last.read(last.instance(uid)) == instance(int(uid.rpartition(".")[2]))
    assert problems(last) == []
    last.close()


def test_a_segment_with_damage_is_not_rewritten(archive: Archive) -> None:
    """Moving would leave the damaged bytes behind, and with them the chance to save something."""
    segment = thin_out(archive)
    corrupt(archive, "1.2.3.4.1")
    size = path_of(archive, segment).stat().st_size
    assert archive.upkeep().compact(grace_s=0) == 0
    assert path_of(archive, segment).stat().st_size == size
    assert [p.split(":")[0] for p in problems(archive)] == ["1.2.3.4.1"]


def test_deleting_waits_for_a_move(archive: Archive) -> None:
    """Both at once would leave the new place of what was deleted in the index."""
    fill(archive, 3)
    done = threading.Event()

    def delete() -> None:
        archive.delete(sop_uid="1.2.3.4.2")
        done.set()

    with archive._core.removing():
        thread = threading.Thread(target=delete)
        thread.start()
        assert not done.wait(0.3)
        assert archive.store([incoming(instance(9), 9)])  # storing goes on
    thread.join(10)
    assert done.is_set()


def test_compaction_moves_large_instances_through_a_spool(archive: Archive) -> None:
    large = make_instance("1.2.3.4.77", rows=500, columns=100)
    assert len(large) > LIMITS.spool_bytes
    fill(archive, 1)
    archive.store([incoming(large, 50)])  # in a shared segment, though it is large
    segment = archive.instance("1.2.3.4.77").location.segment
    archive.store([incoming(make_instance("1.2.3.4.78", rows=900, columns=100), 51)])
    archive.store([incoming(make_instance("1.2.3.4.79", rows=900, columns=100), 52)])
    archive.delete(sop_uid="1.2.3.4.1")
    archive.delete(sop_uid="1.2.3.4.78")
    assert archive.upkeep().compact(100, grace_s=0) >= 1
    assert archive.instance("1.2.3.4.77").location.segment != segment
    assert archive.instance("1.2.3.4.77").location.offset == HEADER_BYTES
    assert archive.read(archive.instance("1.2.3.4.77")) == large
    assert problems(archive) == []


def test_tombstones_outlive_the_segment_that_they_stand_in(archive: Archive) -> None:
    fill(archive, 12)
    victim = archive.instance("1.2.3.4.12")
    for i in (*range(1, 12), 12):
        archive.delete(sop_uid=f"1.2.3.4.{i}")  # tombstones of these stand behind them
    fill(archive, 0)
    for i in range(20, 40):
        archive.store([incoming(instance(i), i)])
    with archive._core.removing():
        for segment, size in archive._core.blobs.sizes().items():
            if size.is_sealed and segment != victim.location.segment:
                live = len([u for u in range(20, 40) if archive.instance(f"1.2.3.4.{u}").location.segment == segment])
                assert Mover(archive._core, segment).run(live)
    archive.close()
    assert archive.path is not None
    assert_reindex_is_equal(archive.path)
    reopened = Archive.open(archive.path, LIMITS, mode="read")
    with pytest.raises(InstanceNotFound):
        reopened.instance("1.2.3.4.12")
    reopened.close()
