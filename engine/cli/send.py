"""`voxcast send`: instances of the archive, or files, to a peer by C-STORE: now, or by way of the outbox (docs/forwarding.md)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.archive.archive import Archive
from engine.archive.export import ExportEvent, chosen
from engine.archive.outbox_records import Order
from engine.archive.records import InstanceRecord
from engine.cli.interruption import Interruption
from engine.cli.opening import existing
from engine.cli.progress import bar
from engine.cli.terminal import DONE, FAILED, Terminal, bytes_text, plural
from engine.dimse.association import AssociationEnded
from engine.dimse.calling import call
from engine.dimse.negotiation import Proposal
from engine.dimse.outgoing import FromArchive, FromFile, Outgoing
from engine.dimse.sender import WINDOW, Fate, Outcome, Sender, contexts_for, kind_of, within_contexts
from engine.errors import EngineError, InvalidParameter
from engine.ingest.entries import find_entries
from engine.peers import Peer, peer_named
from engine.settings import Settings

_ORDER_INSTANCES = 10_000  # in one transaction of the outbox


def run(settings: Settings, to: str, what: list[str], priority: str, is_queued: bool, terminal: Terminal) -> int:
    """Each of `what` is a file or folder that is there, or a UID of the archive."""
    peer = _peer(settings, to)
    paths = [Path(one) for one in what if Path(one).exists()]
    uids = [one for one in what if not Path(one).exists()]
    if is_queued and paths:
        raise InvalidParameter("--queue", str(paths[0]), "UIDs of what is in the archive: import files first")
    if uids and settings.archive is None:
        raise InvalidParameter("--archive", "", "the folder of the archive, for what is named by its UID")
    archive = Archive.open(existing(settings), settings.limits, mode="read") if uids else None
    try:
        if is_queued:
            assert archive is not None
            return _queue(archive, peer, uids, priority, terminal)
        return _send(settings, archive, peer, uids, paths, priority, terminal)
    finally:
        if archive is not None:
            archive.close()


def _peer(settings: Settings, name: str) -> Peer:
    peer = peer_named(settings.peers, name)
    if peer is None or not peer.is_reachable:
        able = ", ".join(one.name for one in settings.peers if one.is_reachable)
        expected = f"a peer of the settings that has a host: {able or 'there is none, see docs/settings.md'}"
        raise InvalidParameter("PEER", name, expected)
    return peer


def _records(archive: Archive, uids: list[str], terminal: Terminal) -> tuple[list[InstanceRecord], int]:
    """The instances, each once, and how many UIDs name nothing."""
    found: dict[str, InstanceRecord] = {}
    failed = 0
    for one in chosen(archive, uids):
        if isinstance(one, ExportEvent):
            failed += 1
            terminal.say(f"failed: {one.name}: {one.failure}")
            terminal.result({"uid": one.name, "outcome": "failed", "reason": one.failure})
        else:
            found[one.sop_instance_uid] = one
    return list(found.values()), failed


def _queue(archive: Archive, peer: Peer, uids: list[str], priority: str, terminal: Terminal) -> int:
    records, failed = _records(archive, uids, terminal)
    outbox, added, already = archive.outbox.get(), 0, 0
    for at in range(0, len(records), _ORDER_INSTANCES):
        part = records[at : at + _ORDER_INSTANCES]
        instances = tuple((r.study_instance_uid, r.series_instance_uid, r.sop_instance_uid) for r in part)
        taken = outbox.put(Order(peer=peer.name, instances=instances, reason="command line", priority=priority))
        added, already = added + taken.added, already + taken.already
    text = f"{plural(added, 'instance')} will go to {peer.name}, {already} were waiting already, {failed} failed"
    terminal.result({"summary": {"queued": added, "waiting_already": already, "failed": failed}}, text)
    return FAILED if failed else DONE


class _Told:
    """What has become of each instance, said as it is known, and counted."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self.names: dict[int, str] = {}  # of files; instances of the archive are called by their UID
        self.sent = self.failed = self.sent_bytes = 0

    def failure(self, name: str, reason: str, status: int = -1) -> None:
        self.failed += 1
        self._terminal.say(f"failed: {name}: {reason}")
        self._result(name, "failed", reason, status, 0)

    def outcome(self, instance: Outgoing, outcome: Outcome) -> None:
        name = self.name_of(instance)
        if outcome.fate is not Fate.TAKEN:
            self.failure(name, outcome.reason, outcome.status)
            return
        self.sent += 1
        self.sent_bytes += instance.length
        self._result(name, "sent", outcome.reason, outcome.status, instance.length)

    def name_of(self, instance: Outgoing) -> str:
        return self.names.get(id(instance), instance.sop_instance_uid)

    def _result(self, name: str, outcome: str, reason: str, status: int, length: int) -> None:
        code = f"{status:04X}" if status >= 0 else ""
        record = {"instance": name, "outcome": outcome, "status": code, "reason": reason, "bytes": length}
        self._terminal.result(record)


def _files(paths: list[Path], settings: Settings, told: _Told) -> Iterator[Outgoing]:
    for entry in find_entries(paths, settings.limits):
        if entry.skipped:
            continue
        if entry.path is None:
            told.failure(entry.name, entry.failure or "within a zip or tar file: import it, then send it")
            continue
        try:
            one = FromFile(entry.path, settings.limits)
        except (EngineError, OSError) as error:
            told.failure(entry.name, str(error))
            continue
        told.names[id(one)] = entry.name
        yield one


def _send(
    settings: Settings,
    archive: Archive | None,
    peer: Peer,
    uids: list[str],
    paths: list[Path],
    priority: str,
    terminal: Terminal,
) -> int:
    told, instances = _Told(terminal), list[Outgoing]()
    if archive is not None:
        records, told.failed = _records(archive, uids, terminal)
        instances += [FromArchive(archive, record, settings.limits) for record in records]
    instances += _files(paths, settings, told)
    left = {id(one): one for one in instances}
    with bar("sending", len(instances)) as shown, Interruption(terminal) as stop:
        going = (part for part in within_contexts(instances, peer.transcode) if not stop.is_asked)
        try:
            for part in going:
                contexts = contexts_for(sorted(set(map(kind_of, part))), transcode=peer.transcode)
                association = call(peer, Proposal(contexts=contexts, window=WINDOW), settings)
                sender = Sender(association, settings.limits, transcode=peer.transcode)
                wanted = (one for one in part if not stop.is_asked)
                for instance, outcome in sender.send(wanted, priority=priority):
                    del left[id(instance)]
                    told.outcome(instance, outcome)
                    shown.advance()
                association.release()
        except (EngineError, AssociationEnded) as error:
            for instance in left.values():
                told.failure(told.name_of(instance), str(error))
            left.clear()
    if left:
        terminal.say(f"interrupted; {plural(len(left), 'instance')} not sent")
    amount = bytes_text(told.sent_bytes)
    text = f"{plural(told.sent, 'instance')} sent to {peer.name} ({amount}), {told.failed} failed"
    summary = {"sent": told.sent, "bytes": told.sent_bytes, "failed": told.failed, "left": len(left)}
    terminal.result({"summary": summary}, text)
    return FAILED if told.failed or left else DONE
