"""The change feed over every pair of index engine and blob store: what is served can be told from the feed alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from archives import LIMITS, incoming
from data import make_instance

from engine.archive.archive import KEEP_FIRST, REPLACE, Archive
from engine.archive.changes import Change, ChangeKind
from engine.errors import ChangesGone
from engine.limits import Limits

Opener = Callable[..., Archive]
STORED, REPLACED, KEPT, DELETED, QUIET = ChangeKind


@pytest.fixture(params=["segments", "memory"])
def open_archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    opened: list[Archive] = []

    def make(on_conflict: str = KEEP_FIRST, limits: Limits = LIMITS) -> Archive:
        if request.param == "memory":
            archive = Archive.in_memory(limits, on_conflict=on_conflict)
        else:
            archive = Archive.open(tmp_path / f"archive{len(opened)}", limits, on_conflict=on_conflict)
        opened.append(archive)
        return archive

    yield make
    for archive in opened:
        archive.close()


def since(archive: Archive, number: int) -> list[Change]:
    return archive.changes(number, 10_000)[1]


def brief(changes: list[Change]) -> list[tuple[ChangeKind, str, str]]:
    return [(c.kind, c.series_instance_uid, c.sop_instance_uid) for c in changes]


def test_stores_and_deletions_are_numbered_in_order(open_archive: Opener) -> None:
    archive = open_archive()
    begun = archive.feed()
    assert begun.epoch == begun.first == begun.last > 1_600_000_000_000_000
    archive.store([incoming(make_instance(f"1.2.3.4.{i}", number=i), i) for i in (1, 2)])
    archive.store([incoming(make_instance("1.2.3.5.1", series="1.2.3.5"), 3)])
    archive.delete(series_uid="1.2.3.4", study_uid="1.2.3")
    changes = since(archive, begun.last)
    assert brief(changes) == [
        (STORED, "1.2.3.4", "1.2.3.4.1"), (STORED, "1.2.3.4", "1.2.3.4.2"), (STORED, "1.2.3.5", "1.2.3.5.1"),
        (DELETED, "1.2.3.4", "1.2.3.4.1"), (DELETED, "1.2.3.4", "1.2.3.4.2"),
    ]  # fmt: skip
    assert [c.sequence for c in changes] == list(range(begun.last + 1, begun.last + 6))
    assert {c.study_instance_uid for c in changes} == {"1.2.3"}
    assert changes[0].changed_ns <= changes[-1].changed_ns
    assert since(archive, changes[2].sequence) == changes[3:]
    assert since(archive, changes[-1].sequence) == []
    extent, page = archive.changes(begun.last, 2)
    assert page == changes[:2]
    assert extent.last == changes[-1].sequence


def test_the_same_bytes_again_are_no_change(open_archive: Opener) -> None:
    archive = open_archive()
    archive.store([incoming(make_instance())] * 2)
    last = archive.feed().last
    archive.store([incoming(make_instance(), 2)])
    assert archive.feed().last == last == archive.feed().epoch + 1


def test_other_bytes_replace_or_are_kept(open_archive: Opener) -> None:
    for policy, expected in ((KEEP_FIRST, KEPT), (REPLACE, REPLACED)):
        archive = open_archive(policy)
        archive.store([incoming(make_instance(patient="FIRST"), 1)])
        last = archive.feed().last
        archive.store([incoming(make_instance(patient="SECOND"), 2)])
        assert brief(since(archive, last)) == [(expected, "1.2.3.4", "1.2.3.4.1")]
        last = archive.feed().last
        archive.delete(sop_uid="1.2.3.4.1")
        assert brief(since(archive, last)) == [(DELETED, "1.2.3.4", "1.2.3.4.1")]


def test_an_instance_that_is_served_elsewhere_has_gone_from_where_it_was(open_archive: Opener) -> None:
    archive = open_archive(REPLACE)
    archive.store([incoming(make_instance(), 1)])
    last = archive.feed().last
    archive.store([incoming(make_instance(series="1.2.3.9"), 2)])
    assert brief(since(archive, last)) == [(DELETED, "1.2.3.4", "1.2.3.4.1"), (STORED, "1.2.3.9", "1.2.3.4.1")]


def test_what_the_index_does_not_take_is_in_no_feed(open_archive: Opener) -> None:
    archive = open_archive()
    archive.store([incoming(make_instance())])
    last = archive.feed().last
    good, bad = incoming(make_instance("1.2.3.4.2"), 2), incoming(make_instance("1.2.3.4.3"), 3)
    with pytest.raises(ValueError):
        archive.store([good, replace(bad, scanned=replace(bad.scanned, series_json=b"{"))])
    assert archive.feed().last == last
    archive.store([good])
    assert brief(since(archive, last)) == [(STORED, "1.2.3.4", "1.2.3.4.2")]


def test_compaction_changes_nothing_that_is_served(open_archive: Opener) -> None:
    archive = open_archive()
    for i in range(1, 60):
        archive.store([incoming(make_instance(f"1.2.3.4.{i}", number=i, rows=64, columns=64), i)])
    for i in range(1, 60):
        if i % 10:
            archive.delete(sop_uid=f"1.2.3.4.{i}")
    last = archive.feed().last
    assert archive.upkeep().compact(grace_s=0) > 0
    assert archive.feed().last == last


def test_a_series_that_has_gone_quiet_is_told_once(open_archive: Opener) -> None:
    archive = open_archive()
    archive.store([incoming(make_instance())])
    [(_, _, token)] = archive.pending_series()
    archive.store([incoming(make_instance("1.2.3.4.2"))])
    from engine.archive.index import series_key

    last, key = archive.feed().last, series_key("1.2.3", "1.2.3.4")
    archive.series_done((key, token))
    assert archive.feed().last == last, "something came in since"
    [(_, _, token)] = archive.pending_series()
    archive.series_done((key, token))
    archive.series_done((key, token))
    assert brief(since(archive, last)) == [(QUIET, "1.2.3.4", "")]
    archive.delete(study_uid="1.2.3")
    last = archive.feed().last
    [(key, token)] = archive.gone_series()
    archive.series_done((key, token))
    assert archive.feed().last == last


def test_old_changes_go_and_who_asks_for_them_is_told(open_archive: Opener) -> None:
    archive = open_archive(limits=replace(LIMITS, changes_max=10))
    begun = archive.feed().last
    for i in range(1, 40):
        archive.store([incoming(make_instance(f"1.2.3.4.{i}", number=i), i)])
    extent = archive.feed()
    assert extent.last == begun + 39
    assert extent.last - extent.first == 10
    assert len(since(archive, extent.first)) == 10
    for number in (begun, extent.first - 1, extent.last + 1, 0):
        with pytest.raises(ChangesGone) as caught:
            archive.changes(number, 10)
        assert (caught.value.first, caught.value.last) == (extent.first, extent.last)


def test_changes_go_by_age_but_never_the_newest(open_archive: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = open_archive(limits=replace(LIMITS, changes_days_max=7))
    now = 1_700_000_000 * 10**9
    monkeypatch.setattr("engine.archive.changes.time.time_ns", lambda: now)
    archive.store([incoming(make_instance(f"1.2.3.4.{i}", number=i), i) for i in range(1, 6)])
    now += 6 * 86_400 * 10**9
    archive.store([incoming(make_instance("1.2.3.4.6", number=6), 6)])
    first = archive.feed().first
    now += 2 * 86_400 * 10**9
    archive.store([incoming(make_instance("1.2.3.4.7", number=7), 7)])
    assert archive.feed().first == first + 5
    now += 365 * 86_400 * 10**9
    archive.store([incoming(make_instance("1.2.3.4.8", number=8), 8)])
    assert brief(since(archive, archive.feed().first)) == [(STORED, "1.2.3.4", "1.2.3.4.8")]
    assert archive.feed().last == first + 8
