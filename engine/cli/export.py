"""`voxcast export`: studies, series or instances as Part 10 files, a zip file or a folder with a DICOMDIR (PS3.10)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from engine.archive.archive import Archive
from engine.archive.export import Form, export
from engine.cli.interruption import Interruption
from engine.cli.opening import existing
from engine.cli.progress import bar
from engine.cli.terminal import DONE, FAILED, Terminal, bytes_text, plural
from engine.errors import InvalidParameter
from engine.settings import Settings


def run(
    settings: Settings,
    uids: list[str],
    to: Path,
    form: Form | None,
    transfer_syntax: str,
    quality: int,
    near: int,
    terminal: Terminal,
) -> int:
    convert = None
    if transfer_syntax:
        from engine.cli.converting import converter

        convert = converter(transfer_syntax, quality, near, settings.limits)
    elif quality or near:
        raise InvalidParameter("quality" if quality else "near", str(quality or near), "also --transfer-syntax")
    form = form or ("zip" if to.suffix.lower() == ".zip" else "folder")
    archive = Archive.open(existing(settings), settings.limits, mode="read")
    written = written_bytes = skipped = failed = 0
    try:
        with (
            bar("exporting") as shown,
            Interruption(terminal) as stop,
            closing(export(archive, uids, to, form, convert)) as events,
        ):
            for event in events:
                outcome = "failed" if event.failure else "skipped" if event.skipped else "written"
                record = {"file": event.name, "outcome": outcome, "sop_instance_uid": event.sop_instance_uid}
                if event.failure:
                    failed += 1
                    terminal.say(f"failed: {event.name}: {event.failure}")
                elif event.skipped:
                    skipped += 1
                else:
                    written, written_bytes = written + 1, written_bytes + event.length
                terminal.result({**record, "reason": event.failure or event.skipped, "bytes": event.length})
                shown.advance()
                if stop.is_asked:
                    break
    finally:
        archive.close()
    if stop.is_asked:
        terminal.say("interrupted; " + ("no file was made" if form == "zip" else "the files that are there are whole"))
    text = f"{plural(written, 'instance')} written to {to} ({bytes_text(written_bytes)}), {skipped} there already, {failed} failed"
    summary = {
        "written": written,
        "bytes": written_bytes,
        "skipped": skipped,
        "failed": failed,
        "interrupted": stop.is_asked,
    }
    terminal.result({"summary": summary}, text)
    return FAILED if failed or stop.is_asked else DONE
