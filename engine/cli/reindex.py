"""`voxcast reindex`: builds the index again from the segments alone; nothing else may have the archive meanwhile."""

from __future__ import annotations

from engine.archive.archive import Archive
from engine.archive.reindex import reindex
from engine.cli.opening import existing
from engine.cli.progress import bar
from engine.cli.terminal import DONE, Terminal, plural
from engine.settings import Settings


def run(settings: Settings, terminal: Terminal) -> int:
    path = existing(settings)
    with bar("reading segments") as shown:
        members = reindex(path, settings.limits, shown.set)
    archive = Archive.open(path, settings.limits, mode="read")
    try:
        stats = archive.stats()
    finally:
        archive.close()
    counts = {"members": members, "studies": stats.studies, "series": stats.series, "instances": stats.instances}
    text = (
        f"{plural(stats.instances, 'instance')} in {plural(stats.series, 'series')} of {plural(stats.studies, 'study')}"
    )
    terminal.result({"summary": counts}, f"{text}, from {plural(members, 'member')} of the segments")
    return DONE
