"""Whatever bytes come: the scanner answers or raises one of our errors, says the same from a file, and takes bounded memory."""

from __future__ import annotations

import json
import random
import resource
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from data import element, make_instance, pydicom_files
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scanning import as_file, frame_bytes, scan_both

from engine.dicom.charset import decode_text
from engine.dicom.part10 import file_meta
from engine.dicom.scan import dicom_json, locate
from engine.errors import EngineError, LimitExceeded, MalformedDataSet, TruncatedDataSet
from engine.limits import Limits

# Small, so that hostile numbers meet them.
LIMITS = Limits(
    sequence_depth_max=16, elements_max=50_000, header_bytes_max=1 << 20, json_value_bytes_max=4096,
    inflated_bytes_max=4 << 20, frames_max=10_000,
)  # fmt: skip
NAMES = (
    "CT_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "JPEG2000.dcm", "rtplan.dcm",
    "reportsi.dcm", "image_dfl.dcm", "nested_priv_SQ.dcm", "UN_sequence.dcm", "emri_small_RLE.dcm", "chrKoreanMulti.dcm",
)  # fmt: skip


@cache
def seeds() -> tuple[bytes, ...]:
    """Small real files of every encoding, and one made by hand that has what they lack."""
    found = [p.read_bytes() for p in pydicom_files() if p.name in NAMES]
    sequence = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    sequence += element(0x00080104, "LO", b"inside") + struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return (*found, make_instance(extra=element(0x0020000D, "UI", b"1.2") + sequence, frames=3))


def read_everything(data: bytes) -> None:
    """All four ways into the scanner; only errors of ours may leave, and frames must be inside the bytes."""
    try:
        scanned = scan_both(data, LIMITS)
    except EngineError:
        pass
    else:
        for document in (scanned.patient_json, scanned.study_json, scanned.series_json, scanned.instance_json):
            json.loads(document)
        for index in range(min(len(scanned.frame_table or ()), 5)):
            frame_bytes(data, scanned, index)
    with suppress(EngineError):
        json.loads(dicom_json(data, LIMITS, "x"))
    with as_file(data) as fd:
        try:
            found = locate(fd, 0, len(data), [0x0040A730, 0, 0x00080104], LIMITS)
        except EngineError:
            return
    assert found is None or found[2] or found[0] + found[1] <= len(data)


@settings(max_examples=250, deadline=None)
@given(which=st.integers(0, 99), cut=st.floats(0, 1))
def test_truncated_anywhere(which: int, cut: float) -> None:
    data = seeds()[which % len(seeds())]
    read_everything(data[: int(len(data) * cut)])


def test_truncated_at_every_byte() -> None:
    """A cut instance is refused, unless it was cut between two elements, where nothing can tell."""
    data = make_instance(extra=element(0x00204000, "LT", b"x"))
    ds = pydicom.dcmread(BytesIO(data))
    ends = {raw.value_tell + raw.length for raw in map(ds.get_item, ds.keys())}
    read = set()
    for end in range(len(data) + 1):
        with suppress(EngineError):
            scan_both(data[:end], LIMITS)
            read.add(end)
        read_everything(data[:end])
    assert len(data) in read and read <= ends


@settings(max_examples=400, deadline=None)
@given(which=st.integers(0, 99), seed=st.integers(0, 2**32), count=st.integers(1, 12))
def test_bytes_changed_anywhere(which: int, seed: int, count: int) -> None:
    data, rng = bytearray(seeds()[which % len(seeds())]), random.Random(seed)
    # Mostly in the header: a wrong pixel is no business of the scanner.
    for _ in range(count):
        data[rng.randrange(min(len(data), 4096) if rng.random() < 0.8 else len(data))] = rng.randrange(256)
    read_everything(bytes(data))


@settings(max_examples=400, deadline=None)
@given(which=st.integers(0, 99), seed=st.integers(0, 2**32))
def test_lengths_and_tags_changed_anywhere(which: int, seed: int) -> None:
    data, rng = bytearray(seeds()[which % len(seeds())]), random.Random(seed)
    values = (0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF, 0xE000FFFE, 0xE00DFFFE, 0xE0DDFFFE, 0x00107FE0)
    for _ in range(rng.randint(1, 3)):
        struct.pack_into("<I", data, rng.randrange(132, min(len(data), 4096) - 4), rng.choice(values))
    read_everything(bytes(data))


