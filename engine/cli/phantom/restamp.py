"""Very many distinct instances made cheaply from one, for benchmarks and load tests: new UIDs and places, the same pixels."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

_UIDS = (0x00080018, 0x0020000D, 0x0020000E)  # SOP instance, study, series
_NUMBER, _POSITION, _LOCATION = 0x00200013, 0x00200032, 0x00201041
_DIGITS = 9


def restamped(
    part10: bytes, count: int, *, instances_per_series: int = 500, series_per_study: int = 1, spacing_mm: float = 1.0
) -> Iterator[bytes]:
    """`count` instances that differ from `part10` in their UIDs, Instance Number and Image Position (Patient).

    Patient and pixels stay. UIDs keep their length: a number takes the place of their last nine digits, so the same call
    gives the same instances again. About 30 µs for an instance of 512×512.

    Parameters
    ----------
    part10 : explicit VR little endian, or compressed; with an Instance Number.
    count : at most a thousand million.
    spacing_mm : from slice to slice, along the normal of the image's plane.

    Raises
    ------
    ValueError
        The encoding is another one, or a UID has too few digits to tell the instances apart.
    """
    from pydicom import dcmread  # not needed by those who only generate

    ds: Any = dcmread(io.BytesIO(part10), stop_before_pixels=True)
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax.is_implicit_VR or not syntax.is_little_endian or syntax.is_deflated:
        raise ValueError(f"cannot restamp the transfer syntax {syntax}")
    if _NUMBER not in ds:
        raise ValueError("cannot restamp an instance without Instance Number")
    # Where values begin, before pydicom turns the raw elements into others.
    starts = {tag: ds.get_item(tag).value_tell for tag in (*_UIDS, _NUMBER, _POSITION, _LOCATION) if tag in ds}
    meta_start = part10.index(str(ds.file_meta.MediaStorageSOPInstanceUID).encode(), 132)
    uids = [str(ds[tag].value) for tag in _UIDS]
    position = [float(v) for v in ds.get("ImagePositionPatient") or ()]
    step = _step([float(v) for v in ds.get("ImageOrientationPatient") or ()], spacing_mm)
    patchable = len(position) == 3 and len(step) == 3

    # (first byte, byte behind) of what is replaced, in order; element lengths are 16 bits before the value.
    places = [(meta_start, meta_start + len(uids[0]))]
    places += [(starts[tag], starts[tag] + len(uid)) for tag, uid in zip(_UIDS, uids, strict=True)]
    texts = [tag for tag in (_NUMBER, _POSITION, _LOCATION) if tag in starts and (patchable or tag == _NUMBER)]
    for tag in texts:
        (length,) = struct.unpack_from("<H", part10, starts[tag] - 2)
        places.append((starts[tag] - 2, starts[tag] + length))
    kept = [
        part10[end:begin] for (_, end), (begin, _) in zip([(0, 0), *places], [*places, (len(part10), 0)], strict=True)
    ]
    pieces: list[bytes] = [piece for piece in kept for _ in range(2)][:-1]  # every other one is replaced below
    names = [_Numbered(uid, count) for uid in uids]

    for number in range(count):
        series, in_series = divmod(number, instances_per_series)
        sop, study, series_uid = names[0](number), names[1](series // series_per_study), names[2](series)
        values = [sop, sop, study, series_uid]
        for tag in texts:
            if tag == _NUMBER:
                text = str(in_series + 1)
            else:
                place = [p + in_series * s for p, s in zip(position, step, strict=True)]
                text = "\\".join(f"{round(v, 5):.10g}" for v in (place if tag == _POSITION else place[2:]))
            values.append(_with_length(text))
        pieces[1::2] = values
        yield b"".join(pieces)


class _Numbered:
    """A UID whose last digits are a number; the first digit of every component stays, so it stays valid (PS3.5 9.1)."""

    def __init__(self, uid: str, count: int) -> None:
        free = [i for i in range(1, len(uid)) if uid[i].isdigit() and uid[i - 1].isdigit()]
        # A component that begins with 0 is only that digit, so every free digit may be any digit.
        self._at = free[-_DIGITS:]
        if count > 10 ** len(self._at):
            raise ValueError(f"the UID {uid} has too few digits for {count} instances")
        self._uid = uid.encode()

    def __call__(self, number: int) -> bytes:
        uid = bytearray(self._uid)
        for i, digit in zip(self._at, b"%0*d" % (len(self._at), number), strict=True):
            uid[i] = digit
        return bytes(uid)


def _with_length(text: str) -> bytes:
    content = text.encode()
    content += b" " * (len(content) % 2)
    return struct.pack("<H", len(content)) + content


def _step(orientation: list[float], spacing_mm: float) -> list[float]:
    if len(orientation) != 6:
        return []
    rx, ry, rz, cx, cy, cz = orientation
    return [spacing_mm * n for n in (ry * cz - rz * cy, rz * cx - rx * cz, rx * cy - ry * cx)]
