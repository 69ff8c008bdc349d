"""What waits to be sent: nothing twice, nothing lost, in order; over both index engines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.archive import outbox as module
from engine.archive.outbox import Outbox
from engine.archive.outbox_records import Item, Order, ReadTo, Result, Settled, State, Taken
from engine.errors import OutboxDamaged, OutboxEntryNotFound, TooBusy
from engine.limits import Limits

LATER = 2**62


@pytest.fixture(params=["memory", "lmdb"])
def outbox(request: Any, tmp_path: Path) -> Iterator[Outbox]:
    limits = Limits(outbox_instances_max=20)
    made = Outbox.in_memory(limits) if request.param == "memory" else Outbox.open(tmp_path, limits)
    yield made
    made.close()


def order(sops: str, peer: str = "A", study: str = "1.2", **more: Any) -> Order:
    return Order(peer=peer, instances=tuple((study, "1.2.3", sop) for sop in sops), reason="rule x", **more)


def sops(items: list[Item]) -> str:
    return "".join(one.sop_instance_uid for one in items)


def settled(items: list[Item], result: Result = Result.SENT, error: str = "") -> list[Settled]:
    return [Settled(item=one, result=result, error=error, length=10) for one in items]


def is_empty(outbox: Outbox) -> bool:
    return (
        not outbox.entries() and not outbox.count() and outbox.due("A", LATER) is None and outbox.next_ns("A") is None
    )


def test_what_is_put_waits_and_what_is_sent_goes(outbox: Outbox) -> None:
    assert outbox.put(order("abc")) == Taken(added=3, already=0, entries=(1,))
    entry = outbox.due("A", time.time_ns())
    assert entry == outbox.entry(1)
    assert entry is not None
    assert (entry.peer, entry.study_instance_uid, entry.waiting, entry.state) == ("A", "1.2", 3, State.WAITING)
    items = outbox.items(1, 2)
    assert sops(items) == "ab"
    assert sops(outbox.items(1, 5, behind=items[-1].number)) == "c"
    outbox.settle(settled(items))
    assert (outbox.entry(1).waiting, outbox.entry(1).sent) == (1, 2)
    outbox.settle(settled(outbox.items(1, 5)))
    assert is_empty(outbox)
    assert (outbox.peer("A").sent, outbox.peer("A").sent_bytes) == (3, 30)


def test_an_instance_waits_for_a_peer_only_once(outbox: Outbox) -> None:
    outbox.put(order("ab"))
    assert outbox.put(order("bcc")) == Taken(added=1, already=2, entries=(1,))
    assert outbox.put(order("abc", priority="high")) == Taken(already=3)
    assert outbox.put(order("a", peer="B")).added == 1
    assert sops(outbox.items(1, 9)) == "abc"
    outbox.settle(settled(outbox.items(1, 9)))
    assert outbox.put(order("a")).added == 1, "once it is sent it may be ordered again"


def test_studies_priorities_and_reasons_are_entries_of_their_own(outbox: Outbox) -> None:
    outbox.put(order("a", priority="low"))
    outbox.put(order("b", study="1.3"))
    outbox.put(order("c", study="1.4", priority="high"))
    outbox.put(Order(peer="A", instances=(("1.2", "1", "d"),), reason="command line"))
    seen: list[int] = []
    while (entry := outbox.due("A", LATER, seen)) is not None:
        seen.append(entry.id)
    assert seen == [3, 2, 4, 1]
    assert outbox.due("B", LATER) is None


def test_what_is_not_due_waits_until_it_is(outbox: Outbox) -> None:
    now = time.time_ns()
    outbox.put(order("a", due_ns=now + 10**12, priority="high"))
    assert outbox.due("A", now + 10**11) is None
    assert outbox.next_ns("A") == now + 10**12
    outbox.put(order("b", priority="low"))
    assert outbox.due("A", time.time_ns()) == outbox.entry(2), "one of a lower priority goes meanwhile"
    found = outbox.due("A", now + 10**12)
    assert found is not None
    assert found.id == 1


def test_what_still_comes_in_puts_a_quiet_study_off(outbox: Outbox) -> None:
    outbox.put(order("a", quiet_ns=10**12))
    first = outbox.entry(1).next_ns
    outbox.put(order("b", quiet_ns=10**12))
    assert outbox.entry(1).next_ns > first
    assert outbox.entry(1).waiting == 2


def test_a_failure_puts_off_and_progress_makes_up_for_it(outbox: Outbox) -> None:
    outbox.put(order("ab"))
    outbox.postpone(1, LATER, "no answer")
    outbox.postpone(1, LATER + 5, "no answer")
    entry = outbox.entry(1)
    assert (entry.attempts, entry.last_error, entry.next_ns) == (2, "no answer", LATER + 5)
    assert entry.first_failure_ns > 0
    assert outbox.due("A", LATER) is None
    outbox.put(order("c"))
    assert outbox.entry(1).next_ns == LATER + 5, "more to send is no reason to call sooner"
    outbox.settle(settled(outbox.items(1, 1)))
    assert (outbox.entry(1).attempts, outbox.entry(1).first_failure_ns) == (0, 0)


def test_one_that_is_not_taken_now_goes_behind_the_others(outbox: Outbox) -> None:
    outbox.put(order("abc"))
    outbox.settle(settled(outbox.items(1, 1), Result.LATER, "out of resources"))
    items = outbox.items(1, 9)
    assert sops(items) == "bca"
    assert (items[-1].attempts, items[-1].error) == (1, "out of resources")
    assert outbox.put(order("a")).already == 1
    assert outbox.count() == 3


def test_failed_ones_stay_to_be_seen(outbox: Outbox) -> None:
    outbox.put(order("abc"))
    items = outbox.items(1, 9)
    outbox.settle([*settled(items[:1], Result.FAILED, "no such SOP class"), *settled(items[1:])])
    entry = outbox.entry(1)
    assert (entry.state, entry.waiting, entry.sent, entry.failed) == (State.GIVEN_UP, 0, 2, 1)
    [failed] = outbox.failed_items(1, 9)
    assert (failed.sop_instance_uid, failed.error) == ("a", "no such SOP class")
    assert outbox.due("A", LATER) is None
    assert outbox.retry(entry=1) == 1
    assert sops(outbox.items(1, 9)) == "a"
    assert outbox.due("A", time.time_ns()) == outbox.entry(1)
    outbox.settle(settled(outbox.items(1, 9)))
    assert is_empty(outbox)


def test_what_is_gone_from_the_archive_is_gone_here(outbox: Outbox) -> None:
    outbox.put(order("ab"))
    outbox.settle(settled(outbox.items(1, 1), Result.GONE))
    assert (outbox.entry(1).waiting, outbox.entry(1).sent) == (1, 0)
    outbox.settle(settled(outbox.items(1, 1), Result.GONE))
    assert is_empty(outbox)
    assert outbox.peer("A").sent == 0


def test_what_was_given_up_may_be_ordered_again(outbox: Outbox) -> None:
    outbox.put(order("ab"))
    outbox.give_up(1, "for a week")
    assert outbox.entry(1).state == State.GIVEN_UP
    assert outbox.put(order("b")) == Taken(added=1, entries=(2,))
    assert outbox.retry(peer="A") == 2
    assert (sops(outbox.items(1, 9)), sops(outbox.items(2, 9))) == ("a", "b"), "and waits only once"
    assert (outbox.entry(1).waiting, outbox.count()) == (1, 2)


def test_what_is_changed_in_several_transactions_is_changed_whole(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GROUP_INSTANCES", 3)
    outbox.put(*(order(two, study=f"1.{two}") for two in ("ab", "cd", "ef", "gh", "ij")))
    for entry in outbox.entries():
        outbox.give_up(entry.id, "x")
    assert outbox.retry(peer="A") == 5
    assert {one.state for one in outbox.entries()} == {State.WAITING}
    assert outbox.cancel(peer="A") == 5
    assert is_empty(outbox)


def test_what_is_cancelled_is_gone_even_while_it_is_sent(outbox: Outbox) -> None:
    outbox.put(order("ab"), order("c", peer="B"))
    items = outbox.items(1, 9)
    assert outbox.cancel(entry=1) == 1
    outbox.settle([*settled(items[:1]), *settled(items[1:], Result.LATER)])
    outbox.postpone(1, LATER, "x")
    outbox.give_up(1, "x")
    assert is_empty_but(outbox, "c")
    assert outbox.cancel(peer="A") == 0
    assert outbox.cancel(peer="B") == 1
    assert is_empty(outbox)
    for call in (outbox.cancel, outbox.retry):
        with pytest.raises(OutboxEntryNotFound, match="number 1"):
            call(entry=1)


def is_empty_but(outbox: Outbox, sop: str) -> bool:
    return [sops(outbox.items(one.id, 9)) for one in outbox.entries()] == [sop]


def test_it_is_bounded_and_says_so_and_takes_none_of_too_many(outbox: Outbox) -> None:
    outbox.put(order("abcdefghijklmnop"))
    with pytest.raises(TooBusy, match="the outbox queue is full"):
        outbox.put(order("qrstu"), rules={"x": ReadTo(sequence=7)})
    assert outbox.count() == 16
    assert outbox.rules() == {}
    assert outbox.put(order("qrst")).added == 4
    assert outbox.put(order("abc")).already == 3, "what waits already needs no room"


def test_how_it_goes_with_each_peer(outbox: Outbox) -> None:
    outbox.put(order("ab"), order("c", peer="B"), order("d", study="1.3"))
    outbox.peer_failed("B", LATER, "refused")
    outbox.give_up(3, "x")
    a, b = outbox.peers()
    assert (a.peer, a.entries, a.instances, a.given_up, a.failed_instances) == ("A", 1, 2, 1, 1)
    assert (b.state.failures, b.state.next_ns, b.state.last_error) == (1, LATER, "refused")
    assert b.oldest_ns == outbox.entry(2).created_ns
    outbox.peer_answered("B")
    assert outbox.peer("B").failures == 0
    outbox.peer_failed("B", LATER, "refused")
    outbox.retry(peer="B")
    assert outbox.peer("B").next_ns == 0, "who says retry means at once"


def test_how_far_rules_have_read_is_kept_with_what_they_ordered(outbox: Outbox) -> None:
    five, six, far = ReadTo(sequence=5), ReadTo(sequence=6, seen_ns=9), ReadTo(sequence=2**60)
    outbox.put(order("a"), rules={"one": five, "two": far})
    outbox.put(rules={"one": six})
    assert outbox.rules() == {"one": six, "two": far}
    outbox.forget_rules(["two", "three"])
    assert outbox.rules() == {"one": six}


def test_entries_are_listed_in_pages(outbox: Outbox) -> None:
    outbox.put(*(order(sop, study=f"1.{sop}", peer="AB"[at % 2]) for at, sop in enumerate("abcde")))
    assert [one.id for one in outbox.entries(limit=2)] == [1, 2]
    assert [one.id for one in outbox.entries(limit=2, behind=2)] == [3, 4]
    assert [one.id for one in outbox.entries("B")] == [2, 4]


def test_it_is_there_again_after_it_was_closed(tmp_path: Path) -> None:
    first = Outbox.open(tmp_path, Limits())
    first.put(order("ab"))
    first.settle(settled(first.items(1, 1)))
    first.close()
    second = Outbox.open(tmp_path, Limits())
    assert sops(second.items(1, 9)) == "b"
    second.close()


def test_one_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "outbox.lmdb").mkdir()
    (tmp_path / "outbox.lmdb" / "data.mdb").write_bytes(b"x" * 8192)
    with pytest.raises(OutboxDamaged, match=r"move outbox\.lmdb away"):
        Outbox.open(tmp_path, Limits())
