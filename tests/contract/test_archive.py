"""One suite over every pair of index engine and blob store, through `Archive`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from archives import LIMITS, incoming, problems, spooled
from data import make_instance

from engine.archive.archive import KEEP_FIRST, REPLACE, Archive
from engine.archive.records import Incoming, StoreStatus
from engine.dicom.query import Level, Match, Query
from engine.errors import ArchiveReadOnly, FrameNotFound, InstanceNotFound, SeriesNotFound, StudyNotFound

Opener = Callable[[str], Archive]


@pytest.fixture(params=["segments", "memory"])
def open_archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    opened: list[Archive] = []

    def make(on_conflict: str = KEEP_FIRST) -> Archive:
        if request.param == "memory":
            archive = Archive.in_memory(LIMITS, on_conflict=on_conflict)
        else:
            archive = Archive.open(tmp_path / f"archive{len(opened)}", LIMITS, on_conflict=on_conflict)
        opened.append(archive)
        return archive

    yield make
    for archive in opened:
        archive.close()


def test_bytes_in_are_bytes_out(open_archive: Opener) -> None:
    archive = open_archive(KEEP_FIRST)
    contents = [make_instance(f"1.2.3.4.{i}", number=i, z=float(-i)) for i in range(1, 20)]
    outcomes = archive.store([incoming(c) for c in contents])
    assert {o.status for o in outcomes} == {StoreStatus.STORED}
    for i, content in enumerate(contents, 1):
        record = archive.instance(f"1.2.3.4.{i}", "1.2.3", "1.2.3.4")
        assert archive.read(record) == content
        assert archive.read(record, 10, 7) == content[10:17]
        assert archive.frame_bytes(record, 0) == content[-32:]
    # along the patient's axis, not in order of arrival
    numbers = [r.sop_instance_uid for r in archive.members("1.2.3", "1.2.3.4")]
    assert numbers == [f"1.2.3.4.{i}" for i in range(19, 0, -1)]
    assert archive.series("1.2.3", "1.2.3.4").instance_count == 19


def test_a_batch_is_one_sync_and_one_commit(open_archive: Opener) -> None:
    archive = open_archive(KEEP_FIRST)
    archive.store([incoming(make_instance("1.2.3.4.1"))])
    syncs, commits = archive.syncs, archive.commits
    archive.store([incoming(make_instance(f"1.2.3.4.{i}", number=i)) for i in range(2, 60)])
    assert (archive.syncs - syncs, archive.commits - commits) == (1, 1)


def test_a_frame_is_one_get_and_one_read(open_archive: Opener) -> None:
    archive = open_archive(KEEP_FIRST)
    content = make_instance("1.2.3.4.1", frames=5)
    archive.store([incoming(content)])
    gets, reads = archive.gets, archive.reads
    frame = archive.frame_bytes(archive.instance("1.2.3.4.1"), 3)
    assert (archive.gets - gets, archive.reads - reads) == (1, 1)
    assert frame == content[-64:-32]
    with pytest.raises(FrameNotFound):
        archive.frame_bytes(archive.instance("1.2.3.4.1"), 5)


def test_the_same_bytes_store_nothing(open_archive: Opener) -> None:
    archive = open_archive(KEEP_FIRST)
    content = make_instance()
    first = archive.store([incoming(content, 1)])[0]
    commits, syncs = archive.commits, archive.syncs
    again = archive.store([incoming(content, 2)])[0]
    assert again.status is StoreStatus.DUPLICATE
    assert again.location == first.location
    assert (archive.commits, archive.syncs) == (commits, syncs)
    both = archive.store([incoming(make_instance("1.2.3.4.9"))] * 2)
    assert [o.status for o in both] == [StoreStatus.STORED, StoreStatus.DUPLICATE]
    assert archive.series("1.2.3", "1.2.3.4").instance_count == 2


@pytest.mark.parametrize("policy", [KEEP_FIRST, REPLACE])
def test_other_bytes_are_kept_beside_the_first(open_archive: Opener, policy: str) -> None:
    archive = open_archive(policy)
    first, second = make_instance(patient="FIRST"), make_instance(patient="SECOND", series="1.2.3.5")
    archive.store([incoming(first, 1)])
    outcome = archive.store([incoming(second, 2)])[0]
    served, other = (first, second) if policy == KEEP_FIRST else (second, first)
    assert outcome.status is (StoreStatus.CONFLICT_KEPT if policy == KEEP_FIRST else StoreStatus.CONFLICT_REPLACED)
    versions = archive.versions("1.2.3.4.1")
    assert [archive.read(v) for v in versions] == [served, other]
    assert archive.read(archive.instance("1.2.3.4.1")) == served
    assert [c.is_served for c in archive.conflicts()] == [True, False]
    assert len(archive.series_of("1.2.3")) == 1
    assert archive.store([incoming(other, 3)])[0].status is StoreStatus.DUPLICATE


def test_any_order_of_arrival_gives_the_same_index(open_archive: Opener) -> None:
    arrivals = [
        incoming(
            make_instance(f"1.2.3.{s}.{i}", series=f"1.2.3.{s}", number=i, patient=f"NAME{i}", date=f"2020010{i}"), i
        )
        for s in (4, 5)
        for i in range(1, 6)
    ]
    dumps = []
    for seed in (1, 2, 3):
        archive = open_archive(KEEP_FIRST)
        order = random.Random(seed).sample(arrivals, len(arrivals))
        for one in order:
            archive.store([one])
        dumps.append({t: [k for k, _ in rows] for t, rows in archive.dump().items() if t not in ("segments",)})
        assert archive.search(Query(level=Level.STUDY)).rows[0].attributes["00100010"]["Value"] == [
            {"Alphabetic": "NAME1"}
        ]
    assert dumps[0] == dumps[1] == dumps[2]


def test_delete_takes_out_everything_and_gives_space_back(open_archive: Opener) -> None:
    archive = open_archive(KEEP_FIRST)
    for i in range(1, 40):
        archive.store([incoming(make_instance(f"1.2.3.4.{i}", number=i, rows=64, columns=64), i)])
    archive.store([incoming(make_instance("1.2.9.1", study="1.2.9", series="1.2.9.9"), 99)])
    before = archive.stats().segment_bytes
    assert archive.delete(sop_uid="1.2.3.4.1") == 1
    with pytest.raises(InstanceNotFound):
        archive.instance("1.2.3.4.1")
    assert archive.series("1.2.3", "1.2.3.4").instance_count == 38
    assert archive.delete(study_uid="1.2.3") == 38
    with pytest.raises(StudyNotFound):
        archive.series_of("1.2.3")
    with pytest.raises(SeriesNotFound):
        archive.members("1.2.3", "1.2.3.4")
    archive.upkeep().compact(grace_s=0)
    assert archive.stats().segment_bytes < before
    assert archive.read(archive.instance("1.2.9.1")) == make_instance("1.2.9.1", study="1.2.9", series="1.2.9.9")
    assert [c for c in archive.upkeep().verify() if c.problem] == []
    assert archive.search(Query(level=Level.STUDY)).rows[0].study_instance_uid == "1.2.9"


def test_deleting_the_leader_elects_another(open_archive: Opener) -> None:
    archive = open_archive(KEEP_FIRST)
    archive.store([incoming(make_instance("1.2.3.4.1", patient="FIRST", patient_id="A"), 1)])
    archive.store([incoming(make_instance("1.2.3.4.2", patient="SECOND", patient_id="B"), 2)])
    by_id = Query(level=Level.STUDY, matches=(Match(0x00100020, "LO", "A"),))
    assert len(archive.search(by_id).rows) == 1
    archive.delete(sop_uid="1.2.3.4.1")
    assert len(archive.search(by_id).rows) == 0
    assert archive.search(Query(level=Level.STUDY)).rows[0].attributes["00100010"]["Value"] == [
        {"Alphabetic": "SECOND"}
    ]


def test_compaction_moves_what_lives(open_archive: Opener) -> None:
    archive = open_archive(KEEP_FIRST)
    contents = {f"1.2.3.4.{i}": make_instance(f"1.2.3.4.{i}", number=i, rows=64, columns=64) for i in range(1, 80)}
    for i, content in enumerate(contents.values()):
        archive.store([incoming(content, i)])
    keep = list(contents)[::10]
    stale = {uid: archive.instance(uid) for uid in keep}
    for uid in contents:
        if uid not in keep:
            archive.delete(sop_uid=uid)
    assert archive.upkeep().compact(grace_s=0) > 0
    for uid in keep:
        assert archive.read(archive.instance(uid)) == contents[uid]
        assert archive.read(stale[uid]) == contents[uid]  # a record from before the move finds the new place
    assert [c for c in archive.upkeep().verify() if c.problem] == []


def test_search_uses_the_cheapest_key(open_archive: Opener) -> None:
    archive = open_archive(KEEP_FIRST)
    for i in range(50):
        content = make_instance(
            f"1.9.{i}.1.1", study=f"1.9.{i}", series=f"1.9.{i}.1", patient_id=f"ID{i}", patient=f"Smith{i:02}^A",
            date=f"2021{i % 12 + 1:02}01",
        )  # fmt: skip
        archive.store([incoming(content, i)])

    def find(*keys: Match, **more: object) -> tuple[int, int]:
        found = archive.search(Query(level=Level.STUDY, matches=keys, **more))  # type: ignore[arg-type]
        return len(found.rows), found.keys_read

    assert find(Match(0x00100020, "LO", "ID7")) == (1, 1)
    assert find(Match(0x00100020, "LO", "ID1*")) == (11, 11)
    assert find(Match(0x00100010, "PN", "smith0*")) == (10, 10)
    assert find(Match(0x00080020, "DA", "20210101-20210201")) == (10, 10)
    assert find(Match(0x00100010, "PN", "*TH4*")) == (10, 10)
    assert find(Match(0x00080061, "CS", "MR")) == (0, 0)
    assert find(Match(0x0020000D, "UI", "1.9.3,1.9.4")) == (2, 2)
    page = archive.search(Query(level=Level.STUDY, limit=20, offset=40))
    assert (len(page.rows), page.has_more) == (10, False)
    assert archive.search(Query(level=Level.STUDY, limit=20)).has_more


def test_many_small_segments(open_archive: Opener) -> None:
    archive = open_archive(KEEP_FIRST)
    contents = {f"1.2.3.4.{i}": make_instance(f"1.2.3.4.{i}", number=i, rows=100, columns=100) for i in range(1, 50)}
    for content in contents.values():
        archive.store([incoming(content)])
    assert archive.stats().segment_count > 2
    for uid, content in contents.items():
        assert archive.read(archive.instance(uid)) == content
    assert archive.stats().instances == 49


def poisoned(content: bytes, received_ns: int = 1) -> Incoming:
    """An instance that the index cannot take, as a mistake in the scanner would make one."""
    one = incoming(content, received_ns)
    return replace(one, scanned=replace(one.scanned, series_json=b"{"))


def test_what_the_index_does_not_take_leaves_nothing(open_archive: Opener) -> None:
    archive = open_archive(KEEP_FIRST)
    archive.store([incoming(make_instance("1.2.3.4.1"))])
    dump, size = archive.dump(), archive.stats().segment_bytes
    for _ in range(2):
        with pytest.raises(ValueError):
            archive.store([incoming(make_instance("1.2.3.4.2"), 2), poisoned(make_instance("1.2.3.4.3"), 3)])
    assert archive.dump() == dump
    assert archive.stats().segment_bytes <= size
    assert archive.is_writable
    archive.store([incoming(make_instance("1.2.3.4.4"), 4)])
    assert archive.read(archive.instance("1.2.3.4.4")) == make_instance("1.2.3.4.4")
    assert problems(archive) == []


def test_a_spooled_neighbour_of_a_failed_instance_can_be_stored_again(open_archive: Opener) -> None:
    """The committer tries each instance of a failed group by itself: the spool must still be there, and be this one's."""
    archive = open_archive(KEEP_FIRST)
    content = make_instance("1.2.3.4.1", rows=300, columns=300)
    large = spooled(archive, content)
    for _ in range(3):
        with pytest.raises(ValueError):
            archive.store([large, poisoned(make_instance("1.2.3.4.3"), 3)])
    assert archive.store([large])[0].status is StoreStatus.STORED
    assert archive.read(archive.instance("1.2.3.4.1")) == content
    assert problems(archive) == []
    assert archive.store([spooled(archive, content)])[0].status is StoreStatus.DUPLICATE


