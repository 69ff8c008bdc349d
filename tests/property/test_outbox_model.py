"""The outbox in any order of events: an instance waits for a peer at most once, nothing ordered is lost, numbers add up."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.archive.outbox import Outbox
from engine.archive.outbox_records import Entry, Item, Order, Result, Settled, State
from engine.archive.outbox_tables import items_of

PEERS, STUDIES, SOPS = ("A", "B"), ("1", "2"), tuple("abcdef")
ALWAYS = 2**62


class OutboxModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox.in_memory()
        self.ordered: dict[tuple[str, str], int] = {}  # (peer, SOP) → how often it was newly taken
        self.over: dict[tuple[str, str], int] = {}  # → how often that came to an end
        self.page: list[Item] = []  # what a sender has in hand, perhaps cancelled meanwhile

    def items(self, entry: Entry) -> list[Item]:
        with self.outbox._engine.read() as view:
            return list(items_of(view, entry.id))

    def count(self, entry: Entry, items: list[Item]) -> None:
        for item in items:
            key = entry.peer, item.sop_instance_uid
            self.over[key] = self.over.get(key, 0) + 1

    @rule(
        peer=st.sampled_from(PEERS), study=st.sampled_from(STUDIES), sops=st.lists(st.sampled_from(SOPS), min_size=1),
        priority=st.sampled_from(["high", "low"]),
    )  # fmt: skip
    def put(self, peer: str, study: str, sops: list[str], priority: str) -> None:
        waiting = self.waiting(peer)
        instances = tuple((study, study + ".1", sop) for sop in sops)
        taken = self.outbox.put(Order(peer=peer, instances=instances, reason="r", priority=priority))
        new = set(sops) - waiting
        assert taken.added == len(new)
        assert taken.already == len(sops) - len(new)
        for sop in new:
            self.ordered[peer, sop] = self.ordered.get((peer, sop), 0) + 1

    @rule(peer=st.sampled_from(PEERS), limit=st.integers(1, 4))
    def take_in_hand(self, peer: str, limit: int) -> None:
        entry = self.outbox.due(peer, ALWAYS)
        assert (entry is None) == (not any(one.state == State.WAITING for one in self.outbox.entries(peer)))
        self.page = [] if entry is None else self.outbox.items(entry.id, limit)

    @rule(result=st.sampled_from(list(Result)))
    def settle_one(self, result: Result) -> None:
        if not self.page:
            return
        item = self.page.pop(0)
        entries = {one.id: one for one in self.outbox.entries()}
        entry = entries.get(item.entry)
        there = entry is not None and item.number in {one.number for one in self.items(entry)}
        self.outbox.settle([Settled(item=item, result=result, error="x")])
        if there and result in (Result.SENT, Result.GONE):
            assert entry is not None
            self.count(entry, [item])

    @rule(at=st.integers(0, 5), what=st.sampled_from(["give_up", "postpone", "retry", "cancel"]))
    def change(self, at: int, what: str) -> None:
        entries = self.outbox.entries()
        if not entries:
            return
        entry = entries[at % len(entries)]
        before = self.items(entry)
        match what:
            case "give_up":
                self.outbox.give_up(entry.id, "x")
            case "postpone":
                self.outbox.postpone(entry.id, 5, "x")
            case "cancel":
                self.outbox.cancel(entry=entry.id)
                self.count(entry, before)
            case "retry":
                self.outbox.retry(entry=entry.id)
                after = {one.sop_instance_uid for one in self.items(entry)}
                self.count(entry, [one for one in before if one.sop_instance_uid not in after])

    def waiting(self, peer: str) -> set[str]:
        return {
            item.sop_instance_uid
            for entry in self.outbox.entries(peer)
            if entry.state == State.WAITING
            for item in self.items(entry)
            if not item.is_failed
        }

    @invariant()
    def numbers_add_up(self) -> None:
        total = 0
        for entry in self.outbox.entries():
            items = self.items(entry)
            total += len(items)
            assert entry.waiting == sum(not one.is_failed for one in items)
            assert entry.failed == sum(one.is_failed for one in items)
            assert items
            assert (entry.state == State.WAITING) <= (entry.waiting > 0)
        assert self.outbox.count() == total

    @invariant()
    def each_waits_once(self) -> None:
        for peer in PEERS:
            every = [
                item.sop_instance_uid
                for entry in self.outbox.entries(peer)
                if entry.state == State.WAITING
                for item in self.items(entry)
                if not item.is_failed
            ]
            assert len(every) == len(set(every))

    @invariant()
    def nothing_is_lost(self) -> None:
        there: dict[tuple[str, str], int] = {}
        for entry in self.outbox.entries():
            for item in self.items(entry):
                key = entry.peer, item.sop_instance_uid
                there[key] = there.get(key, 0) + 1
        for key, count in self.ordered.items():
            assert there.get(key, 0) + self.over.get(key, 0) == count


TestOutboxModel = OutboxModel.TestCase
TestOutboxModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
