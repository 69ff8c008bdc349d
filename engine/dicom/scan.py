"""The door to the native scanner: one pass over Part 10 bytes (PS3.10 section 7, PS3.5 section 7) to a `ScannedInstance`."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NoReturn

from engine._native import ScanError, Scanner
from engine.dicom.charset import decode_text
from engine.dicom.coded_colour import HEAD_BYTES, contradiction, looked_at
from engine.dicom.frame import FrameDescriptor, PixelKeyword, Rescale, VoiLutFunction, Window
from engine.dicom.frame_table import FrameTable
from engine.dicom.geometry import slice_key
from engine.dicom.levels import INDEX_TAGS
from engine.dicom.scanned import Defect, ScannedInstance
from engine.dicom.uid import derived_uid, is_valid
from engine.errors import MalformedDataSet, MissingUid, NotDicom, TooLarge, TruncatedDataSet
from engine.limits import MIB, Limits
from engine.types import Buffer

_PIXEL_KEYWORDS = {
    0x7FE00010: PixelKeyword.PIXEL_DATA,
    0x7FE00008: PixelKeyword.FLOAT,
    0x7FE00009: PixelKeyword.DOUBLE,
}
_RESCALES, _WINDOWS, _SPACINGS = 12, 13, 29  # in the native part's description of pixels
_INFLATED = "limits.inflated_bytes_max"


def scan(buffer: Buffer, limits: Limits) -> ScannedInstance:
    """Read an instance that is in memory. Thread-safe; releases the GIL while it reads.

    Raises
    ------
    NotDicom, TruncatedDataSet, MalformedDataSet, MissingUid, TooLarge
    """
    try:
        return _instance(
            _scanner(limits).scan(buffer),
            limits,
            lambda: hashlib.sha256(buffer),
            lambda at, length: bytes(memoryview(buffer)[at : at + length]),
        )
    except ScanError as error:
        _raise(error)


def scan_file(fd: int, offset: int, length: int, limits: Limits) -> ScannedInstance:
    """Read an instance that is in a file: by `pread`, hopping over values, so memory does not grow with its size."""
    try:
        return _instance(
            _scanner(limits).scan_file(fd, offset, length),
            limits,
            lambda: _hash_file(fd, offset, length),
            lambda at, count: os.pread(fd, count, offset + at),
        )
    except ScanError as error:
        _raise(error)


def dicom_json(buffer: Buffer, limits: Limits, bulk_data_uri: str) -> bytes:
    """The data set as DICOM JSON (PS3.18 annex F), UTF-8, with Available Transfer Syntax UID, without File Meta.

    Parameters
    ----------
    buffer : the first `ScannedInstance.header_length` bytes of the Part 10 stream, or all of it.
    bulk_data_uri : values that are not inline get ``BulkDataURI`` = this + "/" + their path (``7FE00010``, or
        ``52009230/0/…`` inside sequences), which `locate` takes.
    """
    try:
        return _scanner(limits).json(buffer, bulk_data_uri, True)
    except ScanError as error:
        _raise(error)


def locate(fd: int, offset: int, length: int, path: Sequence[int], limits: Limits) -> tuple[int, int, bytes] | None:
    """Where the value is that `path` (tag, item, tag, …) names: offset and length in the stream.

    Or its bytes, where those in the stream are deflated or big endian (what leaves is little endian, PS3.18 8.7.3.3.2).
    """
    try:
        found = _scanner(limits).locate(fd, offset, length, list(path))
    except ScanError as error:
        _raise(error)
    return None if found is None else (found[0], found[1], found[3])


@lru_cache(maxsize=4)
def _scanner(limits: Limits) -> Scanner:
    numbers = (
        limits.sequence_depth_max,
        limits.elements_max,
        limits.header_bytes_max,
        limits.json_value_bytes_max,
        limits.inflated_bytes_max,
        limits.frames_max,
    )
    return Scanner(INDEX_TAGS, numbers, decode_text, _inflate)


def _inflate(data: bytes, limit: int) -> bytes:
    """Raw deflate by Python's zlib, so that the native part needs no zlib to build; never more than `limit` bytes."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        out = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise MalformedDataSet(f"the deflated data set cannot be inflated ({error})") from None
    if len(out) > limit:
        raise TooLarge("the inflated data set", len(out), limit, _INFLATED)
    if not inflater.eof and not inflater.unconsumed_tail and not out:
        raise TruncatedDataSet(len(data) + 1, len(data), "the deflated data set")
    if not inflater.eof:
        raise TruncatedDataSet(len(data) + 1, len(data), "the end of the deflated data set")
    return out


def _raise(error: ScanError) -> NoReturn:
    kind, message, first, second = error.args
    match kind:
        case 0:
            raise NotDicom(message) from None
        case 1:
            raise TruncatedDataSet(first, second, message) from None
        case 2:
            raise MalformedDataSet(message, first) from None
        case 3:
            raise TooLarge(message, first, second, f"limits.{message}") from None
        case 4:
            raise MissingUid(message) from None
        case _:
            raise OSError(message)


def _hash_file(fd: int, offset: int, length: int) -> hashlib._Hash:
    digest = hashlib.sha256()
    for at in range(offset, offset + length, MIB):
        digest.update(os.pread(fd, min(MIB, offset + length - at), at))
    return digest


