"""The process that makes packs of renditions, one thread at the lowest priority there is (`stream/making.py` does the work).

It learns what to do from the change feed, from readers who ask (`archive/renditions/asking.py`), and at its start from a
look through the archive; what it knows besides is which series it was making when it died.
"""

from __future__ import annotations

import heapq
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from engine.archive.archive import Archive
from engine.archive.changes import ChangeKind
from engine.archive.index import series_key
from engine.archive.records import SeriesSummary
from engine.archive.renditions.asking import Asked
from engine.archive.renditions.shelf import Shelf
from engine.archive.renditions.state import STATE_FILE
from engine.errors import ChangesGone, EngineError, LimitExceeded, NotFound
from engine.metrics import Metrics
from engine.server import processor
from engine.server.child import Job, archive_path, ready, run
from engine.server.rendition_queue import RenditionQueue, Wanted
from engine.settings import Settings

if TYPE_CHECKING:
    from engine.stream.making import SeriesMaker

_LOG = logging.getLogger(__name__)
_IDLE_S = 0.25
_FEED_EVERY_S = 0.1
_PENDING_EVERY_S = 5.0
# A series that never gets quiet is made after so long, and again whenever that time has passed.
_RESTLESS_S = 30.0
_BACKLOG = 512
_LOOK_EVERY_S = 600.0
_AFTER_FAILURE_S = 30.0
_DEATHS_MAX = 3
_CHANGES_AT_ONCE = 512
# The least that a pack has been seen to need of what is stored; only to not begin in vain.
_EXPECTED_SHARE = 8
_ARRIVALS = (ChangeKind.STORED, ChangeKind.REPLACED, ChangeKind.KEPT)


