"""The process that sends: reads the change feed by the forwarding rules, works off the outbox. There where a peer can be called."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING

from engine.archive.archive import Archive
from engine.archive.forwarder import Forwarder
from engine.archive.outbox import Outbox
from engine.errors import EngineError, IndexMismatch, OutboxDamaged
from engine.metrics import Metrics
from engine.server import processor
from engine.server.child import Job, archive_path, ready, run
from engine.settings import Settings

if TYPE_CHECKING:
    from engine.dimse.delivery import Delivery

_LOG = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.2
_OPEN_DEADLINE_S = 50.0  # for another process of the server to make a new archive
_AFTER_ERROR_S = 10.0
_CLOSE_S = 7.0  # the supervisor waits 10


def main(job: Job, settings: Settings, stop: threading.Event) -> None:
    processor.for_peers()
    archive = _opened(settings, stop)
    try:
        outbox = archive.outbox.get()
    except OutboxDamaged as error:
        # Images are received and shown all the same.
        _LOG.error("%s", error)
        ready()
        stop.wait()
        return
    forwarder = Forwarder(archive, outbox, settings.forward, settings.peers)
    has_begun = _has_begun(forwarder)
    ready()  # what arrives once the server says that it is there is seen by rules that are new
    delivery: Delivery | None = None
    names = [peer.name for peer in settings.peers if peer.is_reachable]
    forward_at = 0.0
    try:
        while not stop.wait(_LOOK_EVERY_S):
            if time.monotonic() >= forward_at:
                try:
                    has_begun = has_begun or _has_begun(forwarder)
                    while has_begun and forwarder.step() and not stop.is_set():
                        pass
                except (
                    EngineError,
                    OSError,
                ) as error:  # such as a full outbox: nothing is lost, the feed is read later
                    _LOG.error("forwarding waits: %s", error)
                    forward_at = time.monotonic() + _AFTER_ERROR_S
            try:
                now = time.time_ns()
                if delivery is None and any((due := outbox.next_ns(name)) is not None and due <= now for name in names):
                    delivery = _begin(archive, outbox, settings)
                if delivery is not None:
                    delivery.look()
            except (EngineError, OSError) as error:
                _LOG.error("sending waits: %s", error)
                stop.wait(_AFTER_ERROR_S)
    finally:
        if delivery is not None:
            delivery.close(_CLOSE_S)
        archive.close()


def _opened(settings: Settings, stop: threading.Event) -> Archive:
    """The archive, for reading; a new one once it is there."""
    deadline = time.monotonic() + _OPEN_DEADLINE_S
    while True:
        try:
            return Archive.open(archive_path(settings), settings.limits, mode="read")
        except IndexMismatch:
            if time.monotonic() > deadline or stop.wait(0.05):
                raise


def _has_begun(forwarder: Forwarder) -> bool:
    try:
        forwarder.begin()
    except EngineError as error:  # such as a full disk, which is no reason to show no images
        _LOG.error("forwarding waits: %s", error)
        return False
    return True


def _begin(archive: Archive, outbox: Outbox, settings: Settings) -> Delivery:
    """The first time that something is to be sent: coders and the upper layer need not be in memory before (50 MB)."""
    from engine.dimse.delivery import Delivery

    return Delivery(archive, outbox, settings, Metrics(archive_path(settings) / "run" / f"{os.getpid()}.counters"))


if __name__ == "__main__":
    run(main)
