"""What peers have acknowledged becomes durable in groups, is kept while it cannot be, and holds up who adds too much."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from engine.archive.outbox_records import Item, Result, Settled
from engine.dimse import acknowledging as module
from engine.dimse.acknowledging import Acknowledging
from engine.errors import ArchiveFull


class Slow:
    """An outbox whose commits take a while, and of which the first `failures` fail."""

    def __init__(self, seconds: float = 0.02, failures: int = 0) -> None:
        self.groups: list[int] = []
        self._seconds, self._failures = seconds, failures

    def settle(self, settled: Sequence[Settled]) -> None:
        if not settled:
            return
        time.sleep(self._seconds)
        if self._failures:
            self._failures -= 1
            raise ArchiveFull("there")
        self.groups.append(len(settled))


def one(number: int) -> Settled:
    item = Item(entry=1, number=number, series_instance_uid="1", sop_instance_uid=str(number))
    return Settled(item=item, result=Result.SENT)


def begun(outbox: Any) -> Acknowledging:
    return Acknowledging(outbox)


def test_what_comes_while_the_disk_works_is_one_commit() -> None:
    outbox = Slow()
    acknowledging = begun(outbox)
    for number in range(100):
        acknowledging.add([one(number)])
    acknowledging.flush()
    assert sum(outbox.groups) == 100
    assert len(outbox.groups) <= 3
    acknowledging.close()


def test_what_cannot_be_written_is_written_later_and_flush_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_S", 0.05)
    outbox = Slow(failures=3)
    acknowledging = begun(outbox)
    acknowledging.add([one(1), one(2)])
    acknowledging.flush()
    assert sum(outbox.groups) == 2
    acknowledging.close()


def test_who_adds_more_than_can_be_written_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAITING_MAX", 5)
    outbox = Slow(seconds=0.3)
    acknowledging = begun(outbox)
    acknowledging.add([one(0)])
    time.sleep(0.05)
    acknowledging.add([one(n) for n in range(1, 6)])
    blocked = threading.Thread(target=lambda: acknowledging.add([one(6)]))
    blocked.start()
    blocked.join(0.1)
    assert blocked.is_alive()
    blocked.join(5)
    assert not blocked.is_alive()
    acknowledging.close()
    assert sum(outbox.groups) == 7


def test_the_end_writes_what_is_left_and_lets_go_of_who_waits() -> None:
    outbox = Slow(failures=1000)
    acknowledging = begun(outbox)
    acknowledging.add([one(1)])
    waiting = threading.Thread(target=acknowledging.flush)
    waiting.start()
    acknowledging.close()
    waiting.join(5)
    assert not waiting.is_alive()
