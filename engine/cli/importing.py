"""Shared by `import` and `demo`: one import with its bar, its tally and a line for each failure."""

from __future__ import annotations

import os
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engine.archive.archive import Archive
from engine.cli.interruption import Interruption
from engine.cli.progress import Bar, bar
from engine.cli.terminal import Terminal, bytes_text, plural
from engine.ingest.accept import Acceptor
from engine.ingest.importer import ImportEvent, import_paths
from engine.settings import Settings

_TAR_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tbz2", ".txz")


@dataclass(slots=True)
class Tally:
    """What became of the files so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    stored_bytes: int = 0
    with_defects: int = 0
    is_interrupted: bool = False

    @property
    def safe(self) -> int:
        """Files whose bytes are in the archive now, whenever they came."""
        return sum(count for outcome, count in self.outcomes.items() if outcome not in ("failed", "skipped"))

    def record(self) -> dict[str, object]:
        names = ("stored", "duplicate", "conflict-kept", "conflict-replaced", "skipped", "failed")
        return {
            **{name: self.outcomes[name] for name in names},
            "stored_bytes": self.stored_bytes,
            "with_defects": self.with_defects,
            "interrupted": self.is_interrupted,
        }

    def text(self) -> str:
        conflicts = self.outcomes["conflict-kept"] + self.outcomes["conflict-replaced"]
        parts = [f"{plural(self.outcomes['stored'], 'instance')} stored ({bytes_text(self.stored_bytes)})"]
        parts.append(f"{self.outcomes['duplicate']} already there")
        if conflicts:
            parts.append(f"{conflicts} kept beside another with the same UID (voxcast stats --conflicts)")
        if self.with_defects:
            parts.append(f"{self.with_defects} with defects (voxcast stats)")
        if self.outcomes["skipped"]:
            parts.append(f"{self.outcomes['skipped']} skipped")
        parts.append(f"{self.outcomes['failed']} failed")
        return ", ".join(parts)


@contextmanager
def accepting(settings: Settings, *, is_bulk: bool = False) -> Iterator[Acceptor]:
    """The archive of these settings, open for writing (`Archive.open`); what was submitted is stored when the block ends."""
    assert settings.archive is not None
    archive = Archive.open(settings.archive, settings.limits, on_conflict=settings.on_conflict, is_bulk=is_bulk)
    try:
        acceptor = Acceptor(archive, settings.limits)
        try:
            yield acceptor
        finally:
            acceptor.close()
    finally:
        archive.close()


def import_with_progress(
    paths: list[Path], acceptor: Acceptor, settings: Settings, terminal: Terminal, tally: Tally
) -> None:
    """Import `paths`; `tally` is right even when an `ArchiveFault` ends it."""
    with (
        bar("importing") as shown,
        _counting(paths, shown),
        Interruption(terminal) as stop,
        closing(import_paths(paths, acceptor, settings.limits)) as events,
    ):
        for event in events:
            _take(event, tally, terminal)
            shown.advance()
            if stop.is_asked:
                tally.is_interrupted = True
                return


def _take(event: ImportEvent, tally: Tally, terminal: Terminal) -> None:
    accepted = event.accepted
    if accepted is None:
        outcome, reason = ("failed", event.failure) if event.failure else ("skipped", event.skipped)
        tally.outcomes[outcome] += 1
        terminal.say(f"{outcome}: {event.name}: {reason}")
        terminal.result({"file": event.name, "outcome": outcome, "reason": reason})
        return
    tally.outcomes[accepted.status] += 1
    if accepted.status == "stored":
        tally.stored_bytes += accepted.length
    tally.with_defects += bool(accepted.defects)
    if terminal.is_json:
        terminal.result(
            {
                "file": event.name,
                "outcome": accepted.status,
                "sop_instance_uid": accepted.sop_instance_uid,
                "series_instance_uid": accepted.series_instance_uid,
                "study_instance_uid": accepted.study_instance_uid,
                "bytes": accepted.length,
                "defects": sorted({defect.code for defect in accepted.defects}),
            }
        )


@contextmanager
def _counting(paths: list[Path], shown: Bar) -> Iterator[None]:
    """Find out beside the import how many files there are, for the time left; an estimate, and only when someone looks."""
    stop = threading.Event()

    def count() -> None:
        total = 0
        for path in _files(paths):
            if stop.is_set():
                return
            if path.name.lower().endswith(_TAR_SUFFIXES):
                return  # only reading all of it would tell
            total += _members(path)
        shown.total = total

    thread = threading.Thread(target=count, name="counting", daemon=True)
    if shown.is_visible:
        thread.start()
    try:
        yield
    finally:
        stop.set()


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
        for folder, _, names in os.walk(path):
            yield from (Path(folder, name) for name in names)


def _members(path: Path) -> int:
    if path.suffix.lower() != ".zip":
        return 1
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(not member.is_dir() for member in archive.infolist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return 1  # the import itself says what is wrong with it
