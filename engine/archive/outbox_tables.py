"""The outbox's tables within one transaction; `outbox.Outbox` says what they hold."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import replace

from engine.archive.outbox_records import (
    Entry,
    Item,
    Order,
    PeerState,
    PeerSummary,
    Result,
    Settled,
    State,
)
from engine.archive.ports import Snapshot, Transaction
from engine.errors import OutboxEntryNotFound
from engine.forwarding import PRIORITIES

NUMBER = struct.Struct(">Q")
PLACE = struct.Struct(">QQ")
ERROR_CHARACTERS = 300


def hashed(*parts: str) -> bytes:
    """A key of a fixed length, whatever the length of what it is made from."""
    return hashlib.sha256("\0".join(parts).encode("utf_8", "surrogatepass")).digest()[:16]


def ready_start(peer: str, rank: int) -> bytes:
    """What the keys of a peer's waiting entries of one priority begin with."""
    return peer.encode() + b"\0" + bytes((rank,))


def entry_of(view: Snapshot, number: int) -> Entry | None:
    data = view.get("entries", NUMBER.pack(number))
    return None if data is None else Entry.unpack(data)


def peer_of(view: Snapshot, name: str) -> PeerState:
    data = view.get("peers", name.encode())
    return PeerState() if data is None else PeerState.unpack(data)


def items_of(view: Snapshot, entry: int, start: int = 0) -> Iterator[Item]:
    for _, data in view.scan("items", PLACE.pack(entry, start), NUMBER.pack(entry + 1)):
        yield Item.unpack(data)


def chosen(view: Snapshot, entry: int | None, peer: str | None) -> list[Entry]:
    """One entry, or all of a peer; of all peers without either."""
    if entry is not None:
        found = entry_of(view, entry)
        if found is None:
            raise OutboxEntryNotFound(entry)
        return [found]
    every = (Entry.unpack(data) for _, data in view.scan("entries"))
    return [one for one in every if peer is None or one.peer == peer]


def add(txn: Transaction, order: Order, study: str, instances: list[tuple[str, str]], now: int) -> tuple[int, int]:
    """Put these, none of which waits yet, behind those of the study's entry: its number, and how many are new."""
    opened = hashed(order.peer, study, order.reason, order.priority)
    known = txn.get("open", opened)
    before = entry_of(txn, NUMBER.unpack(known)[0]) if known is not None else None
    if before is None:
        entry = Entry(
            id=_next_number(txn),
            peer=order.peer,
            study_instance_uid=study,
            reason=order.reason,
            priority=order.priority,
            created_ns=now,
            next_ns=max(order.due_ns, now + order.quiet_ns),
        )
        txn.put("open", opened, NUMBER.pack(entry.id))
    elif before.attempts:
        entry = before  # more to send is no reason to call sooner
    else:
        quiet_ns = now + order.quiet_ns if order.quiet_ns else 0
        entry = replace(before, next_ns=max(before.next_ns, order.due_ns, quiet_ns))
    place = _next_place(txn, entry.id)
    first = place
    for series, sop in instances:
        key = hashed(order.peer, sop)
        if txn.get("queued", key) is not None:  # twice in one order
            continue
        put_item(txn, key, Item(entry=entry.id, number=place, series_instance_uid=series, sop_instance_uid=sop))
        place += 1
    keep(txn, replace(entry, waiting=entry.waiting + place - first))
    return entry.id, place - first


def put_item(txn: Transaction, queued: bytes, item: Item) -> None:
    at = PLACE.pack(item.entry, item.number)
    txn.put("items", at, item.pack())
    txn.put("queued", queued, at)


