"""What arrives goes into the outbox by the forwarding rules: a reader of the change feed, whose place in it is durable.

Whatever was acknowledged is in the feed, so nothing is missed, however a process ended; what a rule orders and how far it has
read are one transaction, so nothing is ordered twice. The accept path knows nothing of all this.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Sequence
from datetime import datetime

from engine.archive.archive import Archive
from engine.archive.changes import Change, ChangeKind
from engine.archive.outbox import Outbox
from engine.archive.outbox_records import Order, ReadTo
from engine.archive.records import InstanceRecord, SeriesSummary
from engine.errors import ChangesGone, NotFound
from engine.forwarding import Arrival, Rule
from engine.peers import Peer, peer_named

_LOG = logging.getLogger(__name__)
_STEP = 1000
_NEW = (ChangeKind.STORED, ChangeKind.REPLACED)
# An instance may be received so long before the commit that makes it known.
_LATE_NS = 60 * 10**9
_SERIES_KEPT = 256


class Forwarder:
    """One at a time for an archive; one thread."""

    def __init__(self, archive: Archive, outbox: Outbox, rules: Sequence[Rule], peers: Sequence[Peer]) -> None:
        self._archive, self._outbox, self._rules, self._peers = archive, outbox, rules, peers
        self._series: dict[tuple[str, str], dict[str, str]] = {}

    def begin(self) -> None:
        """Rules that are new begin with what arrives from now on; places of rules that are no more are forgotten."""
        known = self._outbox.rules()
        self._outbox.forget_rules(sorted(set(known) - {rule.name for rule in self._rules}))
        here = ReadTo(sequence=self._archive.feed().last, seen_ns=time.time_ns())
        fresh = {rule.name: here for rule in self._rules if rule.name not in known}
        if fresh:
            self._outbox.put(rules=fresh)

    def step(self) -> bool:
        """Read on in the feed; whether there may be more.

        Raises
        ------
        TooBusy
            The outbox is full; the same changes come again at the next step.
        """
        if not self._rules:
            return False
        read_to, now = self._outbox.rules(), time.time_ns()
        since = min(read_to[rule.name].sequence for rule in self._rules)
        if since == self._archive.feed().last:
            return False
        self._series.clear()
        try:
            _, changes = self._archive.changes(since, _STEP)
        except ChangesGone as error:
            self._catch_up(read_to, error.last, now)
            return True
        orders = self._orders(
            (rule, self._records(one for one in changes if one.sequence > read_to[rule.name].sequence))
            for rule in self._rules
        )
        last = changes[-1].sequence
        seen_ns = now if len(changes) < _STEP else changes[-1].changed_ns
        self._outbox.put(*orders, rules=self._all_to(ReadTo(sequence=last, seen_ns=seen_ns), read_to))
        return len(changes) == _STEP

    def _catch_up(self, read_to: dict[str, ReadTo], last: int, now: int) -> None:
        """The feed began anew (`voxcast reindex`), or is ahead of us by more than it keeps: look at every instance once."""
        _LOG.warning("the change feed has no place of ours any more; looking for what arrived meanwhile")
        first_ns = min(one.seen_ns for one in read_to.values()) - _LATE_NS
        behind = b""
        while True:
            behind, records = self._archive.received_since(first_ns, behind, _STEP)
            orders = self._orders(
                (rule, [one for one in records if one.received_ns >= read_to[rule.name].seen_ns - _LATE_NS])
                for rule in self._rules
            )
            self._outbox.put(*orders)  # what is ordered again after a crash in here waits only once
            if not behind:
                break
        self._outbox.put(rules=self._all_to(ReadTo(sequence=last, seen_ns=now), {}))

    def _all_to(self, here: ReadTo, before: dict[str, ReadTo]) -> dict[str, ReadTo]:
        return {
            rule.name: here
            for rule in self._rules
            if rule.name not in before or before[rule.name].sequence < here.sequence
        }

    def _records(self, changes: Iterable[Change]) -> list[InstanceRecord]:
        """Instances that came with these changes and are still there."""
        found: dict[str, InstanceRecord] = {}
        for change in changes:
            if change.kind in _NEW and change.sop_instance_uid not in found:
                try:
                    found[change.sop_instance_uid] = self._archive.instance(change.sop_instance_uid)
                except NotFound:
                    continue
        return list(found.values())

    def _orders(self, arrived: Iterable[tuple[Rule, list[InstanceRecord]]]) -> list[Order]:
        orders: list[Order] = []
        for rule, records in arrived:
            meant = [one for one in records if self._is_meant(rule, one)]
            now = datetime.now()
            due_ns = 0 if (due := rule.due(now)) <= now else int(due.timestamp() * 1e9)
            for name in rule.to if meant else ():
                peer = peer_named(self._peers, name)
                assert peer is not None, "the settings have been checked"
                # Never back to where it came from: two archives that forward to each other would not end.
                going = [one for one in meant if not (one.source.door == "c-store" and one.source.peer == peer.aet)]
                instances = tuple((r.study_instance_uid, r.series_instance_uid, r.sop_instance_uid) for r in going)
                orders.append(
                    Order(
                        peer=name,
                        instances=instances,
                        reason=f"rule {rule.name}",
                        priority=rule.priority,
                        due_ns=due_ns,
                        quiet_ns=rule.quiet_s * 10**9,
                    )
                )
        return orders

    def _is_meant(self, rule: Rule, record: InstanceRecord) -> bool:
        try:
            series = self._about(record)
        except NotFound:
            return False
        return rule.matches(
            Arrival(
                door=record.source.door,
                source=record.source.peer,
                called=record.source.called,
                at=datetime.fromtimestamp(record.received_ns / 1e9).time(),
                sop_class_uid=record.sop_class_uid,
                **series,
            )
        )

    def _about(self, record: InstanceRecord) -> dict[str, str]:
        key = record.study_instance_uid, record.series_instance_uid
        if key not in self._series:
            if len(self._series) >= _SERIES_KEPT:
                self._series.clear()
            self._series[key] = _attributes(self._archive.series(*key))
        return self._series[key]


def _attributes(series: SeriesSummary) -> dict[str, str]:
    values = json.loads(series.study_json) | json.loads(series.series_json)

    def text(tag: str) -> str:
        return str((values.get(tag, {}).get("Value") or [""])[0])

    return {
        "modality": series.modality,
        "station": text("00081010"),
        "study_description": text("00081030"),
        "series_description": text("0008103E"),
        "institution": text("00080080"),
    }
