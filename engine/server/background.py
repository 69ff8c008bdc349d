"""The background process, at low priority: derived data of series that have gone quiet, space given back, kernels compiled."""

from __future__ import annotations

import logging
import threading
import time

from engine.archive.archive import Archive
from engine.archive.documents import SeriesDocuments
from engine.archive.renditions.shelf import Shelf
from engine.archive.stranded import stranded
from engine.errors import EngineError
from engine.server import processor
from engine.server.child import Job, archive_path, ready, run
from engine.server.kernels import begin_warmup, end_warmup
from engine.settings import Settings

_LOG = logging.getLogger(__name__)
_QUIET_S = 2.0  # a series that is still coming in would be built again and again
_EVERY_S = 1.0
_UPKEEP_EVERY_S = 60.0


def main(job: Job, settings: Settings, stop: threading.Event) -> None:
    processor.for_what_is_derived()
    archive = Archive.open(archive_path(settings), settings.limits, on_conflict=settings.on_conflict)
    documents = SeriesDocuments(archive, settings.public_url)
    shelf = Shelf(archive.path, settings.limits)
    next_upkeep = time.monotonic() + _UPKEEP_EVERY_S
    ready()
    _tell_stranded(archive, settings)
    compiling = begin_warmup()
    try:
        while not stop.wait(_EVERY_S):
            if compiling is not None and compiling.poll() is not None:
                if compiling.returncode:
                    _LOG.error("compiling kernels ended with code %d", compiling.returncode)
                compiling = None
            try:
                for key, _ in archive.gone_series():
                    shelf.remove(key)  # here, because it is done whether or not any are made
                documents.build_pending(_QUIET_S, time.time_ns())
                if time.monotonic() >= next_upkeep:
                    upkeep = archive.upkeep()
                    upkeep.erase_due()
                    upkeep.compact()
                    next_upkeep = time.monotonic() + _UPKEEP_EVERY_S
            except (EngineError, OSError) as error:
                # Derived data and space: nothing that a reader waits for. Said, and tried again later.
                _LOG.error("background work failed: %s", error)
                stop.wait(_UPKEEP_EVERY_S)
    finally:
        if compiling is not None:
            end_warmup(compiling)
        archive.close()


def _tell_stranded(archive: Archive, settings: Settings) -> None:
    """Here, because this process runs whether or not there is a peer left to send to."""
    try:
        left = stranded(archive, [peer.name for peer in settings.peers if peer.is_reachable])
    except EngineError as error:  # /api/outbox says so too
        _LOG.error("what waits to be sent cannot be looked at: %s", error)
        return
    for one in left:
        _LOG.warning(
            "%d instances wait to be sent to %s, which is no peer of the settings with a host: put it back, or cancel them"
            " (voxcast outbox cancel)",
            one.instances, one.peer,
        )  # fmt: skip


if __name__ == "__main__":
    run(main)