def settle(txn: Transaction, entry: Entry, state: PeerState, one: Settled, now: int) -> tuple[Entry, PeerState]:
    """One item that is in its table."""
    item, error = one.item, one.error[:ERROR_CHARACTERS]
    if one.result is Result.SENT:
        drop(txn, entry, item)
        # Progress: whatever went wrong before is over.
        entry = replace(entry, waiting=entry.waiting - 1, sent=entry.sent + 1, attempts=0, first_failure_ns=0)
        return entry, replace(
            state, sent=state.sent + 1, sent_bytes=state.sent_bytes + one.length, last_sent_ns=now, last_error=""
        )
    if one.result is Result.GONE:
        drop(txn, entry, item)
        return replace(entry, waiting=entry.waiting - 1), state
    if one.result is Result.FAILED:
        failed = replace(item, is_failed=True, error=error, attempts=item.attempts + 1)
        txn.put("items", PLACE.pack(item.entry, item.number), failed.pack())
        txn.delete("queued", hashed(entry.peer, item.sop_instance_uid))
        entry = replace(entry, waiting=entry.waiting - 1, failed=entry.failed + 1, last_error=error)
        return entry, replace(state, failed=state.failed + 1)
    # Behind the others: one that the peer always chokes on must not keep them from going.
    drop(txn, entry, item)
    again = replace(item, number=_next_place(txn, entry.id), attempts=item.attempts + 1, error=error)
    put_item(txn, hashed(entry.peer, item.sop_instance_uid), again)
    return replace(entry, last_error=error), state


def again(txn: Transaction, entry: Entry) -> None:
    """All of an entry waits, and is due."""
    count = 0
    for item in list(items_of(txn, entry.id)):
        queued, at = hashed(entry.peer, item.sop_instance_uid), PLACE.pack(item.entry, item.number)
        if txn.get("queued", queued) not in (None, at):  # ordered again since it was given up
            txn.delete("items", at)
            continue
        put_item(txn, queued, replace(item, is_failed=False, error=""))
        count += 1
    entry = replace(entry, state=State.WAITING, waiting=count, failed=0, attempts=0, first_failure_ns=0, next_ns=0)
    keep(txn, entry)


def drop(txn: Transaction, entry: Entry, item: Item) -> None:
    at, queued = PLACE.pack(item.entry, item.number), hashed(entry.peer, item.sop_instance_uid)
    txn.delete("items", at)
    if txn.get("queued", queued) == at:
        txn.delete("queued", queued)


def keep(txn: Transaction, entry: Entry) -> None:
    """Write an entry, and its place in line; one without instances is done and goes."""
    forget(txn, entry)
    if not entry.waiting and not entry.failed:
        return
    if not entry.waiting:
        entry = replace(entry, state=State.GIVEN_UP)
    txn.put("entries", NUMBER.pack(entry.id), entry.pack())
    if entry.state == State.WAITING:
        txn.put("ready", _ready(entry), b"")
        txn.put("open", _opened(entry), NUMBER.pack(entry.id))
        return
    for item in items_of(txn, entry.id):  # may be ordered again
        queued = hashed(entry.peer, item.sop_instance_uid)
        if txn.get("queued", queued) == PLACE.pack(item.entry, item.number):
            txn.delete("queued", queued)


def forget(txn: Transaction, entry: Entry) -> None:
    """Take an entry, as it is written, out of every table but that of its items."""
    before = entry_of(txn, entry.id)
    if before is None:
        return
    txn.delete("entries", NUMBER.pack(before.id))
    txn.delete("ready", _ready(before))
    opened = _opened(before)
    if txn.get("open", opened) == NUMBER.pack(before.id):
        txn.delete("open", opened)


def summary(name: str, entries: list[Entry], state: PeerState) -> PeerSummary:
    waiting = [one for one in entries if one.state == State.WAITING]
    return PeerSummary(
        peer=name,
        entries=len(waiting),
        instances=sum(one.waiting for one in waiting),
        given_up=len(entries) - len(waiting),
        failed_instances=sum(one.failed + (0 if one.state == State.WAITING else one.waiting) for one in entries),
        oldest_ns=min((one.created_ns for one in waiting), default=0),
        state=state,
    )


def _ready(entry: Entry) -> bytes:
    return ready_start(entry.peer, PRIORITIES.index(entry.priority)) + PLACE.pack(entry.next_ns, entry.id)


def _opened(entry: Entry) -> bytes:
    return hashed(entry.peer, entry.study_instance_uid, entry.reason, entry.priority)


def _next_number(txn: Transaction) -> int:
    last = txn.get("meta", b"last")
    number = 1 if last is None else int(NUMBER.unpack(last)[0]) + 1
    txn.put("meta", b"last", NUMBER.pack(number))
    return number


def _next_place(txn: Transaction, entry: int) -> int:
    for key, _ in txn.scan("items", NUMBER.pack(entry), NUMBER.pack(entry + 1), is_reversed=True):
        return int(PLACE.unpack(key)[1]) + 1
    return 0