@settings(max_examples=300, deadline=None)
@given(garbage=st.binary(max_size=2048), has_meta=st.booleans())
@example(garbage=b"\xfe\xff\x00\xe0" * 50, has_meta=True)
@example(garbage=b"\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 60, has_meta=True)
def test_garbage_behind_a_preamble(garbage: bytes, has_meta: bool) -> None:
    head = make_instance() if has_meta else bytes(128) + b"DICM"
    at = head.index(b"\x08\x00\x16\x00UI") if has_meta else len(head)
    read_everything(head[:at] + garbage)


@settings(max_examples=300, deadline=None)
@given(
    term=st.sampled_from([b"", b"ISO_IR 100", rb"\ISO 2022 IR 87", rb"ISO 2022 IR 13\ISO 2022 IR 87", rb"\ISO 2022 IR 149",
                          b"GB18030", b"ISO_IR 192", b"no such set", rb"\\\\", b"\xff"]),
    raw=st.lists(st.sampled_from([b"\x1b$B", b"\x1b(B", b"\x1b(J", b"\x1b$)C", b"\x1b", b"\x1b-", b"^", b"=", b"\\", b"\xfb\xf3",
                                  b"\xe9", b";3ED", b"A", b"\r\n", b"\0"]) | st.binary(max_size=4), max_size=24).map(b"".join),
    is_name=st.booleans(),
)  # fmt: skip
def test_text_of_any_bytes(term: bytes, raw: bytes, is_name: bool) -> None:
    text, _ = decode_text(term, raw, is_name)
    text.encode()  # no lone surrogates: it goes into UTF-8
    data = make_instance(patient="", extra=b"").replace(
        element(0x00100010, "PN", b""), element(0x00100010, "PN", raw[:200]) + element(0x00100011, "LO", raw[:200])
    )
    at = data.index(b"\x08\x00\x16\x00UI")
    read_everything(data[:at] + element(0x00080005, "CS", term) + data[at:])


def huge(tag: int, vr: bytes, length: int) -> bytes:
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, length)


NESTED = (huge(0x0040A730, b"SQ", 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)) * 50_000
HOSTILE = {
    "a value of 4 GiB": huge(0x00204000, b"UT", 0xFFFFFFFE),
    "a sequence of 4 GiB": huge(0x0040A730, b"SQ", 0xFFFFFFF0) + b"\xfe\xff\x00\xe0\xf0\xff\xff\xff",
    "50 000 sequences deep": NESTED,
    "an offset table of 4 GiB": huge(0x7FE00010, b"OB", 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFC),
    "an extended offset table of 4 GiB": huge(0x7FE00001, b"OV", 0xFFFFFFF8),
    "frames without number": element(0x00280008, "IS", b"2147483647") + huge(0x7FE00010, b"OW", 64) + bytes(64),
    "frames below zero": element(0x00280008, "IS", b"-5") + huge(0x7FE00010, b"OW", 64) + bytes(64),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_lengths_meet_an_error_or_a_defect(what: str) -> None:
    head, _, _ = make_instance(frames=2).partition(b"\xe0\x7f\x10\x00OW")
    try:
        scanned = scan_both(head + HOSTILE[what])
    except (TruncatedDataSet, MalformedDataSet, LimitExceeded):
        return
    assert scanned.defects and len(scanned.frame_table or ()) <= 2


MEASURE = """
import resource, sys
sys.path.insert(0, "tests")
sys.path.insert(0, "tests/property")
import test_scan_hostile as t
from engine.errors import EngineError
t.scan_both(t.make_instance())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for what in t.HOSTILE.values():
    t.read_everything(t.make_instance().partition(b"\\xe0\\x7f\\x10\\x00OW")[0] + what)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_hostile_lengths_allocate_nothing_of_their_size() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 32 << 20


def test_a_deflated_bomb_ends_at_its_limit() -> None:
    meta = file_meta(sop_class_uid="1.2", sop_instance_uid="1.3", transfer_syntax_uid="1.2.840.10008.1.2.1.99")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(64 << 20)) + packer.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(LimitExceeded, match="inflated_bytes_max"):
        scan_both(meta + bomb, LIMITS)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 96 << 20
