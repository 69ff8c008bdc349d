"""`voxcast outbox`: what waits to be sent to other archives, retry, cancel; beside a running server too (docs/forwarding.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

from engine.archive.outbox import Outbox
from engine.archive.outbox_door import OutboxDoor
from engine.archive.outbox_records import Entry, PeerSummary
from engine.cli.opening import existing
from engine.cli.terminal import DONE, Terminal, bytes_text, plural
from engine.errors import InvalidParameter
from engine.settings import Settings

_PAGE = 1000


def show(settings: Settings, peer: str, with_failed: bool, terminal: Terminal) -> int:
    """Peers first, then the entries in the order in which they were made; `with_failed`: each instance that has failed."""
    with _opened(settings) as outbox:
        if outbox is None:
            terminal.say("nothing waits, and nothing ever did")
            return DONE
        for one in outbox.peers():
            if peer in ("", one.peer):
                terminal.result({"peer": one.peer, **asdict(one)}, _peer_text(one))
        behind = 0
        while entries := outbox.entries(peer, _PAGE, behind):
            for entry in entries:
                terminal.result({"entry": entry.id, **asdict(entry)}, _entry_text(entry))
                for item in outbox.failed_items(entry.id, _PAGE) if with_failed else ():
                    text = f"       {item.sop_instance_uid}: {item.error}"
                    terminal.result({"failed": item.sop_instance_uid, "of": entry.id, "error": item.error}, text)
            behind = entries[-1].id
    return DONE


def retry(settings: Settings, what: list[str], terminal: Terminal) -> int:
    """Send at once, what was given up or has failed too."""
    return _each(
        settings, what, "retried", lambda outbox, number, peer: outbox.retry(entry=number, peer=peer), terminal
    )


def cancel(settings: Settings, what: list[str], terminal: Terminal) -> int:
    """Do not send what has not gone yet."""
    return _each(
        settings, what, "cancelled", lambda outbox, number, peer: outbox.cancel(entry=number, peer=peer), terminal
    )


def _each(
    settings: Settings,
    what: list[str],
    word: str,
    change: Callable[[Outbox, int | None, str | None], int],
    terminal: Terminal,
) -> int:
    count = 0
    with _opened(settings) as outbox:
        for one in what:
            is_number = one.isascii() and one.isdigit()
            known = {summary.peer for summary in outbox.peers()} if outbox is not None else set()
            if not is_number and one not in known | {peer.name for peer in settings.peers}:
                raise InvalidParameter("WHAT", one, "the number of an entry, or a peer's name (voxcast outbox list)")
            if outbox is not None:
                count += change(outbox, int(one) if is_number else None, None if is_number else one)
    terminal.result({"summary": {word: count}}, f"{plural(count, 'entry')} {word}")
    return DONE


@contextmanager
def _opened(settings: Settings) -> Iterator[Outbox | None]:
    door = OutboxDoor(existing(settings), settings.limits)
    try:
        yield door.existing()
    finally:
        door.close()


def _peer_text(one: PeerSummary) -> str:
    state = one.state
    lines = [
        f"{one.peer}: {plural(one.instances, 'instance')} in {plural(one.entries, 'entry')} waiting,"
        f" {one.given_up} given up; {state.sent} taken so far ({bytes_text(state.sent_bytes)})"
    ]
    if state.failures:
        lines.append(f"  {state.failures} calls failed in a row: {state.last_error}; next at {_time(state.next_ns)}")
    return "\n".join(lines)


def _entry_text(entry: Entry) -> str:
    numbers = f"{entry.waiting} waiting, {entry.sent} sent, {entry.failed} failed"
    text = f"{entry.id:>6} {entry.peer} {entry.state} {entry.priority} {entry.study_instance_uid} ({numbers}; {entry.reason})"
    return text + (f": {entry.last_error}" if entry.last_error else "")


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