def test_a_deletion_that_the_index_does_not_take_leaves_no_tombstone(
    open_archive: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = open_archive(KEEP_FIRST)
    archive.store([incoming(make_instance("1.2.3.4.1"))])
    members = list(archive._core.blobs.members())
    monkeypatch.setattr("engine.archive.places.put_erasure", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        archive.delete(sop_uid="1.2.3.4.1")
    monkeypatch.undo()
    assert list(archive._core.blobs.members()) == members
    assert archive.read(archive.instance("1.2.3.4.1")) == make_instance("1.2.3.4.1")


def test_in_doubt_about_the_index_nothing_is_taken_back(open_archive: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that failed in the middle may be on the disk: cutting its bytes off could make the index lie."""
    archive = open_archive(KEEP_FIRST)
    archive.store([incoming(make_instance("1.2.3.4.9"))])
    core = archive._core

    def failed(*_: object) -> None:
        core.engine.read_only_reason = "the index could not be written: EIO"
        raise ArchiveReadOnly("x", core.engine.read_only_reason)

    monkeypatch.setattr(core, "write", failed)
    with pytest.raises(ArchiveReadOnly):
        archive.store([incoming(make_instance("1.2.3.4.1"))])
    monkeypatch.undo()
    assert len(list(core.blobs.members())) == 2
    assert not archive.is_writable
    with pytest.raises(ArchiveReadOnly):
        archive.store([incoming(make_instance("1.2.3.4.2"))])
    with pytest.raises(ArchiveReadOnly):
        archive.delete(sop_uid="1.2.3.4.9")


def test_an_interruption_after_the_commit_keeps_what_was_committed(
    open_archive: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = open_archive(KEEP_FIRST)
    write = archive._core.write

    def interrupted(work: object) -> None:
        write(work)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(archive._core, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        archive.store([incoming(make_instance("1.2.3.4.1"))])
    monkeypatch.undo()
    assert archive.read(archive.instance("1.2.3.4.1")) == make_instance("1.2.3.4.1")
    assert archive.is_writable
    assert problems(archive) == []


def test_todo_names_changed_and_deleted_series(open_archive: Opener) -> None:
    archive = open_archive(KEEP_FIRST)
    archive.store([incoming(make_instance())])
    [(study, series, token)] = archive.pending_series()
    assert (study, series) == ("1.2.3", "1.2.3.4")
    archive.delete(study_uid="1.2.3")
    assert archive.pending_series() == []
    [(key, later)] = archive.gone_series()
    archive.series_done((key, token))
    assert archive.gone_series() == [(key, later)]  # it changed since
    archive.series_done((key, later))
    assert archive.gone_series() == []
