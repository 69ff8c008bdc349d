"""`voxcast stats`: what is stored, sizes, transfer syntaxes, oldest and newest, conflicts and defects."""

from __future__ import annotations

import difflib
from dataclasses import asdict
from datetime import UTC, datetime

from engine.archive.archive import Archive
from engine.archive.records import ArchiveStats
from engine.cli.opening import existing
from engine.cli.terminal import DONE, Terminal, bytes_text, plural
from engine.dicom.defects import DEFECTS
from engine.dicom.transfer_syntax import lookup
from engine.errors import InvalidParameter
from engine.settings import Settings


def run(settings: Settings, defect: str, conflicts: bool, terminal: Terminal) -> int:
    if defect and defect not in DEFECTS:
        nearest = difflib.get_close_matches(defect, DEFECTS, n=1, cutoff=0.0)[0]
        raise InvalidParameter("--defect", defect, f"a code that exists; the nearest is {nearest}")
    archive = Archive.open(existing(settings), settings.limits, mode="read")
    try:
        if defect:
            for uid in archive.with_defect(defect):
                terminal.result({"sop_instance_uid": uid, "defect": defect}, uid)
        if conflicts:
            _conflicts(archive, terminal)
        if not defect and not conflicts:
            _overview(archive.stats(), terminal)
    finally:
        archive.close()
    return DONE


def _conflicts(archive: Archive, terminal: Terminal) -> None:
    for version in archive.conflicts():
        record = {
            "sop_instance_uid": version.sop_instance_uid,
            "served": version.is_served,
            "data_set_sha256": version.data_set_sha256.hex(),
            "received": _time(version.received_ns),
            "door": version.source.door,
            "peer": version.source.peer,
        }
        served = "served" if version.is_served else "kept"
        sender = f"{version.source.door} {version.source.peer}".strip()
        text = f"{version.sop_instance_uid} {served:6} {record['received']} sha256 {version.data_set_sha256.hex()[:16]} {sender}"
        terminal.result(record, text)


def _overview(stats: ArchiveStats, terminal: Terminal) -> None:
    oldest, newest = _time(stats.oldest_received_ns), _time(stats.newest_received_ns)
    record = asdict(stats)
    del record["oldest_received_ns"], record["newest_received_ns"]
    rows = [
        ("patients", f"{stats.patients}"),
        ("studies", f"{stats.studies}"),
        ("series", f"{stats.series}"),
        ("instances", f"{stats.instances} ({bytes_text(stats.instance_bytes)})"),
        ("oldest arrival", oldest or "-"),
        ("newest arrival", newest or "-"),
        ("segments", f"{stats.segment_count} ({bytes_text(stats.segment_bytes)})"),
        ("index", bytes_text(stats.index_bytes)),
        ("renditions", bytes_text(stats.rendition_bytes)),
        ("conflicts", f"{stats.conflicts}" + (" (voxcast stats --conflicts lists them)" if stats.conflicts else "")),
    ]
    lines = [f"{name:<16} {value}" for name, value in rows]
    if stats.transfer_syntaxes:
        lines.append("transfer syntaxes")
        by_count = sorted(stats.transfer_syntaxes.items(), key=lambda item: -item[1])
        lines += [f"  {plural(count, 'instance'):>18}  {lookup(uid).name} ({uid})" for uid, count in by_count]
    if stats.defects:
        lines.append("defects (voxcast stats --defect CODE lists the instances)")
        by_count = sorted(stats.defects.items(), key=lambda item: -item[1])
        lines += [f"  {plural(count, 'instance'):>18}  {code}: {DEFECTS.get(code, '')}" for code, count in by_count]
    terminal.result({**record, "oldest_received": oldest, "newest_received": newest}, "\n".join(lines))


def _time(received_ns: int | None) -> str | None:
    return (
        None if received_ns is None else datetime.fromtimestamp(received_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    )
