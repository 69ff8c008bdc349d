"""Forwarding rules over the change feed: all that is meant is ordered, once, whatever is stopped, rebuilt or full in between."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.archive.archive import Archive
from engine.archive.forwarder import Forwarder
from engine.archive.outbox import Outbox
from engine.archive.reindex import reindex
from engine.errors import TooBusy
from engine.forwarding import Rule
from engine.limits import Limits
from engine.peers import Peer
from engine.types import Source
from tests.archives import incoming
from tests.data import make_instance

PEERS = (Peer(name="A", aet="AET_A", host="a"), Peer(name="B", aet="AET_B", host="b"))
CT = Rule(name="ct", to=("A",), modalities=("CT",))
LIMITS = Limits(changes_max=2000, disk_reserve_bytes=0)


@pytest.fixture
def archive() -> Iterator[Archive]:
    made = Archive.in_memory(LIMITS)
    yield made
    made.close()


def store(archive: Archive, *sops: str, source: Source | None = None, **more: Any) -> None:
    batch = [incoming(make_instance(sop, **more), time.time_ns()) for sop in sops]
    archive.store([replace(one, source=source or one.source) for one in batch])


def begun(archive: Archive, outbox: Outbox, *rules: Rule) -> Forwarder:
    forwarder = Forwarder(archive, outbox, rules, PEERS)
    forwarder.begin()
    return forwarder


def run(forwarder: Forwarder) -> None:
    while forwarder.step():
        pass


def waiting(outbox: Outbox, peer: str = "A") -> list[str]:
    return [item.sop_instance_uid for entry in outbox.entries(peer) for item in outbox.items(entry.id, 9999)]


def test_what_arrives_and_is_meant_waits_for_each_peer(archive: Archive) -> None:
    outbox = Outbox.in_memory()
    store(archive, "1.1")
    forwarder = begun(archive, outbox, CT, Rule(name="all", to=("A", "B"), priority="low"))
    store(archive, "1.2", "1.3")
    store(archive, "1.4", modality="MR", study="9.9", series="9.9.1")
    run(forwarder)
    assert waiting(outbox) == ["1.2", "1.3", "1.4"], "not what was there before the rules, and each once"
    assert waiting(outbox, "B") == ["1.2", "1.3", "1.4"]
    assert [(one.reason, one.priority) for one in outbox.entries("A")] == [("rule ct", "medium"), ("rule all", "low")]
    run(forwarder)
    assert len(waiting(outbox)) == 3


def test_a_new_rule_begins_now_and_a_known_one_where_it_was(archive: Archive) -> None:
    outbox = Outbox.in_memory()
    run(begun(archive, outbox, CT))
    store(archive, "1.1")
    run(begun(archive, outbox, CT, Rule(name="all", to=("B",))))
    store(archive, "1.2")
    run(begun(archive, outbox, CT, Rule(name="all", to=("B",))))
    assert waiting(outbox) == ["1.1", "1.2"]
    assert waiting(outbox, "B") == ["1.2"]
    begun(archive, outbox, CT)
    assert set(outbox.rules()) == {"ct"}


def test_never_back_to_where_it_came_from(archive: Archive) -> None:
    outbox = Outbox.in_memory()
    forwarder = begun(archive, outbox, Rule(name="all", to=("A", "B")))
    store(archive, "1.1", source=Source("c-store", "AET_A"))
    run(forwarder)
    assert waiting(outbox, "A") == []
    assert waiting(outbox, "B") == ["1.1"]


def test_who_sent_it_where_and_how_can_be_asked(archive: Archive) -> None:
    outbox = Outbox.in_memory()
    forwarder = begun(archive, outbox, Rule(name="x", to=("A",), doors=("c-store",), sources=("CT*",), called=("FWD",)))
    store(archive, "1.1", source=Source("c-store", "CT7", "FWD"))
    store(archive, "1.2", source=Source("c-store", "CT7", "VOXCAST"))
    store(archive, "1.3", source=Source("stow", "CT7", "FWD"))
    store(archive, "1.4", source=Source("c-store", "MR", "FWD"))
    run(forwarder)
    assert waiting(outbox) == ["1.1"]


def test_what_has_hours_of_sending_is_due_when_they_begin(archive: Archive) -> None:
    outbox = Outbox.in_memory()
    soon = datetime.now() + timedelta(hours=2)
    span = f"{soon:%H}:00-{soon + timedelta(hours=2):%H}:00"
    forwarder = begun(archive, outbox, Rule(name="later", to=("A",), send_hours=(span,)))
    store(archive, "1.1")
    run(forwarder)
    [entry] = outbox.entries()
    assert 0.9 < (entry.next_ns - time.time_ns()) / 3600e9 < 2.01
    assert outbox.due("A", time.time_ns()) is None


def test_what_was_deleted_meanwhile_is_not_sent(archive: Archive) -> None:
    outbox = Outbox.in_memory()
    forwarder = begun(archive, outbox, CT)
    store(archive, "1.1", "1.2")
    archive.delete(sop_uid="1.1")
    run(forwarder)
    assert waiting(outbox) == ["1.2"]


def test_more_than_one_step_of_changes(archive: Archive) -> None:
    outbox = Outbox.in_memory()
    forwarder = begun(archive, outbox, CT)
    store(archive, *(f"1.{n}" for n in range(1500)))
    assert forwarder.step()
    assert len(waiting(outbox)) == 1000
    run(forwarder)
    assert len(waiting(outbox)) == 1500


def test_a_full_outbox_holds_its_place(archive: Archive) -> None:
    outbox = Outbox.in_memory(Limits(outbox_instances_max=2))
    forwarder = begun(archive, outbox, CT)
    store(archive, "1.1", "1.2", "1.3")
    for _ in range(2):
        with pytest.raises(TooBusy):
            forwarder.step()
    assert waiting(outbox) == []
    larger = Outbox(outbox._engine, Limits())
    run(Forwarder(archive, larger, (CT,), PEERS))
    assert len(waiting(larger)) == 3


def test_what_the_feed_no_longer_has_is_found_in_the_index(archive: Archive) -> None:
    outbox = Outbox.in_memory()
    store(archive, "0.1")
    forwarder = begun(archive, outbox, CT)
    for first in range(0, 3000, 1000):
        store(archive, *(f"1.{n}" for n in range(first, first + 1000)))
    assert archive.feed().first > outbox.rules()["ct"].sequence
    run(forwarder)
    assert len(waiting(outbox)) >= 3000
    store(archive, "2.1")
    run(forwarder)
    assert waiting(outbox)[-1] == "2.1"


def test_an_index_that_was_built_again_loses_nothing(tmp_path: Path) -> None:
    outbox = Outbox.open(_folder(tmp_path), LIMITS)
    archive = Archive.open(tmp_path, LIMITS)
    begun(archive, outbox, CT)
    store(archive, "1.1", "1.2")
    archive.close()
    reindex(tmp_path, LIMITS)
    archive = Archive.open(tmp_path, LIMITS)
    run(begun(archive, outbox, CT))
    assert waiting(outbox) == ["1.1", "1.2"]
    archive.close()
    outbox.close()


def _folder(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path
