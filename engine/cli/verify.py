"""`voxcast verify`: reads and hashes every stored byte again and compares the index; beside a running server."""

from __future__ import annotations

from engine.archive.archive import Archive
from engine.cli.interruption import Interruption
from engine.cli.opening import existing
from engine.cli.progress import bar
from engine.cli.terminal import DONE, FAILED, Terminal, bytes_text, plural
from engine.settings import Settings


def run(settings: Settings, terminal: Terminal, decode: bool = False) -> int:
    """`decode` : then decode every frame, by two decoders where there are two."""
    archive = Archive.open(existing(settings), settings.limits, mode="read")
    checked = problems = checked_bytes = 0
    decoded: dict[str, object] = {}
    found = 0
    try:
        stats = archive.stats()
        with Interruption(terminal) as stop:
            with bar("verifying", stats.instance_bytes, is_bytes=True) as shown:
                for check in archive.upkeep().verify():
                    checked, checked_bytes = checked + 1, checked_bytes + check.length
                    shown.set(checked_bytes)
                    if check.problem:
                        problems += 1
                        terminal.say(f"problem: instance {check.sop_instance_uid} ({check.where}): {check.problem}")
                        terminal.result(
                            {"sop_instance_uid": check.sop_instance_uid, "where": check.where, "problem": check.problem}
                        )
                    if stop.is_asked:
                        break
            if decode and not stop.is_asked:
                from engine.cli.decoded import report  # decoders: half a second

                decoded, found = report(archive, settings.limits, stats.instance_bytes, terminal, stop)
    finally:
        archive.close()
    outcome = "all as acknowledged" if not problems else plural(problems, "problem")
    if stop.is_asked:
        outcome += "; interrupted, so the rest was not looked at"
    summary = {"checked": checked, "bytes": checked_bytes, "problems": problems, "interrupted": stop.is_asked}
    text = f"{plural(checked, 'instance')} read and hashed ({bytes_text(checked_bytes)}): {outcome}"
    terminal.result({"summary": {**summary, **decoded}}, text)
    return FAILED if problems or found or stop.is_asked else DONE
