"""Real instances in Implicit VR Little Endian: pydicom reads the same values from them as from their explicit form."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pydicom
import pytest

from engine.codec.transcode import Transcoding
from engine.dicom.part10 import file_meta
from engine.dicom.transfer_syntax import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from engine.errors import EngineError
from tests.transcoding import LIMITS, Sample, samples, stored

_EMPTY_LUT = ("leadtools-flowers", "P14SV1_1s_1f_u_16_16")  # an empty LUT Descriptor: pydicom reads none of it
SAMPLES = [
    one
    for one in samples("syntaxes", "charsets", "derived", bytes_max=300_000)
    if not any(name in one.path.name for name in _EMPTY_LUT)
]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def forms(sample: Sample) -> tuple[bytes, bytes] | None:
    """The data set explicit and implicit; None for one that cannot be given in either."""
    try:
        with Transcoding(stored(sample.content), EXPLICIT_VR_LITTLE_ENDIAN, LIMITS) as work:
            for _ in work.steps():
                pass
            return b"".join(work.data_set()), b"".join(work.data_set(is_implicit=True))
    except EngineError:
        return None


def read(data_set: bytes, transfer_syntax_uid: str) -> pydicom.Dataset:
    meta = file_meta(sop_class_uid="1.2", sop_instance_uid="1.2.3", transfer_syntax_uid=transfer_syntax_uid)
    return pydicom.dcmread(BytesIO(meta + data_set))


def flat(ds: pydicom.Dataset, above: str = "") -> Iterator[tuple[str, str, Any]]:
    for element in ds:
        name = f"{above}/{element.tag}"
        if element.VR == "SQ":
            yield name, "SQ", len(element.value)
            for at, item in enumerate(element.value):
                yield from flat(item, f"{name}[{at}]")
        elif element.tag.element:  # group lengths are left out
            yield name, element.VR, element.value


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: one.path.name)
def test_the_values_are_the_same(sample: Sample) -> None:
    both = forms(sample)
    if both is None:
        return
    explicit = {name: (vr, value) for name, vr, value in flat(read(both[0], EXPLICIT_VR_LITTLE_ENDIAN))}
    implicit = {name: (vr, value) for name, vr, value in flat(read(both[1], IMPLICIT_VR_LITTLE_ENDIAN))}
    # What only its maker knows the VR of is UN there, a sequence too.
    unknown = tuple(name for name, (vr, _) in implicit.items() if vr == "UN")
    assert set(implicit) == {name for name in explicit if not (name.startswith(unknown) and name not in implicit)}
    for name, (vr, value) in implicit.items():
        if vr != "UN" and vr == explicit[name][0]:
            assert value == explicit[name][1] or value != value, name


def test_there_were_some() -> None:
    assert sum(forms(one) is not None for one in SAMPLES) > 20
    assert len({one.scanned.transfer_syntax_uid for one in SAMPLES}) > 8
