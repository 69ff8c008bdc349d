"""The hospital's trace is the same every time, and what its modalities send can be read by others."""

from __future__ import annotations

import hashlib
import io

import pydicom
from pydicom.uid import ExplicitVRLittleEndian

from benchmarks.hospital.instances import make
from benchmarks.hospital.trace import KINDS, trace


def test_the_same_days_every_time() -> None:
    days = trace(48, 0.1)
    assert days == trace(48, 0.1)
    assert [one.at for one in days] == sorted(one.at for one in days)
    assert {one.station for one in days} == {f"{kind.modality}{n + 1}" for kind in KINDS for n in range(kind.count)}
    assert len({one.station for one in days}) == 40
    assert (
        len({one.study_instance_uid for one in days}) == len(days) == 2 * sum(k.count * k.examinations for k in KINDS)
    )
    nights = sum(one.at % 86_400 < 6 * 3600 for one in days)
    assert nights < len(days) / 10


def test_a_data_set_that_others_read() -> None:
    for kind in KINDS:
        one = next(one for one in trace(24, 0.1) if one.kind is kind)
        made = make(one, 0)
        whole = b"".join(made.pieces)
        assert made.sha256 == hashlib.sha256(whole).digest()
        ds = pydicom.dcmread(io.BytesIO(whole), force=True)
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        assert ds.SOPInstanceUID == made.sop_instance_uid == one.sop_instance_uid(0)
        assert ds.pixel_array.shape == (kind.rows, kind.columns)
        assert ds.pixel_array.std() > 1
