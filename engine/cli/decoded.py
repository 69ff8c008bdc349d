"""What `voxcast verify --decode` says: each difference and each frame that cannot be decoded, and how many were compared."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import closing
from math import isinf

from engine.archive.archive import Archive
from engine.cli.decoding import Comparison, compare_all
from engine.cli.interruption import Interruption
from engine.cli.progress import bar
from engine.cli.terminal import Terminal, plural
from engine.dicom.transfer_syntax import lookup
from engine.limits import Limits


def report(
    archive: Archive, limits: Limits, instance_bytes: int, terminal: Terminal, stop: Interruption
) -> tuple[dict[str, object], int]:
    """Decode everything, say what is wrong; returns the summary, and how many differences and undecodable frames."""
    compared: Counter[tuple[str, str, str]] = Counter()
    largest: dict[tuple[str, str, str], float] = {}
    alone: Counter[str] = Counter()
    differences = undecodable = done_bytes = 0
    threads = os.cpu_count() or 1
    with (
        bar("decoding", instance_bytes, is_bytes=True) as shown,
        closing(compare_all(archive, limits, threads)) as comparisons,
    ):
        for some, length in comparisons:
            for comparison in some:
                if comparison.problem:
                    undecodable += 1
                elif comparison.why_one:
                    alone[comparison.reason] += comparison.frames
                else:
                    pair = (comparison.record.transfer_syntax_uid, comparison.first, comparison.second)
                    compared[pair] += comparison.frames
                    largest[pair] = max(largest.get(pair, 0.0), comparison.difference)
                    differences += comparison.is_different
                _say(comparison, terminal)
            done_bytes += length
            shown.set(done_bytes)
            if stop.is_asked:
                break
    for (uid, first, second), count in sorted(compared.items()):
        gap = _number(largest[uid, first, second])
        terminal.heading(
            f"{lookup(uid).name}: {plural(count, 'frame')} by {first} and {second}, largest difference {_text(gap)}"
        )
    for reason, count in sorted(alone.items()):
        terminal.heading(f"not compared: {plural(count, 'frame')}: {reason}")
    terminal.heading(
        f"{plural(compared.total(), 'frame')} decoded twice: {plural(differences, 'difference')}, "
        f"{plural(undecodable, 'frame')} that cannot be decoded"
    )
    pairs = [
        {
            "transfer_syntax_uid": uid,
            "first": first,
            "second": second,
            "frames": count,
            "largest_difference": _number(largest[uid, first, second]),
        }
        for (uid, first, second), count in sorted(compared.items())
    ]
    summary: dict[str, object] = {
        "compared": compared.total(),
        "differences": differences,
        "undecodable": undecodable,
        "not_compared": dict(alone),
        "decoders": pairs,
    }
    return summary, differences + undecodable


def _say(comparison: Comparison, terminal: Terminal) -> None:
    c, record = comparison, comparison.record
    where = f"segment {record.location.segment} at {record.location.offset}"
    frame = f", frame {c.frame}" if c.frame else ""
    fields = {"sop_instance_uid": record.sop_instance_uid, "where": where, "frame": c.frame}
    if c.problem:
        terminal.say(f"problem: instance {record.sop_instance_uid} ({where}){frame}: {c.problem}")
        terminal.result({**fields, "problem": c.problem})
    elif c.is_different:
        gap = _number(c.difference)
        terminal.say(
            f"difference: instance {record.sop_instance_uid} ({where}){frame}: "
            f"{c.first} and {c.second} differ by {_text(gap)}, {c.allowed} is allowed"
        )
        terminal.result(
            {**fields, "first": c.first, "second": c.second, "largest_difference": gap, "allowed": c.allowed}
        )


def _number(difference: float) -> int | float | None:
    """For JSON, which has no infinity."""
    if isinf(difference):
        return None
    return int(difference) if difference.is_integer() else difference


def _text(gap: float | None) -> str:
    return "size, colour space or an infinity" if gap is None else str(gap)
