"""The accept path: groups that gather by themselves, one bad instance that costs nobody else, clients that go away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import pytest
from archives import LIMITS, problems
from data import make_instance

from engine.archive.archive import Archive
from engine.archive.records import StoreStatus
from engine.errors import ArchiveFull, NotDicom, TooBusy, TooLarge
from engine.ingest import accept
from engine.ingest.accept import Acceptor
from engine.limits import Limits
from engine.types import Source

SOURCE = Source("test")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive.open(tmp_path, LIMITS)
    yield archive
    archive.close()


@pytest.fixture
def acceptor(archive: Archive) -> Iterator[Acceptor]:
    acceptor = Acceptor(archive, LIMITS)
    yield acceptor
    acceptor.close()


class Gate:
    """Holds the committer inside `Archive.store` until it is opened."""

    def __init__(self, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
        self._open = threading.Event()
        self.entered = threading.Event()
        self.groups: list[int] = []
        store = archive.store

        def held(batch: object) -> object:
            self.groups.append(len(batch))  # type: ignore[arg-type]
            self.entered.set()
            assert self._open.wait(30)
            return store(batch)  # type: ignore[arg-type]

        monkeypatch.setattr(archive, "store", held)

    def open(self) -> None:
        self._open.set()


def instance(i: int, **changes: object) -> bytes:
    return make_instance(f"1.2.3.4.{i}", number=i, **changes)  # type: ignore[arg-type]


def test_an_answer_means_that_it_is_in_the_archive(archive: Archive, acceptor: Acceptor) -> None:
    accepted = acceptor.submit(instance(1), SOURCE).result(10)
    assert (accepted.status, accepted.sop_instance_uid, accepted.length) == (
        StoreStatus.STORED,
        "1.2.3.4.1",
        len(instance(1)),
    )
    assert archive.read(archive.instance("1.2.3.4.1")) == instance(1)
    assert acceptor.submit(instance(1), SOURCE).result(10).status is StoreStatus.DUPLICATE


def test_what_waits_while_one_commits_is_one_group(
    archive: Archive, acceptor: Acceptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(archive, monkeypatch)
    first = acceptor.submit(instance(0), SOURCE)
    assert gate.entered.wait(10)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: acceptor.submit(instance(i), SOURCE), range(1, 31)))
    syncs, commits = archive.syncs, archive.commits
    gate.open()
    wait([first, *answers], 10)
    assert gate.groups == [1, 30]
    assert (archive.syncs - syncs, archive.commits - commits) == (2, 2)


def test_bulk_has_two_groups_under_way_and_each_bears_its_own_failure(
    archive: Archive, acceptor: Acceptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are in the store before either is done; the index refuses one of them, and the other is kept."""
    monkeypatch.setattr(accept, "_GROUP_BYTES", 1)  # every instance is a group
    both = threading.Barrier(2)
    write = archive._core.write

    def meet(work: object) -> object:
        both.wait(30)
        if threading.current_thread().name == "committer-0":
            raise ArchiveFull("x")
        return write(work)  # type: ignore[arg-type]

    monkeypatch.setattr(archive._core, "write", meet)
    answers = {i: acceptor.submit(instance(i), SOURCE) for i in (1, 2)}
    wait(answers.values(), 30)
    monkeypatch.undo()
    failed = [i for i, answer in answers.items() if answer.exception()]
    assert len(failed) == 1
    assert archive.stats().instances == 1
    assert acceptor.submit(instance(failed[0]), SOURCE).result(10).status is StoreStatus.STORED
    assert [archive.read(archive.instance(f"1.2.3.4.{i}")) for i in (1, 2)] == [instance(1), instance(2)]
    assert problems(archive) == []


