"""Working off the outbox: peers side by side, each over few associations, so that one who is slow or gone holds up nobody else."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from engine.archive.archive import Archive
from engine.archive.outbox import Outbox
from engine.archive.outbox_records import Entry, Item, Result, Settled, State
from engine.dimse.acknowledging import Acknowledging
from engine.dimse.association import Association, AssociationEnded
from engine.dimse.calling import call
from engine.dimse.negotiation import Proposal
from engine.dimse.outgoing import FromArchive, Outgoing
from engine.dimse.sender import WINDOW, Fate, Kind, Sender, contexts_for, kind_of, within_contexts
from engine.errors import EngineError, NotFound, PeerUnavailable
from engine.metrics import Metrics
from engine.peers import Peer
from engine.settings import Settings

_LOG = logging.getLogger(__name__)
_PAGE = 200  # instances that an entry is worked off by
_LINGER_S = 2.0  # an association waits for more: what arrives one by one is forwarded over one
_LOOK_S = 0.05
_WATCH_S = 0.5  # an entry that is cancelled is sent so much longer
_BACKOFF_S_MIN = 2.0
_LATER_MAX = 3  # refusals for now, in a row, that end the page: a full disk is full for the next one too
_RESULTS = {Fate.TAKEN: Result.SENT, Fate.LATER: Result.LATER, Fate.REFUSED: Result.FAILED}


class Delivery:
    """Owned by the one process that sends; `look` starts what is due, on threads of its own, and returns at once."""

    def __init__(self, archive: Archive, outbox: Outbox, settings: Settings, metrics: Metrics) -> None:
        self.archive, self.outbox, self.settings, self.metrics = archive, outbox, settings, metrics
        self.acknowledging = Acknowledging(outbox)
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._lanes: dict[str, list[_Lane]] = {}
        self._taken: set[int] = set()

    def look(self) -> None:
        """Start a lane for each peer that something is due for, as far as the limits go."""
        now = time.time_ns()
        for peer in self.settings.peers:
            lanes = self._lanes[peer.name] = [one for one in self._lanes.get(peer.name, []) if one.is_alive()]
            count = sum(map(len, self._lanes.values()))
            if not peer.is_reachable or len(lanes) >= peer.send_associations_max:
                continue
            if count >= self.settings.limits.outbox_associations_max:
                continue
            with self._lock:
                is_due = self.outbox.due(peer.name, now, tuple(self._taken)) is not None
            if is_due and self.outbox.peer(peer.name).next_ns <= now:
                lane = _Lane(self, peer)
                lanes.append(lane)
                lane.start()

    def claim(self, peer: str) -> Entry | None:
        """An entry that is due, for the calling lane alone until `release`."""
        with self._lock:
            entry = self.outbox.due(peer, time.time_ns(), tuple(self._taken))
            if entry is not None:
                self._taken.add(entry.id)
            return entry

    def release(self, entry: Entry) -> None:
        with self._lock:
            self._taken.discard(entry.id)

    def close(self, within_s: float) -> None:
        """Let the instances under way come to their end, then end what is left."""
        self.stopping.set()
        deadline = time.monotonic() + within_s
        lanes = [lane for of_peer in self._lanes.values() for lane in of_peer]
        for lane in lanes:
            lane.join(max(0.0, deadline - time.monotonic()))
        for lane in lanes:
            lane.shut()
        self.acknowledging.close()

    def backoff_ns(self, failures: int) -> int:
        """When to try again (Unix ns) after so many failures: twice as long each time, not all at the same moment."""
        longest = self.settings.limits.outbox_backoff_s_max
        pause = min(longest, _BACKOFF_S_MIN * 2.0 ** min(failures, 30)) * random.uniform(0.7, 1.0)
        return time.time_ns() + int(pause * 1e9)

    def is_hopeless(self, since_ns: int) -> bool:
        """Whether what has failed since then is given up."""
        return since_ns > 0 and time.time_ns() - since_ns > self.settings.limits.outbox_retry_s_max * 10**9


class _Lane(threading.Thread):
    """One association's worth of sending to one peer, until nothing is due or the peer fails."""

    def __init__(self, delivery: Delivery, peer: Peer) -> None:
        super().__init__(name=f"to {peer.name}", daemon=True)
        self._delivery, self._peer = delivery, peer
        self._association: Association | None = None
        self._proposed: frozenset[Kind] = frozenset()
        self._sent = 0

    def run(self) -> None:
        idle_since = time.monotonic()
        try:
            while not self._delivery.stopping.is_set():
                entry = self._delivery.claim(self._peer.name)
                if entry is None:
                    if self._association is None or time.monotonic() - idle_since > _LINGER_S:
                        return
                    time.sleep(_LOOK_S)
                    continue
                try:
                    if not self._work(entry):
                        return
                finally:
                    self._delivery.release(entry)
                idle_since = time.monotonic()
        except (EngineError, OSError) as error:  # of our own: the outbox or the index cannot be read or written
            _LOG.error("sending to %s stopped: %s", self._peer.name, error)
            self._delivery.stopping.wait(_BACKOFF_S_MIN)
        except Exception as error:  # noqa: BLE001 - a mistake in here costs this peer a pause, not the others their lanes
            _LOG.exception("sending to %s failed", self._peer.name)
            self._peer_failed(f"{type(error).__name__} while sending, see the log")
        finally:
            self._hang_up()

    def shut(self) -> None:
        """End it from another thread."""
        association = self._association
        if association is not None and self.is_alive():
            association.shut()

    def _work(self, entry: Entry) -> bool:
        """Send a page of an entry, then see anew what comes first; whether the peer is well."""
        delivery = self._delivery
        page = self._page(delivery.outbox.items(entry.id, _PAGE))
        try:
            is_all = not page or self._send(page, entry)
        except PeerUnavailable as error:
            self._peer_failed(str(error))
            return False
        except AssociationEnded as error:
            delivery.acknowledging.flush()
            self._postpone(entry, error.reason)
            return False
        delivery.acknowledging.flush()
        if not is_all:
            self._postpone(entry, "")
        return True

    def _page(self, items: list[Item]) -> list[tuple[Item, Outgoing]]:
        """What of these is still in the archive."""
        found: list[tuple[Item, Outgoing]] = []
        gone: list[Settled] = []
        for item in items:
            try:
                record = self._delivery.archive.instance(item.sop_instance_uid)
            except NotFound:
                gone.append(Settled(item=item, result=Result.GONE))
                continue
            found.append((item, FromArchive(self._delivery.archive, record, self._delivery.settings.limits)))
        self._delivery.acknowledging.add(gone)
        return found

    def _send(self, page: list[tuple[Item, Outgoing]], entry: Entry) -> bool:
        """Whether all of it came to an end, rather than some being wanted later.

        Raises
        ------
        PeerUnavailable
        AssociationEnded
        """
        item_of = {id(instance): item for item, instance in page}
        is_wanted = self._watch(entry)
        is_all, refused = True, 0
        for part in within_contexts([instance for _, instance in page], self._peer.transcode):
            sender = Sender(self._call(part), self._delivery.settings.limits, transcode=self._peer.transcode)
            going = (one for one in part if refused < _LATER_MAX and is_wanted())
            try:
                for instance, outcome in sender.send(going, priority=entry.priority):
                    result = _RESULTS[outcome.fate]
                    refused = refused + 1 if result is Result.LATER else 0
                    is_all = is_all and result is not Result.LATER
                    self._note(item_of[id(instance)], result, outcome.reason, instance.length)
            except AssociationEnded as error:
                for _, instance in sender.unanswered:
                    # Nobody knows whether it has these: they are sent again, and an archive knows its own instances.
                    self._note(item_of[id(instance)], Result.LATER, error.reason, 0)
                self._association = None
                raise
        return is_all

    def _watch(self, entry: Entry) -> Callable[[], bool]:
        """Whether an entry is still to be sent: asks the outbox now and then."""
        looked, is_there = time.monotonic(), True

        def is_wanted() -> bool:
            nonlocal looked, is_there
            if is_there and time.monotonic() - looked > _WATCH_S:
                looked = time.monotonic()
                try:
                    self._delivery.outbox.entry(entry.id)
                except NotFound:  # cancelled; or all of it has gone
                    is_there = False
            return is_there and not self._delivery.stopping.is_set()

        return is_wanted

    def _note(self, item: Item, result: Result, reason: str, length: int) -> None:
        self._delivery.acknowledging.add([Settled(item=item, result=result, error=reason, length=length)])
        metrics = self._delivery.metrics
        if result is Result.SENT:
            self._sent += 1
            metrics.add("outbox_sent")
            metrics.add("outbox_sent_bytes", length)
        elif result is Result.FAILED:
            metrics.add("outbox_failed")
            _LOG.warning("instance %s is not sent to %s: %s", item.sop_instance_uid, self._peer.name, reason)
        else:
            metrics.add("outbox_postponed")

    def _call(self, instances: list[Outgoing]) -> Association:
        """The association that there is, or another one where it was not made for these kinds of instances."""
        kinds = frozenset(map(kind_of, instances))
        if self._association is not None and kinds <= self._proposed and self._is_alive(self._association):
            return self._association
        self._hang_up()
        contexts = contexts_for(sorted(kinds), transcode=self._peer.transcode)
        self._association = call(self._peer, Proposal(contexts=contexts, window=WINDOW), self._delivery.settings)
        self._proposed, self._sent = kinds, 0
        self._delivery.outbox.peer_answered(self._peer.name)
        return self._association

    def _is_alive(self, association: Association) -> bool:
        """Whether the peer has not ended it while nothing was to be sent."""
        try:
            association.poll()
        except AssociationEnded:
            self._association = None
            return False
        return True

    def _hang_up(self) -> None:
        association, self._association = self._association, None
        if association is not None:
            association.release()
            _LOG.info("sent %d instances to %s", self._sent, self._peer.name)

    def _postpone(self, entry: Entry, reason: str) -> None:
        delivery = self._delivery
        try:
            now = delivery.outbox.entry(entry.id)
        except NotFound:  # all of it went, or it was cancelled
            return
        reason = reason or now.last_error
        if delivery.is_hopeless(now.first_failure_ns):
            _LOG.error("entry %d for %s is given up: %s", entry.id, self._peer.name, reason)
            delivery.outbox.give_up(entry.id, reason)
            return
        _LOG.warning("entry %d for %s waits: %s", entry.id, self._peer.name, reason)
        delivery.outbox.postpone(entry.id, delivery.backoff_ns(now.attempts), reason)

    def _peer_failed(self, reason: str) -> None:
        delivery, name = self._delivery, self._peer.name
        delivery.metrics.add("outbox_calls_failed")
        delivery.outbox.peer_failed(name, delivery.backoff_ns(delivery.outbox.peer(name).failures), reason)
        state = delivery.outbox.peer(name)
        _LOG.warning("%s (failure %d in a row)", reason, state.failures)
        if delivery.is_hopeless(state.first_failure_ns):
            self._give_up_old(reason)

    def _give_up_old(self, reason: str) -> None:
        """What has waited for this peer for too long; what came later has its own time."""
        outbox, behind = self._delivery.outbox, 0
        while entries := outbox.entries(self._peer.name, behind=behind):
            for entry in entries:
                if entry.state == State.WAITING and self._delivery.is_hopeless(entry.created_ns):
                    _LOG.error("entry %d for %s is given up: %s", entry.id, self._peer.name, reason)
                    outbox.give_up(entry.id, reason)
            behind = entries[-1].id
