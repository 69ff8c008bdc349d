"""`voxcast import`: files, folders, zip and tar files, DICOMDIR into the archive; safe to repeat, beside a running server."""

from __future__ import annotations

from pathlib import Path

from engine.cli.importing import Tally, accepting, import_with_progress
from engine.cli.terminal import DONE, FAILED, Terminal
from engine.errors import ArchiveFault
from engine.settings import Settings


def run(settings: Settings, paths: list[Path], terminal: Terminal) -> int:
    tally = Tally()
    with accepting(settings, is_bulk=True) as acceptor:
        try:
            import_with_progress(paths, acceptor, settings, terminal, tally)
        except ArchiveFault as error:
            terminal.say(f"voxcast: {error}")
            _sum_up(tally, terminal, error=str(error))
            return FAILED
    if tally.is_interrupted:
        terminal.say("interrupted; all that is counted here is safe, the same command again takes the rest")
    _sum_up(tally, terminal)
    return FAILED if tally.outcomes["failed"] or tally.is_interrupted else DONE


def _sum_up(tally: Tally, terminal: Terminal, **more: object) -> None:
    terminal.result({"summary": {**tally.record(), **more}}, tally.text())