def test_small_instances_wait_for_one_group_and_do_not_begin_a_second(
    archive: Archive, acceptor: Acceptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(archive, monkeypatch)
    answers = [acceptor.submit(instance(0), SOURCE)]
    assert gate.entered.wait(10)
    answers += [acceptor.submit(instance(i), SOURCE) for i in (1, 2, 3)]
    time.sleep(0.05)  # the second committer has been woken by each of them
    assert gate.groups == [1]
    gate.open()
    wait(answers, 10)
    assert gate.groups == [1, 3]


def test_one_instance_is_never_in_two_groups_at_once(
    archive: Archive, acceptor: Acceptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent twice in a row: the second must find the first in the index, or its bytes would be written again."""
    monkeypatch.setattr(accept, "_GROUP_BYTES", 1)
    gate = Gate(archive, monkeypatch)
    answers = [acceptor.submit(instance(1), SOURCE) for _ in range(3)]
    assert gate.entered.wait(10)
    time.sleep(0.05)
    assert gate.groups == [1]
    gate.open()
    assert [a.result(10).status for a in answers] == [StoreStatus.STORED, *[StoreStatus.DUPLICATE] * 2]
    assert len(list(archive._core.blobs.members())) == 1


def test_a_sender_that_goes_away_does_not_stop_the_others(
    archive: Archive, acceptor: Acceptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelling the awaiting task cancels the future that it wraps; the committer must survive answering it."""
    gate = Gate(archive, monkeypatch)
    first = acceptor.submit(instance(0), SOURCE)
    assert gate.entered.wait(10)
    gone = acceptor.submit(instance(1), SOURCE)
    stays = acceptor.submit(instance(2), SOURCE)
    gone.cancel()
    gate.open()
    assert first.result(10).status is StoreStatus.STORED
    assert stays.result(10).status is StoreStatus.STORED
    assert acceptor.submit(instance(3), SOURCE).result(10).status is StoreStatus.STORED


def test_one_instance_that_cannot_be_indexed_costs_nobody_else(
    archive: Archive, acceptor: Acceptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also not a large one in the same group, whose spool must be tried again and not be mistaken for another file."""
    real = accept.scan

    def scan(content: bytes, limits: Limits) -> object:
        scanned = real(content, limits)
        return replace(scanned, series_json=b"{") if scanned.sop_instance_uid == "1.2.3.4.2" else scanned

    monkeypatch.setattr(accept, "scan", scan)
    gate = Gate(archive, monkeypatch)
    first = acceptor.submit(instance(0), SOURCE)
    assert gate.entered.wait(10)
    large = instance(1, rows=300, columns=300)
    spool = acceptor.open_spool(SOURCE)
    for at in range(0, len(large), 50_000):
        spool.write(large[at : at + 50_000])
    answers = [spool.finish(), acceptor.submit(instance(2), SOURCE), acceptor.submit(instance(3), SOURCE)]
    gate.open()
    assert first.result(10).status is StoreStatus.STORED
    with pytest.raises(ValueError):
        answers[1].result(10)
    assert [answers[i].result(10).status for i in (0, 2)] == [StoreStatus.STORED] * 2
    assert archive.is_writable
    assert archive.read(archive.instance("1.2.3.4.1")) == large
    assert problems(archive) == []


def test_a_full_archive_is_told_to_each_sender_and_leaves_no_spool(
    archive: Archive, acceptor: Acceptor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(batch: object) -> None:
        raise ArchiveFull("x")

    monkeypatch.setattr(archive, "store", full)
    spool = acceptor.open_spool(SOURCE)
    spool.write(instance(1, rows=300, columns=300))
    answers = [spool.finish(), acceptor.submit(instance(2), SOURCE)]
    for answer in answers:
        with pytest.raises(ArchiveFull):
            answer.result(10)
    assert list((tmp_path / "segments").iterdir()) == []


def test_the_queue_is_bounded_in_bytes(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(instance(1))
    acceptor = Acceptor(archive, replace(LIMITS, accept_queue_bytes_max=3 * size))
    gate = Gate(archive, monkeypatch)
    monkeypatch.setattr(accept, "_QUEUE_DEADLINE_S", 0.1)
    answers = [acceptor.submit(instance(0), SOURCE)]
    assert gate.entered.wait(10)
    answers += [acceptor.submit(instance(i), SOURCE) for i in (1, 2)]
    started = time.monotonic()
    with pytest.raises(TooBusy):
        acceptor.submit(instance(3), SOURCE)
    assert time.monotonic() - started < 20
    gate.open()
    assert [a.result(10).status for a in answers] == [StoreStatus.STORED] * 3
    assert acceptor.submit(instance(3), SOURCE).result(10).status is StoreStatus.STORED
    acceptor.close()


def test_the_queue_is_bounded_in_number(archive: Archive, acceptor: Acceptor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accept, "_QUEUED_MAX", 2)
    monkeypatch.setattr(accept, "_QUEUE_DEADLINE_S", 0.1)
    gate = Gate(archive, monkeypatch)
    answers = [acceptor.submit(instance(0), SOURCE)]
    assert gate.entered.wait(10)
    answers += [acceptor.submit(instance(i), SOURCE) for i in (1, 2)]
    with pytest.raises(TooBusy):
        acceptor.submit(instance(3), SOURCE)
    gate.open()
    wait(answers, 10)


def test_closing_stores_what_is_queued_and_then_refuses(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    acceptor = Acceptor(archive, LIMITS)
    gate = Gate(archive, monkeypatch)
    answers = [acceptor.submit(instance(i), SOURCE) for i in range(5)]
    closing = threading.Thread(target=acceptor.close)
    closing.start()
    gate.open()
    closing.join(10)
    assert [a.result(0).status for a in answers] == [StoreStatus.STORED] * 5
    with pytest.raises(TooBusy):
        acceptor.submit(instance(9), SOURCE)


def test_a_committer_that_dies_leaves_nobody_waiting(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    acceptor = Acceptor(archive, LIMITS)
    gate = Gate(archive, monkeypatch)
    acceptor.submit(instance(0), SOURCE)
    assert gate.entered.wait(10)
    waiting = acceptor.submit(instance(1), SOURCE)
    monkeypatch.setattr(acceptor, "_commit", lambda group: (_ for _ in ()).throw(SystemError))
    gate.open()
    with pytest.raises((TooBusy, SystemError)):
        waiting.result(10)
    with pytest.raises(TooBusy):
        acceptor.submit(instance(2), SOURCE)


@pytest.mark.parametrize("is_large", [False, True])
def test_what_is_aborted_or_refused_leaves_nothing(
    archive: Archive, acceptor: Acceptor, tmp_path: Path, is_large: bool
) -> None:
    piece = b"x" * (LIMITS.spool_bytes + 1 if is_large else 10)
    aborted = acceptor.open_spool(SOURCE)
    aborted.write(piece)
    aborted.abort()
    aborted.abort()
    refused = acceptor.open_spool(SOURCE)
    refused.write(piece)
    with pytest.raises(NotDicom):
        refused.finish()
    assert list((tmp_path / "segments").glob("*")) == []
    assert archive.stats().instances == 0


def test_an_instance_over_the_limit_is_refused_while_it_comes(archive: Archive) -> None:
    acceptor = Acceptor(archive, replace(LIMITS, instance_bytes_max=100_000))
    spool = acceptor.open_spool(SOURCE)
    with pytest.raises(TooLarge):
        for _ in range(20):
            spool.write(bytes(10_000))
    assert spool.length == 100_000
    spool.abort()
    acceptor.close()
