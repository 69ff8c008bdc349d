"""`voxcast renditions`: the packs of renditions, how they stand, made now, or dropped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict

from engine.archive.archive import Archive
from engine.archive.index import series_key
from engine.archive.records import SeriesSummary
from engine.archive.renditions.shelf import Shelf
from engine.archive.renditions.state import overview, state_of
from engine.cli.interruption import Interruption
from engine.cli.opening import existing
from engine.cli.progress import bar
from engine.cli.terminal import DONE, FAILED, Terminal, bytes_text, plural
from engine.errors import EngineError, StudyNotFound
from engine.metrics import Metrics
from engine.settings import Settings


def show(settings: Settings, uids: list[str], terminal: Terminal) -> int:
    """Every series with a pack, or those that are named; then all of them together."""
    archive = Archive.open(existing(settings), settings.limits, mode="read")
    try:
        shelf, missing = Shelf(archive.path, settings.limits), set(uids)
        for series in _series(archive, uids, missing):
            state = state_of(shelf, series)
            if not state.bytes and not uids:
                continue
            record = {
                "study_instance_uid": series.study_instance_uid,
                "series_instance_uid": series.series_instance_uid,
                **asdict(state),
            }
            frames = state.made + state.kept
            text = f"{series.series_instance_uid} {'complete' if state.is_complete else 'to be made'}"
            text += f", {plural(frames, 'frame')}, {bytes_text(state.bytes)}, small pictures {bytes_text(state.coarse_bytes)}"
            text += "".join(
                f"\n  {plural(count, 'frame')} as stored: {reason}" for reason, count in state.stored.items()
            )
            terminal.result(record, text)
        found = overview(shelf, archive.path)
        budget = settings.limits.rendition_bytes_max
        summary = {"packs": found.packs, "bytes": found.bytes, "bytes_max": budget, "waiting": found.waiting}
        text = f"{plural(found.packs, 'pack')}, {bytes_text(found.bytes)} of {bytes_text(budget)}"
        terminal.result({"summary": summary}, text)
        return _named(missing, terminal)
    finally:
        archive.close()


def make(settings: Settings, uids: list[str], terminal: Terminal) -> int:
    """The packs of these studies and series, or of all that have none of what they are now; the newest first."""
    from engine.stream.making import SeriesMaker

    archive = Archive.open(existing(settings), settings.limits, mode="read")
    made = failed = frames = pack_bytes = 0
    started = time.monotonic()
    try:
        shelf, missing = Shelf(archive.path, settings.limits), set(uids)
        maker = SeriesMaker(archive, shelf, settings.limits, Metrics())
        wanted = sorted(_series(archive, uids, missing), key=lambda series: series.leader, reverse=True)
        wanted = [series for series in wanted if not shelf.is_current(series, maker.encoder)]
        with bar("making", sum(series.instance_count for series in wanted)) as shown, Interruption(terminal) as stop:
            for series in wanted:
                # Named ones are wanted now; the rest may send away only what is older than they are.
                used_ns = time.time_ns() if uids else series.leader[0]
                steps = maker.make(series.study_instance_uid, series.series_instance_uid, used_ns)
                try:
                    for step in steps:
                        frames += step.is_made
                        shown.advance()
                        if stop.is_asked:
                            break
                except (EngineError, OSError) as error:
                    failed += 1
                    terminal.say(f"failed: {series.series_instance_uid}: {error}")
                    terminal.result({"series_instance_uid": series.series_instance_uid, "reason": str(error)})
                    continue
                finally:
                    steps.close()
                if stop.is_asked:
                    break
                made += 1
                state = state_of(shelf, series)
                pack_bytes += state.bytes
                terminal.result({"series_instance_uid": series.series_instance_uid, **asdict(state)})
    finally:
        archive.close()
    seconds = time.monotonic() - started
    summary = {"made": made, "failed": failed, "frames": frames, "bytes": pack_bytes, "interrupted": stop.is_asked}
    text = (
        f"{plural(made, 'pack')} made ({plural(frames, 'frame')} encoded in {seconds:.1f} s, {bytes_text(pack_bytes)})"
    )
    terminal.result({"summary": summary}, f"{text}, {failed} failed")
    return max(_named(missing, terminal), FAILED if failed or stop.is_asked else DONE)


def drop(settings: Settings, uids: list[str], terminal: Terminal) -> int:
    """Delete the packs of these studies and series, or all; whoever reads one goes on reading."""
    archive = Archive.open(existing(settings), settings.limits, mode="read")
    try:
        shelf, missing = Shelf(archive.path, settings.limits), set(uids)
        keys = (series_key(one.study_instance_uid, one.series_instance_uid) for one in _series(archive, uids, missing))
        dropped = sum(map(shelf.remove, keys)) if uids else shelf.clear()
    finally:
        archive.close()
    terminal.result({"summary": {"dropped": dropped}}, f"{plural(dropped, 'pack')} dropped")
    return _named(missing, terminal)


def _series(archive: Archive, uids: list[str], missing: set[str]) -> Iterator[SeriesSummary]:
    """Series by their UIDs or their study's; every one without UIDs. What is found leaves `missing`."""
    others = set()
    for uid in dict.fromkeys(uids):
        try:
            yield from archive.series_of(uid)
            missing.discard(uid)
        except StudyNotFound:
            others.add(uid)
    if others or not uids:
        for series in archive.every_series():
            if not uids or series.series_instance_uid in others:
                missing.discard(series.series_instance_uid)
                yield series


def _named(missing: set[str], terminal: Terminal) -> int:
    for uid in sorted(missing):
        terminal.say(f"failed: {uid}: no study or series has this UID")
    return FAILED if missing else DONE