def _instance(
    raw: tuple[Any, ...],
    limits: Limits,
    content: Callable[[], hashlib._Hash],
    read: Callable[[int, int], bytes],
) -> ScannedInstance:
    (ts, sop_class, sop, study, series, data_set_at, header_length, *jsons, pixels, table, geometry, found) = raw
    defects = [Defect(code, detail) for code, detail in found]
    if not sop:
        sop = derived_uid("instance", content().hexdigest())
        defects.append(Defect("no-sop-instance-uid"))
        jsons[3] = _with_uid(jsons[3], "00080018", sop)
    if not series or not study:
        study, series = _file_somewhere(jsons, defects, study, series, sop)
    for uid in (sop, study, series):
        if not is_valid(uid):
            defects.append(Defect("odd-uid"))
            break
    descriptor = None
    if pixels is not None:
        # Most slices of a series are described alike; per-frame windows of large objects are not worth keeping.
        same = all(len(pixels[each]) <= 1 for each in (_WINDOWS, _RESCALES, _SPACINGS))
        descriptor = (_descriptor if same else _new_descriptor)(ts, sop_class, pixels)
        if descriptor.frame_bytes > limits.frame_bytes_max:
            defects.append(Defect("pixel-limit", str(descriptor.frame_bytes)))
            descriptor = table = None
        elif table is not None and looked_at(descriptor):
            defects += _colour_defects(descriptor, FrameTable(table), read)
    return ScannedInstance(
        transfer_syntax_uid=ts,
        sop_class_uid=sop_class,
        sop_instance_uid=sop,
        study_instance_uid=study,
        series_instance_uid=series,
        data_set_offset=data_set_at,
        header_length=header_length,
        patient_json=jsons[0],
        study_json=jsons[1],
        series_json=jsons[2],
        instance_json=jsons[3],
        slice_key=slice_key(*geometry),
        frame_descriptor=descriptor,
        frame_table=FrameTable(table) if table is not None else None,
        defects=tuple(defects),
    )


def _colour_defects(d: FrameDescriptor, table: FrameTable, read: Callable[[int, int], bytes]) -> list[Defect]:
    """By the head of the first frame, in its first fragment."""
    span = table[0]
    head = read(span.offset, min(HEAD_BYTES, span.length))
    if span.fragment_count > 1:
        head = head[8 : 8 + int.from_bytes(head[4:8], "little")]
    found = contradiction(d, head)
    return [Defect("colour-contradicted", found)] if found else []


def _file_somewhere(jsons: list[bytes], defects: list[Defect], study: str, series: str, sop: str) -> tuple[str, str]:
    """An image without a study or series is no image to lose: both are derived, and the index says so."""
    if not series:
        series = derived_uid("series", sop)
        defects.append(Defect("no-series-uid"))
        jsons[2] = _with_uid(jsons[2], "0020000E", series)
    if not study:
        study = derived_uid("study", series)
        defects.append(Defect("no-study-uid"))
        jsons[1] = _with_uid(jsons[1], "0020000D", study)
    return study, series


def _with_uid(document: bytes, tag: str, uid: str) -> bytes:
    attributes = json.loads(document)
    attributes[tag] = {"vr": "UI", "Value": [uid]}
    return json.dumps(dict(sorted(attributes.items())), ensure_ascii=False, separators=(",", ":")).encode()


def _new_descriptor(transfer_syntax_uid: str, sop_class_uid: str, p: tuple[Any, ...]) -> FrameDescriptor:
    return FrameDescriptor(
        transfer_syntax_uid=transfer_syntax_uid,
        sop_class_uid=sop_class_uid,
        modality=p[0],
        rows=p[1],
        columns=p[2],
        number_of_frames=p[3],
        samples_per_pixel=p[4],
        bits_allocated=p[5],
        bits_stored=p[6],
        high_bit=p[7],
        pixel_representation=p[8],
        planar_configuration=p[9],
        photometric_interpretation=p[10],
        pixel_keyword=_PIXEL_KEYWORDS[p[11]],
        rescales=tuple(Rescale(*r) for r in p[_RESCALES]),
        windows=tuple(_windows(*w) for w in p[_WINDOWS]),
        presentation_lut_shape=p[14],
        pixel_padding_value=p[15],
        pixel_padding_range_limit=p[16],
        smallest_pixel_value=p[17],
        largest_pixel_value=p[18],
        has_modality_lut=p[19],
        has_voi_lut=p[20],
        has_palette=p[21],
        has_overlay=p[22],
        pixel_aspect_ratio=p[23],
        has_swapped_bytes=p[24],
        pixel_presentation=p[25],
        has_presentation_lut=p[26],
        has_icc_profile=p[27],
        has_real_world_values=p[28],
        pixel_spacings=p[29],
    )


# Frozen, so that one can be shared: 0.5 µs for one that was made before, 9 µs for a new one.
_descriptor = lru_cache(maxsize=128)(_new_descriptor)


def _windows(
    centers: Sequence[float], widths: Sequence[float], function: str, explanations: Sequence[str]
) -> tuple[Window, ...]:
    kind = VoiLutFunction(function) if function in VoiLutFunction.__members__ else VoiLutFunction.LINEAR
    names = list(explanations) + [""] * len(centers)
    return tuple(Window(c, w, kind, n) for c, w, n in zip(centers, widths, names, strict=False))
