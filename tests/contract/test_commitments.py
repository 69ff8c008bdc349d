"""What every list of storage commitments does, in memory and in LMDB: kept until reported, in turn, each once, bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.archive.commitments import FOLDER, TABLES, Commitments, is_something_waiting
from engine.archive.lmdb_engine import LmdbEngine
from engine.errors import CommitmentsDamaged, TooBusy
from engine.limits import Limits

ONE, TWO = ("1.2", "1.2.1"), ("1.2", "1.2.2")
LIMITS = Limits(commitments_max=3, commitment_instances_max=5)


@pytest.fixture(params=["memory", "lmdb"])
def commitments(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Commitments]:
    make: Callable[[], Commitments] = {
        "memory": lambda: Commitments.in_memory(LIMITS),
        "lmdb": lambda: Commitments.open(tmp_path, LIMITS),
    }[request.param]
    made = make()
    yield made
    made.close()


def test_in_turn_until_they_are_done(commitments: Commitments) -> None:
    first = commitments.add("A", "US", "2.25.1", [ONE, TWO])
    second = commitments.add("B", "US", "2.25.1", [ONE])
    assert first is not None
    assert second is not None
    one = commitments.due(2**62)
    assert one is not None
    assert (one.number, one.ae_title, one.called, one.transaction_uid) == (first, "A", "US", "2.25.1")
    assert (one.instances, one.failures, one.attempts) == ((ONE, TWO), None, 0)
    assert commitments.due(0) is None
    commitments.looked_at(first, [(*TWO, 0x0112)])
    commitments.postpone(first, 2**61, "not there")
    after = commitments.get(first)
    assert after is not None
    assert (after.failures, after.attempts, after.last_error) == (((*TWO, 0x0112),), 1, "not there")
    waiting = commitments.due(2**61 - 1)
    assert waiting is not None
    assert waiting.number == second
    commitments.done(second)
    assert commitments.due(2**61 - 1) is None
    assert commitments.next_ns() == 2**61
    commitments.done(first)
    commitments.done(first)
    assert (commitments.count(), commitments.next_ns(), commitments.get(first)) == (0, None, None)


def test_asked_twice(commitments: Commitments) -> None:
    number = commitments.add("A", "US", "2.25.1", [ONE])
    assert commitments.add("A", "US", "2.25.1", [ONE]) == number
    assert commitments.add("A", "US", "2.25.1", [TWO]) is None
    assert commitments.count() == 1
    assert number is not None
    commitments.done(number)
    assert commitments.add("A", "US", "2.25.1", [TWO]) not in (None, number)


def test_bounds(commitments: Commitments) -> None:
    with pytest.raises(TooBusy):
        commitments.add("A", "US", "2.25.1", [("1.2", f"1.2.{n}") for n in range(6)])
    numbers = [commitments.add("A", "US", f"2.25.{n}", [ONE]) for n in range(3)]
    with pytest.raises(TooBusy):
        commitments.add("A", "US", "2.25.9", [ONE])
    assert numbers[0] is not None
    commitments.done(numbers[0])
    assert commitments.add("A", "US", "2.25.9", [ONE, TWO]) is not None


def test_kept_over_a_restart(tmp_path: Path) -> None:
    assert not is_something_waiting(tmp_path)
    made = Commitments.open(tmp_path, LIMITS)
    number = made.add("A", "US", "2.25.1", [ONE])
    made.close()
    assert is_something_waiting(tmp_path)
    again = Commitments.open(tmp_path, LIMITS)
    one = again.due(2**62)
    assert one is not None
    assert (one.number, one.instances) == (number, (ONE,))
    again.done(one.number)
    again.close()
    assert not is_something_waiting(tmp_path)


def test_of_another_schema(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    engine = LmdbEngine(tmp_path / FOLDER, TABLES, is_writable=True)
    with engine.write() as txn:
        txn.put("meta", b"schema", b"9")
    engine.close()
    with pytest.raises(CommitmentsDamaged, match=r"move commitments\.lmdb away"):
        Commitments.open(tmp_path, LIMITS)
