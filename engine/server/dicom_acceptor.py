"""The DICOM process: waits on its port with almost nothing loaded; the first caller brings pynetdicom in (0.7 s, 70 MB)."""

from __future__ import annotations

import os
import select
import socket
import threading

from engine.server import processor
from engine.server.child import Job, archive_path, ready, run
from engine.settings import Settings

_LOOK_EVERY_S = 0.5


def main(job: Job, settings: Settings, stop: threading.Event) -> None:
    processor.for_peers()
    listener, with_tls = (socket.socket(fileno=fd) if fd >= 0 else None for fd in (job.listener, job.tls_listener))
    ready()
    from engine.archive.commitments import is_something_waiting

    is_needed = is_something_waiting(archive_path(settings))
    while not stop.is_set() and not is_needed:
        if select.select([one for one in (listener, with_tls) if one], [], [], _LOOK_EVERY_S)[0]:
            break
    if stop.is_set():
        return
    from engine.archive.archive import Archive
    from engine.archive.commitments import Commitments
    from engine.archive.outbox import Outbox
    from engine.dimse.acceptor import DicomAcceptor
    from engine.dimse.committer import Committer
    from engine.ingest.accept import Acceptor
    from engine.metrics import Metrics

    archive = Archive.open(archive_path(settings), settings.limits, on_conflict=settings.on_conflict)
    acceptor = Acceptor(archive, settings.limits)
    outbox = Outbox.open(archive_path(settings), settings.limits) if settings.peers else None
    commitments = Commitments.open(archive_path(settings), settings.limits)
    committer = Committer(commitments, archive, settings)
    metrics = Metrics(archive_path(settings) / "run" / f"{os.getpid()}.counters", [one.name for one in settings.peers])
    server = DicomAcceptor(listener, settings, acceptor, archive, metrics, with_tls, outbox, committer)
    try:
        stop.wait()
    finally:
        server.close()
        committer.close()
        commitments.close()
        acceptor.close()
        if outbox is not None:
            outbox.close()
        archive.close()


if __name__ == "__main__":
    run(main)