class RenditionWorker:
    """Keeps the packs of an archive made; one thread.

    Parameters
    ----------
    stop : set from outside; the frame under way is finished, the pack under way is not.
    """

    def __init__(self, archive: Archive, settings: Settings, metrics: Metrics, stop: threading.Event) -> None:
        assert archive.path is not None
        self._archive, self._settings, self._stop = archive, settings, stop
        self._state = archive.path / "run" / STATE_FILE
        self._deaths = _deaths(self._state)
        self._asked, self._queue = Asked(archive.path), RenditionQueue()
        self._shelf, self._metrics = Shelf(archive.path, settings.limits), metrics
        self._feed = archive.feed().last
        self._fed_at = self._pending_at = self._busy_at = 0.0
        self._look_at = 0.0
        self._restless: dict[tuple[str, str], float] = {}

    def work(self) -> None:
        """Until told to stop."""
        try:
            self._shelf.sweep(
                series_key(one.study_instance_uid, one.series_instance_uid) for one in self._archive.every_series()
            )
            while not self._stop.is_set():
                self._hear()
                wanted = self._queue.next()
                if wanted is not None:
                    self._make(wanted)
                elif self._settings.renditions == "all" and time.monotonic() >= self._look_at:
                    self._look_at = time.monotonic() + _LOOK_EVERY_S
                    self._queue.backlog(self._backlog())
                else:
                    self._stop.wait(_IDLE_S)
        finally:
            self._asked.close()
            self._state.unlink(missing_ok=True)

    @cached_property
    def _maker(self) -> SeriesMaker:
        """Late: numpy and the codecs are 20 MB that a server without images does not need."""
        from engine.stream.making import SeriesMaker

        return SeriesMaker(self._archive, self._shelf, self._settings.limits, self._metrics)

    # -- what to do

    def _hear(self) -> None:
        for study, series in self._asked.take():
            self._queue.ask(Wanted(study, series, time.time_ns(), is_asked=True))
        now = time.monotonic()
        if now - self._fed_at >= _FEED_EVERY_S:
            self._fed_at = now
            self._read_feed()
        if now - self._pending_at >= _PENDING_EVERY_S:
            self._pending_at = now
            self._find_restless(now)

    def _read_feed(self) -> None:
        """Series that have gone quiet. More changes than are kept: another look through the archive finds all of them."""
        try:
            end, found = self._archive.changes(self._feed, _CHANGES_AT_ONCE)
        except ChangesGone:
            self._feed, self._look_at = self._archive.feed().last, 0.0
            return
        if found:
            self._feed = found[-1].sequence
        for change in found:
            if change.kind in _ARRIVALS:
                self._busy_at = time.monotonic()
            if change.kind is ChangeKind.SERIES_QUIET:
                self._came(change.study_instance_uid, change.series_instance_uid)
        if len(found) == _CHANGES_AT_ONCE and end.last > self._feed:
            self._fed_at = 0.0  # there are more

    def _find_restless(self, now: float) -> None:
        pending = {(study, series) for study, series, _ in self._archive.pending_series()}
        self._restless = {key: since for key, since in self._restless.items() if key in pending}
        for key in pending:
            if now - self._restless.setdefault(key, now) >= _RESTLESS_S:
                self._restless[key] = now
                self._came(*key)

    def _came(self, study: str, series: str) -> None:
        with suppress(NotFound):
            self._queue.came(Wanted(study, series, self._archive.series(study, series).leader[0]))

    def _backlog(self) -> list[Wanted]:
        """The newest series without a pack of what they are now."""

        def missing() -> Iterator[SeriesSummary]:
            for series in self._archive.every_series():
                if self._stop.is_set():
                    return
                if not self._shelf.is_current(series, self._maker.encoder):
                    yield series

        newest = heapq.nlargest(_BACKLOG, missing(), key=lambda series: series.leader)
        return [Wanted(one.study_instance_uid, one.series_instance_uid, one.leader[0]) for one in newest]

    # -- doing it

    def _make(self, wanted: Wanted) -> None:
        try:
            series = self._archive.series(*wanted.key)
        except NotFound:
            return
        old = self._shelf.find(*wanted.key)
        if old is not None and self._shelf.is_current(series, self._maker.encoder):
            if wanted.is_asked:
                self._shelf.touch(old)
            return
        if old is None and self._settings.renditions != "all" and not wanted.is_asked:
            return
        used_ns = wanted.used_ns if old is None else max(wanted.used_ns, self._shelf.used_ns(old))
        try:
            if not self._shelf.make_room(series.byte_count // _EXPECTED_SHARE, used_ns, is_trial=True):
                self._queue.no_room()
                self._outdated(series)
                return
            self._note(wanted)
            started = time.monotonic()
            if self._deaths.get("\0".join(wanted.key), 0) >= _DEATHS_MAX:
                self._maker.give_up(series, f"making it has ended the program {_DEATHS_MAX} times", used_ns)
            elif self._run(wanted, used_ns):
                seconds = time.monotonic() - started
                _LOG.info("made the pack of series %s in %.1f s", series.series_instance_uid, seconds)
        except LimitExceeded as error:
            _LOG.info("no pack of series %s: %s", series.series_instance_uid, error)
            self._queue.no_room()
            self._outdated(series)
        except NotFound:
            pass  # deleted meanwhile
        except (EngineError, OSError) as error:
            # Derived data: nothing that a reader waits for. Said; found again when the archive is looked through.
            _LOG.error("no pack of series %s: %s", series.series_instance_uid, error)
            self._outdated(series)
            self._stop.wait(_AFTER_FAILURE_S)
        finally:
            self._note(None)

    def _run(self, wanted: Wanted, used_ns: int) -> bool:
        """Frame by frame; between two, who asked for another series gets that first. False when told to stop."""
        steps = self._maker.make(*wanted.key, used_ns)
        try:
            begun = time.monotonic()
            for _ in steps:
                self._hear()
                while not wanted.is_asked and (asked := self._queue.next_asked()) is not None:
                    if asked.key != wanted.key:
                        self._make(asked)
                if self._stop.is_set():
                    return False
                if time.monotonic() - self._busy_at < 1.0 and not wanted.is_asked:
                    # Instances are coming in: half of the time is theirs, the disk's too.
                    self._stop.wait(time.monotonic() - begun)
                begun = time.monotonic()
        finally:
            steps.close()
        return True

    def _outdated(self, series: SeriesSummary) -> None:
        """A pack that cannot be made anew must not keep what was deleted."""
        if not self._shelf.is_current(series, self._maker.encoder):
            self._shelf.remove(series_key(series.study_instance_uid, series.series_instance_uid))

    def _note(self, wanted: Wanted | None) -> None:
        """Whose pack is being made, for people, and for the next process if this one does not survive it."""
        state: dict[str, object] = {"making": None, "waiting": len(self._queue), "deaths": self._deaths}
        if wanted is not None:
            key = "\0".join(wanted.key)
            state["making"] = {"studyInstanceUID": wanted.key[0], "seriesInstanceUID": wanted.key[1]}
            state["deaths"] = {**self._deaths, key: self._deaths.get(key, 0) + 1}
        new = self._state.with_suffix(".new")
        with suppress(OSError):  # a full disk: nobody is told, and nothing is lost
            new.write_text(json.dumps(state))
            new.replace(self._state)


def _deaths(state: Path) -> dict[str, int]:
    """How often a process has died while it made a series; it has not, where it took its state away at the end."""
    try:
        return {str(key): int(count) for key, count in json.loads(state.read_text())["deaths"].items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def main(job: Job, settings: Settings, stop: threading.Event) -> None:
    processor.for_what_nobody_waits_for()
    path = archive_path(settings)
    archive = Archive.open(path, settings.limits, mode="read")
    ready()
    try:
        metrics = Metrics(path / "run" / f"{os.getpid()}.counters")
        RenditionWorker(archive, settings, metrics, stop).work()
    finally:
        archive.close()


if __name__ == "__main__":
    run(main)
