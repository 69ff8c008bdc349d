"""What several tests of the scanner do with an instance: read it from memory and from a file, take its frames, locate values."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import numpy as np

from engine.dicom.frame_table import FrameTableKind, join_fragments
from engine.dicom.scan import dicom_json, locate, scan, scan_file
from engine.dicom.scanned import ScannedInstance
from engine.errors import EngineError
from engine.limits import Limits

LIMITS = Limits()


@contextmanager
def as_file(data: bytes, before: bytes = b"") -> Iterator[int]:
    """A descriptor of a file that has these bytes behind `before` and others behind them, as in a segment."""
    fd = os.memfd_create("instance")
    try:
        os.write(fd, before)
        for at in range(0, len(data), 1 << 20):
            os.write(fd, data[at : at + (1 << 20)])
        os.write(fd, b"\x55" * 64)
        yield fd
    finally:
        os.close(fd)


def as_values(scanned: ScannedInstance) -> dict[str, Any]:
    """All fields; frame tables compare by their packed form."""
    values = {f.name: getattr(scanned, f.name) for f in fields(scanned)}
    return {**values, "frame_table": scanned.frame_table and scanned.frame_table.to_bytes()}


def scan_both(data: bytes, limits: Limits = LIMITS) -> ScannedInstance:
    """`scan`, after proving that `scan_file` says the same of the same bytes, error or not."""
    with as_file(data, b"\xaa" * 512) as fd:
        try:
            from_memory = scan(data, limits)
        except EngineError as error:
            try:
                scan_file(fd, 512, len(data), limits)
            except EngineError as other:
                assert (type(other), str(other)) == (type(error), str(error))
            else:
                raise AssertionError(f"scan_file reads what scan refuses: {error}") from error
            raise
        assert as_values(scan_file(fd, 512, len(data), limits)) == as_values(from_memory)
    return from_memory


def json_of(data: bytes, bulk_data_uri: str = "") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(dicom_json(data, LIMITS, bulk_data_uri))
    return document


def value_at(data: bytes, path: Sequence[int]) -> bytes | None:
    """The bytes that `locate` finds for a path."""
    with as_file(data) as fd:
        found = locate(fd, 0, len(data), path, LIMITS)
    if found is None:
        return None
    offset, length, raw = found
    return raw or data[offset : offset + length]


def frame_bytes(data: bytes, scanned: ScannedInstance, index: int) -> bytes:
    """One frame's bytes by its span: fragments joined, single bits moved to the front."""
    table = scanned.frame_table
    assert table is not None
    if table.kind is FrameTableKind.DEFLATED:
        where = table.deflated_span
        data = zlib.decompress(data[where.offset : where.offset + where.length], -15)
    span = table[index]
    assert span.offset + span.length <= len(data)
    code = bytes(join_fragments(data[span.offset : span.offset + span.length], span.fragment_count))
    if span.first_bit == 0:
        return code
    bits = np.unpackbits(np.frombuffer(code, np.uint8), bitorder="little")[span.first_bit :]
    return np.packbits(bits, bitorder="little").tobytes()


def frames_of(data: bytes) -> list[bytes]:
    scanned = scan_both(data)
    return [frame_bytes(data, scanned, i) for i in range(len(scanned.frame_table or ()))]


def defects_of(scanned: ScannedInstance) -> set[str]:
    return {d.code for d in scanned.defects}
